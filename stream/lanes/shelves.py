"""The state of a partition, and how a crossing is found in it: by holder, token, trip, read point and booth."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

import msgspec

from stream.lanes.due import Alarms
from stream.lanes.packed import Packed, unpack
from stream.lanes.rows import (
    CLOCK_KEY,
    SECOND,
    SLACK_US,
    TRAIL_KEY,
    Clock,
    Crossing,
    GatewayHealth,
    Heard,
    Key,
    Pending,
    Row,
    Sequence,
    Trail,
    Watched,
    crossing_key,
    gateway_key,
    pending_key,
    sequence_key,
    watched_key,
)
from stream.state import KeyedState

Place = tuple[str, ...] | tuple[str, str, str, int | None]
"""What a crossing is found by: a kind of place, what is there, and for stays that are over when."""

#: Stays that are over are found by read point and booth within time slots.
SLOT_US: Final = 120 * SECOND

_CROSSING: Final = crossing_key("")

#: Positions at which officers' words find a vehicle.
BOOTH: Final = ("primary", "secondary")

#: A stay over more slots than this is found at any time.
MAX_SLOTS: Final = 8


class LanesState(KeyedState):
    """The rows of a partition with their indexes."""

    def __init__(self) -> None:
        """Empty."""
        super().__init__(Row | Packed)
        self._by_place: defaultdict[Place, dict[str, None]] = defaultdict(dict)
        self._pending: dict[str, Pending] = {}
        #: The same in order, and by lane; None: to be made anew. Most steps ask, few change them.
        self._waiting: list[Pending] | None = None
        self._waiting_for: defaultdict[str | None, list[Pending]] | None = None
        self._gateways: dict[str, GatewayHealth] = {}
        self._watched: dict[str, Watched] = {}
        self._crossings: dict[str, Crossing] = {}
        self._open: dict[str, Crossing] = {}
        self._closed: dict[str, Crossing] = {}
        self._alarms = Alarms()
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

    def trail(self) -> Trail | None:
        """The end of the audit chain."""
        row = self.get(TRAIL_KEY)
        return row if isinstance(row, Trail) else None

    def watched(self) -> Iterable[tuple[str, Watched]]:
        """What cleared readers were told, by crossing."""
        return list(self._watched.items())

    def watched_row(self, crossing_id: str) -> Watched | None:
        """What cleared readers were told of a crossing."""
        return self._watched.get(crossing_id)

    def keyed_in(self, subject: str) -> list[Crossing]:
        """Crossings in which an officer keyed the person, truck, trailer or trip."""
        return self._these(self._by_place.get(("keyed", subject), ()))

    def holding(self, who: str) -> list[Crossing]:
        """Crossings in which a card of the holder (or the unknown token) was heard."""
        return self._these(self._by_place.get(("who", who), ()))

    def with_token(self, token: str) -> list[Crossing]:
        """Crossings in which the token was heard."""
        return self._these(self._by_place.get(("token", token), ()))

    def joined_with(self, trip: str) -> list[Crossing]:
        """Crossings that were joined with the trip or used it."""
        return self._these(self._by_place.get(("trip", trip), ()))

    def heard_at(self, pair: str, read_point: str, from_us: int, to_us: int) -> list[Crossing]:
        """Crossings heard at the read point about that time, or still heard there."""
        return self._about("point", pair, read_point, from_us, to_us)

    def at_booth(self, pair: str, lane: str, from_us: int, to_us: int) -> list[Crossing]:
        """Crossings heard at primary or secondary of the lane about that time, or still heard there."""
        return self._about("booth", pair, lane, from_us, to_us)

    def pending_row(self, event_id: str) -> Pending | None:
        """A word that found no crossing yet."""
        return self._pending.get(pending_key(event_id))

    def pending(self) -> list[Pending]:
        """Words that found no crossing yet, by time."""
        if self._waiting is None:
            rows = self._pending.values()
            self._waiting = sorted(rows, key=lambda one: (one.word.at_us, one.word.event_id))
        return self._waiting

    def pending_for(self, lane: str | None) -> list[Pending]:
        """Those about a lane, by time; None: those that name a crossing that is not there, or nothing."""
        if self._waiting_for is None:
            self._waiting_for = defaultdict(list)
            for one in self.pending():
                place = None if one.word.named is not None else one.word.lane
                self._waiting_for[place].append(one)
        return self._waiting_for.get(lane, [])

    def open(self) -> list[Crossing]:
        """Crossings that are not closed."""
        return list(self._open.values())

    def closed(self) -> Iterable[Crossing]:
        """Closed crossings that can still be revised."""
        return self._closed.values()

    def due(self, now_us: int) -> list[Crossing]:
        """Every crossing that a tick at that time has to look at, and perhaps some others, by number."""
        names = set(self._alarms.past(now_us))
        if not names:
            return []
        return sorted([self._crossings[one] for one in names], key=lambda one: one.number)

    def _about(self, kind: str, pair: str, what: str, from_us: int, to_us: int) -> list[Crossing]:
        first, last = from_us // SLOT_US - 1, to_us // SLOT_US + 2
        by_place = self._by_place
        shelves = []
        found = by_place.get((kind, pair, what, None))
        if found:
            shelves.append(found)
        for slot in range(first, min(last, first + MAX_SLOTS + 2)):
            found = by_place.get((kind, pair, what, slot))
            if found:
                shelves.append(found)
        if len(shelves) > 1:
            ids: dict[str, None] = {}
            for one in shelves:
                ids.update(one)
            return self._these(ids)
        return self._these(shelves[0]) if shelves else []

    def _these(self, ids: Iterable[str]) -> list[Crossing]:
        crossings = self._crossings
        return [crossings[one] for one in ids]

    def _changed(self, key: str, old: msgspec.Struct | None, new: msgspec.Struct | None) -> None:
        kind = type(old if new is None else new)
        if kind is Crossing or kind is Packed:
            if isinstance(new, Packed):
                new = unpack(new)
            self._crossing_changed(
                self._crossings.get(key.removeprefix(_CROSSING)),
                new if isinstance(new, Crossing) else None,
            )
        elif kind is Pending:
            self._waiting = self._waiting_for = None
            self._pending.pop(key, None)
            if isinstance(new, Pending):
                self.newest = max(self.newest, new.word.key)
                self._pending[key] = new
        elif kind is GatewayHealth:
            self._gateways.pop(key, None)
            if isinstance(new, GatewayHealth):
                self._gateways[key] = new
        elif kind is Watched:
            name = key.removeprefix(watched_key(""))
            self._watched.pop(name, None)
            if isinstance(new, Watched):
                self._watched[name] = new
        elif kind is Clock and key == CLOCK_KEY:
            self.clock = new if isinstance(new, Clock) else Clock()
            self._alarms.renew(self.clock.now_us, self._crossings.get)

    def _crossing_changed(self, old: Crossing | None, new: Crossing | None) -> None:
        if old is not None and (new is None or old.closed != new.closed):
            for shelf in (self._crossings, self._open, self._closed):
                shelf.pop(old.crossing_id, None)
        if new is None:
            if old is not None:
                self._alarms.drop(old.crossing_id)
                self._leave(old.crossing_id, places(old))
            return
        name = new.crossing_id
        self._crossings[name] = new
        (self._closed if new.closed else self._open)[name] = new
        self._alarms.put(new)
        if old is None:
            self.newest = max(self.newest, newest_of(new))
            self._enter(name, places(new))
            return
        if (
            old.rulings is not new.rulings
            or old.keyed is not new.keyed
            or (old.corrected is not new.corrected)
            or old.heard is not new.heard
        ):
            self.newest = max(self.newest, newest_of(new))
        if old.heard is not new.heard:
            self._move(old, new)
        if old.trip != new.trip or old.use is not new.use or old.keyed is not new.keyed:
            before, after = _named_places(old), _named_places(new)
            self._leave(name, before - after)
            self._enter(name, after - before)

    def _move(self, old: Crossing, new: Crossing) -> None:
        """Only the places of stays that differ are looked at: a crossing changes with each of its events."""
        was, now = {id(one) for one in old.heard}, {id(one) for one in new.heard}
        before = {
            place for one in old.heard if id(one) not in now for place in stay_places(one, old.pair)
        }
        after = {
            place for one in new.heard if id(one) not in was for place in stay_places(one, new.pair)
        }
        left = before - after
        if left:
            for one in new.heard:
                if id(one) in was:
                    left.difference_update(stay_places(one, new.pair))
            self._leave(new.crossing_id, left)
        self._enter(new.crossing_id, after - before)

    def _enter(self, name: str, found: Iterable[Place]) -> None:
        for place in found:
            self._by_place[place][name] = None

    def _leave(self, name: str, found: Iterable[Place]) -> None:
        for place in found:
            there = self._by_place.get(place)
            if there is not None:
                there.pop(name, None)
                if not there:
                    del self._by_place[place]


def newest_of(crossing: Crossing) -> Key:
    """The place of its last stay or word."""
    newest = crossing.heard[-1].key if crossing.heard else (-1, "", "")
    for words in (crossing.rulings, crossing.keyed, crossing.corrected):
        for word in words:
            if word.at_us + SLACK_US >= newest[0]:
                newest = max(newest, word.key)
    return newest


def places(crossing: Crossing) -> set[Place]:
    """Everything by which the crossing can be found."""
    found = _named_places(crossing)
    for heard in crossing.heard:
        found.update(stay_places(heard, crossing.pair))
    return found


def _named_places(crossing: Crossing) -> set[Place]:
    found: set[Place] = set()
    if crossing.trip is not None:
        found.add(("trip", crossing.trip))
    if crossing.use is not None:
        found.add(("trip", crossing.use.trip))
    for word in crossing.keyed:
        found.add(("keyed", word.subject))
    return found


def stay_places(heard: Heard, pair: str) -> list[Place]:
    """Everything by which a stay can be found."""
    found: list[Place] = [("who", heard.who), ("token", heard.token)]
    at_booth = heard.position in BOOTH
    for slot in _slots(heard):
        found.append(("point", pair, heard.read_point, slot))
        if at_booth:
            found.append(("booth", pair, heard.lane, slot))
    return found


def _slots(heard: Heard) -> Iterable[int | None]:
    if not heard.gone:
        return _STILL_THERE
    first, last = heard.first_us // SLOT_US, heard.last_us // SLOT_US
    if first == last:
        return (first,)
    return range(first, last + 1) if last - first < MAX_SLOTS else _STILL_THERE


_STILL_THERE: Final = (None,)
