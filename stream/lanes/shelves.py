"""The state of a partition, and how a crossing is found in it: by holder, token, trip, read point and booth."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from stream.lanes.rows import (
    CLOCK_KEY,
    SECOND,
    Clock,
    Crossing,
    GatewayHealth,
    Heard,
    Key,
    Pending,
    Row,
    Sequence,
    gateway_key,
    pending_key,
    sequence_key,
)
from stream.state import KeyedState

Place = tuple[str, str, int | str | None]
"""What a crossing is found by: a kind of place, what is there, and for stays that are over when."""

#: Stays that are over are found by read point and booth within time slots.
SLOT_US: Final = 120 * SECOND

#: A stay over more slots than this is found at any time.
MAX_SLOTS: Final = 8


class LanesState(KeyedState):
    """The rows of a partition with their indexes."""

    def __init__(self) -> None:
        """Empty."""
        super().__init__(Row)
        self._by_place: defaultdict[Place, dict[str, None]] = defaultdict(dict)
        self._pending: dict[str, Pending] = {}
        self._gateways: dict[str, GatewayHealth] = {}
        self._crossings: dict[str, Crossing] = {}
        self._open: dict[str, Crossing] = {}
        self._closed: dict[str, Crossing] = {}
        self.clock = Clock()
        #: The place in the order of grouping after which nothing is known. It never goes back: that only costs time.
        self.newest: Key = (-1, "", "")

    def crossing(self, crossing_id: str) -> Crossing | None:
        """A crossing by its id."""
        return self._crossings.get(crossing_id)

    def sequence(self, writer: str, epoch: str) -> Sequence | None:
        """The sequence of a writer and epoch."""
        row = self.get(sequence_key(writer, epoch))
        return row if isinstance(row, Sequence) else None

    def gateway(self, writer: str) -> GatewayHealth | None:
        """What a gateway last said of itself."""
        return self._gateways.get(gateway_key(writer))

    def gateways(self) -> Iterable[GatewayHealth]:
        """All gateways."""
        return self._gateways.values()

    def holding(self, who: str) -> list[Crossing]:
        """Crossings in which a card of the holder (or the unknown token) was heard."""
        return self._these(self._by_place.get(("who", who, ""), ()))

    def with_token(self, token: str) -> list[Crossing]:
        """Crossings in which the token was heard."""
        return self._these(self._by_place.get(("token", token, ""), ()))

    def joined_with(self, trip: str) -> list[Crossing]:
        """Crossings that were joined with the trip or used it."""
        return self._these(self._by_place.get(("trip", trip, ""), ()))

    def heard_at(self, pair: str, read_point: str, from_us: int, to_us: int) -> list[Crossing]:
        """Crossings heard at the read point about that time, or still heard there."""
        return self._about(pair, f"point {read_point}", from_us, to_us)

    def at_booth(self, pair: str, lane: str, from_us: int, to_us: int) -> list[Crossing]:
        """Crossings heard at primary or secondary of the lane about that time, or still heard there."""
        return self._about(pair, f"booth {lane}", from_us, to_us)

    def pending_row(self, event_id: str) -> Pending | None:
        """A word that found no crossing yet."""
        return self._pending.get(pending_key(event_id))

    def pending(self) -> list[Pending]:
        """Words that found no crossing yet, by time."""
        return sorted(self._pending.values(), key=lambda one: (one.word.at_us, one.word.event_id))

    def open(self) -> list[Crossing]:
        """Crossings that are not closed."""
        return list(self._open.values())

    def closed(self) -> Iterator[Crossing]:
        """Closed crossings that can still be revised, the longest closed first."""
        return iter(self._closed.values())

    def _about(self, pair: str, place: str, from_us: int, to_us: int) -> list[Crossing]:
        first, last = from_us // SLOT_US - 1, to_us // SLOT_US + 1
        slots = range(first, last + 1)
        if len(slots) > MAX_SLOTS + 2:
            slots = range(first, first + MAX_SLOTS + 2)
        ids: dict[str, None] = dict(self._by_place.get((place, pair, None), {}))
        for slot in slots:
            found = self._by_place.get((place, pair, slot))
            if found:
                ids.update(found)
        return self._these(ids)

    def _these(self, ids: Iterable[str]) -> list[Crossing]:
        return [self._crossings[one] for one in ids]

    def _changed(self, key: str, old: msgspec.Struct | None, new: msgspec.Struct | None) -> None:
        match new or old:
            case Crossing():
                self._crossing_changed(
                    old if isinstance(old, Crossing) else None,
                    new if isinstance(new, Crossing) else None,
                )
            case Pending():
                self._pending.pop(key, None)
                if isinstance(new, Pending):
                    self.newest = max(self.newest, new.word.key)
                    self._pending[key] = new
            case GatewayHealth():
                self._gateways.pop(key, None)
                if isinstance(new, GatewayHealth):
                    self._gateways[key] = new
            case Clock() if key == CLOCK_KEY:
                self.clock = new if isinstance(new, Clock) else Clock()

    def _crossing_changed(self, old: Crossing | None, new: Crossing | None) -> None:
        if old is not None and (new is None or old.closed != new.closed):
            for shelf in (self._crossings, self._open, self._closed):
                shelf.pop(old.crossing_id, None)
        if new is not None:
            self.newest = max(self.newest, newest_of(new))
            self._crossings[new.crossing_id] = new
            (self._closed if new.closed else self._open)[new.crossing_id] = new
        if old is not None and new is not None and _found_alike(old, new):
            return
        here = new or old
        if here is None:
            return
        before = set() if old is None else places(old)
        after = set() if new is None else places(new)
        for place in before - after:
            self._by_place[place].pop(here.crossing_id, None)
            if not self._by_place[place]:
                del self._by_place[place]
        for place in after - before:
            self._by_place[place][here.crossing_id] = None


def newest_of(crossing: Crossing) -> Key:
    """The place of its last stay or word."""
    keys = [word.key for word in crossing.words()]
    if crossing.heard:
        keys.append(crossing.heard[-1].key)
    return max(keys, default=(-1, "", ""))


def _found_alike(old: Crossing, new: Crossing) -> bool:
    return old.heard == new.heard and old.trip == new.trip and old.use == new.use


def places(crossing: Crossing) -> set[Place]:
    """Everything by which the crossing can be found."""
    found: set[Place] = set()
    if crossing.trip is not None:
        found.add(("trip", crossing.trip, ""))
    if crossing.use is not None:
        found.add(("trip", crossing.use.trip, ""))
    for heard in crossing.heard:
        found.add(("who", heard.who, ""))
        found.add(("token", heard.token, ""))
        for slot in _slots(heard):
            found.add((f"point {heard.read_point}", crossing.pair, slot))
            if heard.position in ("primary", "secondary"):
                found.add((f"booth {heard.lane}", crossing.pair, slot))
    return found


def _slots(heard: Heard) -> Iterable[int | None]:
    if not heard.gone:
        return (None,)
    first, last = heard.first_us // SLOT_US, heard.last_us // SLOT_US
    return range(first, last + 1) if last - first < MAX_SLOTS else (None,)
