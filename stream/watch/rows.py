"""What the watch stage remembers: where each card was heard in the last two days, and what it said of it."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

import msgspec

from schemas.gate import ClockSource
from schemas.message import Direction, Position
from schemas.watch import FlagProof
from stream.state import KeyedState

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE

#: Rows whose time comes are found by the minute.
_SLOT_US: Final = MINUTE


class Tid(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A chip that answered under a token, and the first sighting that told of it."""

    tid_token: str
    event_id: str
    at_us: int


class Stay(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One stay of a card or tag at a read point."""

    token: str
    pair: str
    lane: str
    read_point: str
    position: Position
    direction: Direction
    first_us: int
    last_us: int
    #: The first event that told of it.
    event_id: str
    clock_source: ClockSource = "received"
    #: By `tid_token`.
    tids: tuple[Tid, ...] = ()
    crossing_id: str | None = None
    #: Its times prove nothing.
    untrusted: bool = False
    #: Nobody can tell in which lane it was.
    ambiguous: bool = False

    @property
    def key(self) -> tuple[int, str, str, str]:
        """Its place in the order of time."""
        return self.first_us, self.token, self.pair, self.read_point


class CardRow(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="card"):
    """A card. The first block is evidence, the second what was written."""

    credential_id: str
    #: By `Stay.key`.
    stays: tuple[Stay, ...] = ()

    proofs: tuple[FlagProof, ...] = ()
    #: The tokens that the last flag named.
    tokens: tuple[str, ...] = ()
    #: Alerts that were given and still hold.
    alerted: tuple[str, ...] = ()
    #: Of a trailer's tag: where it was last said to be.
    place: Stay | None = None
    #: When time alone changes the row.
    due_us: int = 0


class Clock(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="clock"):
    """The partition's last tick."""

    now_us: int = 0


#: The state key of the clock; those of cards have a prefix.
CLOCK_KEY: Final = "clock"


def card_key(credential_id: str) -> str:
    """The state key of a card."""
    return f"card:{credential_id}"


class WatchState(KeyedState):
    """Rows by card, with the minute in which time alone changes them."""

    def __init__(self) -> None:
        """Empty."""
        super().__init__(CardRow | Clock)
        self._due: defaultdict[int, set[str]] = defaultdict(set)

    @property
    def now_us(self) -> int:
        """The last tick; 0 before the first."""
        row = self.get(CLOCK_KEY)
        return row.now_us if isinstance(row, Clock) else 0

    def row(self, credential_id: str) -> CardRow | None:
        """The row of a card."""
        row = self.get(card_key(credential_id))
        return row if isinstance(row, CardRow) else None

    def rows(self) -> Iterator[CardRow]:
        """All cards, by id."""
        every = (row for _, row in self.items())
        return (row for row in every if isinstance(row, CardRow))

    def due(self, now_us: int) -> list[CardRow]:
        """Cards whose time has come, by id."""
        last = now_us // _SLOT_US
        keys = {key for slot in self._due if slot <= last for key in self._due[slot]}
        found = [row for key in sorted(keys) if isinstance(row := self.get(key), CardRow)]
        return [row for row in found if row.due_us <= now_us]

    def _changed(self, key: str, old: msgspec.Struct | None, new: msgspec.Struct | None) -> None:
        before = old.due_us // _SLOT_US if isinstance(old, CardRow) else None
        after = new.due_us // _SLOT_US if isinstance(new, CardRow) else None
        if before == after:
            return
        if before is not None:
            self._due[before].discard(key)
            if not self._due[before]:
                del self._due[before]
        if after is not None:
            self._due[after].add(key)
