"""Which way vehicles went past two inputs of a reader: light barriers or loops at both ends of a read point.

    first pin   ___|~~~~~~|________      the pin that changes first tells the way; which level means
    second pin  _______|~~~~~~|____      "there is a vehicle" does not matter

A passage begins with a change while both pins are as they were before a vehicle came, and is over when both were
changed and are so again. One that leaves a pin unchanged ends after `QUIET_US`, at the latest after `LONGEST_US`.

The rule and its times are ours; no public source has one.
"""

from collections import deque
from typing import Final, NamedTuple

from schemas.gate import Travel

#: Between one pin and the other a vehicle needs no longer.
QUIET_US: Final = 30_000_000
#: A pin that has been the same for so long is no vehicle: a change of it was lost, or the wire is.
LONGEST_US: Final = 600_000_000
#: A tag may be heard so much before and after its vehicle passes the pins.
NEAR_US: Final = 2_000_000
#: Passages that are remembered, of a read point.
KEPT: Final = 64


class Past(NamedTuple):
    """A vehicle went past both pins."""

    at_us: int
    travel: Travel


class PinPair:
    """The two inputs of one read point."""

    def __init__(self, first: int, second: int) -> None:
        """`first`: the pin that a vehicle passes first when it goes the lane's way."""
        self._pins = (first, second)
        self._levels: dict[int, bool] = {}
        #: Pin -> its level while no vehicle is there, of those that have changed in this passage.
        self._rest: dict[int, bool] = {}
        self._last_us = 0
        self._past: deque[Past] = deque(maxlen=KEPT)

    def take(self, pin: int, high: bool, at_us: int) -> None:
        """An input has this level since `at_us`; the same level again is no change."""
        before = self._levels.get(pin, not high)
        if pin not in self._pins or before == high:
            return
        self._levels[pin] = high
        if self._rest and at_us - self._last_us > (QUIET_US if self._is_over() else LONGEST_US):
            self._rest.clear()
        self._last_us = at_us
        if pin not in self._rest:
            self._rest[pin] = before
            if len(self._rest) == len(self._pins):
                first = next(iter(self._rest))
                self._past.append(Past(at_us, "forward" if first == self._pins[0] else "reverse"))
        if len(self._rest) == len(self._pins) and self._is_over():
            self._rest.clear()

    def between(self, first_us: int, last_us: int) -> Travel:
        """The way of all vehicles that passed in this span; `unknown` if there was none, or they differ."""
        found = {
            past.travel
            for past in self._past
            if first_us - NEAR_US <= past.at_us <= last_us + NEAR_US
        }
        return found.pop() if len(found) == 1 else "unknown"

    def _is_over(self) -> bool:
        return all(self._levels[pin] == level for pin, level in self._rest.items())
