"""What the lanes stage remembers of a partition, and how it finds it again."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

import msgspec

from schemas.border import Ending, PersonRole, UnmatchedKind
from schemas.gate import Decision, Outcome, Subjects
from schemas.message import Country, Direction, Position
from stream.state import KeyedState

K = TypeVar("K")

#: Closed crossings are found by read point and booth within time slots of ten minutes.
SLOT_US: Final = 600_000_000


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """A card or tag at a read point: one stay, or several that follow each other."""

    token: str
    #: Its credential id, or its token while no credential is known for it.
    subject: str
    read_point: str
    lane: str
    position: Position
    to_booth_s: int | None
    first_us: int
    last_us: int
    #: False while the gateway still hears it.
    gone: bool
    #: The first event that told of it and the last ones.
    event_ids: tuple[str, ...]


class Ruling(msgspec.Struct, frozen=True, kw_only=True):
    """An officer's decision about the crossing."""

    event_id: str
    at_us: int
    country: Country
    outcome: Outcome
    subjects: Subjects
    persons: tuple[str, ...]


class Emitted(msgspec.Struct, frozen=True, kw_only=True):
    """What was last written about the end of the crossing for a person (None: nobody known)."""

    person: str | None
    role: PersonRole | None
    how: Ending
    at_us: int


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """An open row of the unmatched queue."""

    kind: UnmatchedKind
    subject: str | None
    since_us: int


