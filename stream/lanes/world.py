"""The crossings of a partition while a step changes them: the state with the step's own changes laid over it."""

from collections.abc import Iterator

from msgspec.structs import replace

from schemas.ids import crossing_id
from schemas.reference import Trip
from stream.lanes.ends import end_of
from stream.lanes.heard import ordered
from stream.lanes.rows import Clock, Crossing, Heard, Key, Pending
from stream.lanes.shelves import LanesState, newest_of
from stream.lanes.switches import releases_in_motion
from stream.reference import Reference


class World:
    """Look up and put crossings. Every crossing in it is normal: see `put`."""

    def __init__(self, state: LanesState, reference: Reference) -> None:
        """Nothing is changed yet."""
        self.state = state
        self.reference = reference
        self._over: dict[str, Crossing] = {}
        self._pending: dict[str, Pending | None] = {}
        self._newest = state.newest
        self._trips: dict[str, list[Trip]] = {}
        self.opened = state.clock.opened

    @property
    def clock(self) -> Clock:
        """The partition's clock as it was before this step."""
        return self.state.clock

    @property
    def newest(self) -> Key:
        """A place in the order after which nothing is known."""
        return self._newest

    def changed(self) -> Iterator[Crossing]:
        """Crossings that this step has put, in the order of their numbers."""
        return iter(sorted(self._over.values(), key=lambda one: one.number))

    def get(self, crossing_id: str) -> Crossing | None:
        """A crossing by its id."""
        return self._over.get(crossing_id) or self.state.crossing(crossing_id)

    def standing(self, crossing_id: str) -> Crossing | None:
        """The crossing, or the one that it was merged into."""
        found = self.get(crossing_id)
        for _ in range(16):
            if found is None or found.merged_into is None:
                return found
            found = self.get(found.merged_into)
        return None

    def was_published(self, crossing_id: str) -> bool:
        """Whether the crossing existed before this step."""
        return self.state.crossing(crossing_id) is not None

    def put(self, crossing: Crossing) -> Crossing:
        """Keep the crossing with its stays in order and everything that follows from the evidence."""
        normal = normalised(crossing, self.reference)
        self._over[crossing.crossing_id] = normal
        self._newest = max(self._newest, newest_of(normal))
        return normal

    def put_settled(self, crossing: Crossing) -> None:
        """Keep a crossing that is normal already."""
        self._over[crossing.crossing_id] = crossing

    def drop(self, crossing_id: str) -> None:
        """Forget a crossing that this step opened."""
        self._over.pop(crossing_id, None)

    def open(self, pair: str, heard: Heard, event_id: str) -> Crossing:
        """A new crossing without stays, opened by the event."""
        self.opened += 1
        name = event_id
        times = 1
        while self.get(crossing_id(pair, name)) is not None:
            times += 1
            name = f"{event_id}|{times}"
        return Crossing(
            crossing_id=crossing_id(pair, name),
            pair=pair,
            number=self.opened,
            direction=heard.direction,
            lane=heard.lane,
            at_us=0,
        )

    # ---- looking for crossings

    def trips_of(self, who: str) -> list[Trip]:
        """Every trip that declares the person, truck or trailer."""
        found = self._trips.get(who)
        if found is None:
            found = self._trips[who] = self.reference.trips_declaring((who,))
        return found

    def holding(self, who: str) -> list[Crossing]:
        """Crossings in which a card of the holder (or the unknown token) may have been heard."""
        return self._now(self.state.holding(who))

    def with_token(self, token: str) -> list[Crossing]:
        """Crossings in which the token may have been heard."""
        return self._now(self.state.with_token(token))

    def using(self, trip: str) -> list[Crossing]:
        """Crossings that may have been joined with the trip or used it."""
        return self._now(self.state.joined_with(trip))

    def heard_at(self, pair: str, heard: Heard) -> list[Crossing]:
        """Crossings that may have been heard at that read point about that time."""
        there = self.state.heard_at(pair, heard.read_point, heard.first_us, heard.last_us)
        return self._now(there)

    def at_booth(self, pair: str, lane: str, from_us: int, to_us: int) -> list[Crossing]:
        """Crossings that may have stood at the booth of that lane about that time."""
        return self._now(self.state.at_booth(pair, lane, from_us, to_us))

    def _now(self, found: list[Crossing]) -> list[Crossing]:
        over = self._over
        if not over:
            return found
        now = [over.get(one.crossing_id, one) for one in found]
        ids = {one.crossing_id for one in found}
        now.extend([one for name, one in over.items() if name not in ids])
        return now

    # ---- words without a crossing

    def pending(self) -> list[Pending]:
        """Words that have no crossing as the step stands, by time."""
        if not self._pending:
            return self.state.pending()
        rows = {one.word.event_id: one for one in self.state.pending()}
        for event_id, row in self._pending.items():
            if row is None:
                rows.pop(event_id, None)
            else:
                rows[event_id] = row
        return sorted(rows.values(), key=lambda one: (one.word.at_us, one.word.event_id))

    def set_pending(self, event_id: str, row: Pending | None) -> None:
        """A word has no crossing (any more), or has one."""
        if row is not None:
            self._newest = max(self._newest, row.word.key)
        self._pending[event_id] = row

    def take_pending_changes(self) -> list[tuple[str, Pending | None]]:
        """What this step has changed about words without a crossing since the last call."""
        return list(self._pending.items())


def normalised(crossing: Crossing, reference: Reference) -> Crossing:
    """Stays in order, and the direction, times and end that follow from them."""
    heard, crowded = ordered(crossing.heard)
    direction = heard[0].direction if heard else crossing.direction
    began_us = heard[0].first_us if heard else crossing.at_us
    in_motion = releases_in_motion(reference, crossing.pair, direction, began_us)
    end = end_of(heard, crossing.rulings, direction, in_motion=in_motion)
    return replace(
        crossing,
        heard=heard,
        crowded=crossing.crowded or crowded,
        direction=direction,
        in_motion=in_motion,
        first_us=began_us,
        last_us=max((one.last_us for one in heard), default=crossing.at_us),
        how=None if end is None else end.how,
        ended_at_us=None if end is None else end.at_us,
    )
