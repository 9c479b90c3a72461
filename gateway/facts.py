"""What readers say about themselves, in the same words for every vendor. A note carries these as values.

What a reader says is believed as said; what follows from it is decided in `gateway.desk`.
"""

from typing import NamedTuple


class Ntp(NamedTuple):
    """How the reader keeps its clock."""

    #: Whether it heard its time server lately.
    reached: bool
    #: How far off its clock is by its own reckoning, milliseconds; None when it does not say.
    offset_ms: float | None


class AntennaState(NamedTuple):
    """Whether something is connected to a port."""

    port: int
    connected: bool


class Lost(NamedTuple):
    """The reader had to throw reads away: how many, None when it does not say."""

    reads: int | None


class Dropped(NamedTuple):
    """Messages that the reader has thrown away since it was switched on; each held one read or more."""

    total: int


class Pin(NamedTuple):
    """A general purpose input has now this level."""

    number: int
    high: bool


Fact = Ntp | AntennaState | Lost | Dropped | Pin