class Crossing(msgspec.Struct, frozen=True, kw_only=True, tag="crossing"):
    """One vehicle's passage."""

    crossing_id: str
    pair: str
    direction: Direction
    lane: str
    heard: tuple[Heard, ...] = ()
    rulings: tuple[Ruling, ...] = ()
    #: The trip that it was joined with.
    trip: str | None = None
    #: Of the last notice.
    revision: int = 0
    #: Hash of what the last notice said.
    content: bytes = b""
    end_revision: int = 0
    emitted: tuple[Emitted, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    #: The moment that ended it, None while it goes on.
    ended_at_us: int | None = None
    #: When it was given up because nobody heard of it any more.
    lost_at_us: int | None = None
    closed: bool = False
    #: Latest event time of an input that touched it.
    at_us: int

    @property
    def first_us(self) -> int:
        """The first read."""
        return min((heard.first_us for heard in self.heard), default=self.at_us)

    @property
    def last_us(self) -> int:
        """The last read so far."""
        return max((heard.last_us for heard in self.heard), default=self.at_us)


class Sequence(msgspec.Struct, frozen=True, kw_only=True, tag="sequence"):
    """Which events of a writer and epoch have come: all up to `high`, but for the gaps (inclusive)."""

    high: int
    gaps: tuple[tuple[int, int], ...] = ()


class Pending(msgspec.Struct, frozen=True, kw_only=True, tag="pending"):
    """A decision that found no crossing yet."""

    decision: Decision


def crossing_key(crossing_id: str) -> str:
    """The state key of a crossing."""
    return f"crossing:{crossing_id}"


def pending_key(event_id: str) -> str:
    """The state key of a decision without a crossing."""
    return f"pending:{event_id}"


def sequence_key(writer: str, epoch: str) -> str:
    """The state key of a writer's sequence."""
    return f"sequence:{writer}.{epoch}"


class LanesState(KeyedState):
    """The rows of a partition, found by card, trip, read point and lane."""

    def __init__(self) -> None:
        """Empty."""
        super().__init__(Crossing | Sequence | Pending)
        self._by_subject: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._by_trip: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._live: defaultdict[tuple[str, str], dict[str, None]] = defaultdict(dict)
        self._past: defaultdict[tuple[str, str, int], dict[str, None]] = defaultdict(dict)
        self._pending: dict[str, None] = {}
        self._open: dict[str, None] = {}
        self._closed: dict[str, None] = {}

    def crossing(self, crossing_id: str) -> Crossing | None:
        """A crossing by its id."""
        row = self.get(crossing_key(crossing_id))
        return row if isinstance(row, Crossing) else None

    def sequence(self, writer: str, epoch: str) -> Sequence | None:
        """The sequence of a writer and epoch."""
        row = self.get(sequence_key(writer, epoch))
        return row if isinstance(row, Sequence) else None

    def holding(self, subject: str) -> list[Crossing]:
        """Crossings in which the credential (or unknown token) was heard."""
        return self._these(self._by_subject.get(subject, ()))

    def joined_with(self, trip: str) -> list[Crossing]:
        """Crossings that were joined with the trip."""
        return self._these(self._by_trip.get(trip, ()))

    def heard_at(self, pair: str, read_point: str, at_us: int) -> list[Crossing]:
        """Crossings heard at the read point: those that are not closed, and closed ones about that time."""
        return self._about(pair, f"point {read_point}", at_us)

    def at_booth(self, pair: str, lane: str, at_us: int) -> list[Crossing]:
        """Crossings heard at primary or secondary of the lane, closed ones only about that time."""
        return self._about(pair, f"booth {lane}", at_us)

    def pending(self) -> list[Decision]:
        """Decisions that found no crossing yet, in the order of their coming."""
        rows = (self.get(key) for key in self._pending)
        return [row.decision for row in rows if isinstance(row, Pending)]

    def open(self) -> list[Crossing]:
        """Crossings that are not closed."""
        return self._these(self._open)

    def closed(self) -> Iterator[Crossing]:
        """Closed crossings that can still be revised, the longest closed first."""
        for key in self._closed:
            crossing = self.crossing(key)
            if crossing is not None:
                yield crossing

    def _about(self, pair: str, place: str, at_us: int) -> list[Crossing]:
        ids = dict(self._live.get((pair, place), ()))
        slot = at_us // SLOT_US
        for near in (slot - 1, slot, slot + 1):
            ids.update(self._past.get((pair, place, near), ()))
        return self._these(ids)

    def _these(self, ids: Iterable[str]) -> list[Crossing]:
        found = (self.crossing(one) for one in ids)
        return [crossing for crossing in found if crossing is not None]

    def _changed(self, key: str, old: msgspec.Struct | None, new: msgspec.Struct | None) -> None:
        if isinstance(old, Crossing) and isinstance(new, Crossing) and _marks(old) == _marks(new):
            return
        if isinstance(old, Crossing):
            self._index(old, add=False)
        if isinstance(new, Crossing):
            self._index(new, add=True)
        if key.startswith("pending:"):
            self._pending.pop(key, None)
            if new is not None:
                self._pending[key] = None

    def _index(self, crossing: Crossing, *, add: bool) -> None:
        here = crossing.crossing_id
        for heard in crossing.heard:
            _mark(self._by_subject, heard.subject, here, add=add)
            places = [f"point {heard.read_point}"]
            if heard.position in ("primary", "secondary"):
                places.append(f"booth {heard.lane}")
            for place in places:
                if crossing.closed:
                    slot = heard.first_us // SLOT_US
                    _mark(self._past, (crossing.pair, place, slot), here, add=add)
                else:
                    _mark(self._live, (crossing.pair, place), here, add=add)
        if crossing.trip is not None:
            _mark(self._by_trip, crossing.trip, here, add=add)
        shelf = self._closed if crossing.closed else self._open
        if add:
            shelf[here] = None
        else:
            shelf.pop(here, None)


def _marks(crossing: Crossing) -> tuple[object, ...]:
    """All that the indexes depend on."""
    heard = [(one.subject, one.read_point, one.first_us) for one in crossing.heard]
    return crossing.closed, crossing.trip, heard


def _mark(index: defaultdict[K, dict[str, None]], key: K, value: str, *, add: bool) -> None:
    if add:
        index[key][value] = None
    elif key in index:
        index[key].pop(value, None)
        if not index[key]:
            del index[key]
