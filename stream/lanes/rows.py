"""What the lanes stage remembers of a partition, and how it finds it again."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from schemas.border import Ending, PersonRole, UnmatchedKind
from schemas.gate import Decision, Outcome, Subjects
from schemas.message import Country, Direction, Position
from stream.state import KeyedState

Place = tuple[str, str, int | str | None]
"""What a crossing is found by: a kind of place, what is there, and for closed crossings when."""

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
        self._by_place: defaultdict[Place, dict[str, None]] = defaultdict(dict)
        self._pending: dict[str, None] = {}
        self._crossings: dict[str, Crossing] = {}
        self._open: dict[str, Crossing] = {}
        self._closed: dict[str, Crossing] = {}

    def crossing(self, crossing_id: str) -> Crossing | None:
        """A crossing by its id."""
        return self._crossings.get(crossing_id)

    def sequence(self, writer: str, epoch: str) -> Sequence | None:
        """The sequence of a writer and epoch."""
        row = self.get(sequence_key(writer, epoch))
        return row if isinstance(row, Sequence) else None

    def holding(self, subject: str) -> list[Crossing]:
        """Crossings in which the credential (or unknown token) was heard."""
        return self._these(self._by_place.get(("subject", subject, ""), ()))

    def joined_with(self, trip: str) -> list[Crossing]:
        """Crossings that were joined with the trip."""
        return self._these(self._by_place.get(("trip", trip, ""), ()))

    def heard_at(self, pair: str, read_point: str, at_us: int) -> list[Crossing]:
        """Crossings heard at the read point: those that are not closed, and closed ones about that time."""
        return self._about(pair, f"point {read_point}", at_us)

    def at_booth(self, pair: str, lane: str, at_us: int) -> list[Crossing]:
        """Crossings heard at primary or secondary of the lane, closed ones only about that time."""
        return self._about(pair, f"booth {lane}", at_us)

    def pending(self) -> list[Decision]:
        """Decisions that found no crossing yet, by time."""
        rows = (self.get(key) for key in self._pending)
        found = [row.decision for row in rows if isinstance(row, Pending)]
        return sorted(found, key=lambda decision: (decision.at_us, decision.event_id))

    def open(self) -> list[Crossing]:
        """Crossings that are not closed."""
        return list(self._open.values())

    def closed(self) -> Iterator[Crossing]:
        """Closed crossings that can still be revised, the longest closed first."""
        return iter(self._closed.values())

    def _about(self, pair: str, place: str, at_us: int) -> list[Crossing]:
        slot = at_us // SLOT_US
        ids: dict[str, None] = {}
        for when in (None, slot - 1, slot, slot + 1):
            ids.update(self._by_place.get((place, pair, when), {}))
        return self._these(ids)

    def _these(self, ids: Iterable[str]) -> list[Crossing]:
        return [self._crossings[one] for one in ids]

    def _changed(self, key: str, old: msgspec.Struct | None, new: msgspec.Struct | None) -> None:
        if isinstance(old, Crossing) or isinstance(new, Crossing):
            self._crossing_changed(
                old if isinstance(old, Crossing) else None,
                new if isinstance(new, Crossing) else None,
            )
        elif key.startswith("pending:"):
            self._pending.pop(key, None)
            if new is not None:
                self._pending[key] = None

    def _crossing_changed(self, old: Crossing | None, new: Crossing | None) -> None:
        if old is not None and (new is None or old.closed != new.closed):
            for shelf in (self._crossings, self._open, self._closed):
                shelf.pop(old.crossing_id, None)
        if new is not None:
            self._crossings[new.crossing_id] = new
            (self._closed if new.closed else self._open)[new.crossing_id] = new
        before = [] if old is None else list(_places(old))
        after = [] if new is None else list(_places(new))
        if before == after:
            return
        here = new or old
        if here is None:
            return
        for place in before:
            self._by_place[place].pop(here.crossing_id, None)
            if not self._by_place[place]:
                del self._by_place[place]
        for place in after:
            self._by_place[place][here.crossing_id] = None


def _places(crossing: Crossing) -> Iterator[Place]:
    """Everything by which the crossing can be found."""
    if crossing.trip is not None:
        yield "trip", crossing.trip, ""
    for heard in crossing.heard:
        yield "subject", heard.subject, ""
        slot = heard.first_us // SLOT_US if crossing.closed else None
        yield f"point {heard.read_point}", crossing.pair, slot
        if heard.position in ("primary", "secondary"):
            yield f"booth {heard.lane}", crossing.pair, slot
