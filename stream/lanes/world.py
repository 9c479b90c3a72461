"""The crossings of a partition while a step changes them: the state with the step's own changes laid over it."""

from collections.abc import Iterator
from typing import Any

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
        if len(self._over) < 2:
            return iter(list(self._over.values()))
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

    def put(self, crossing: Crossing, **changes: Any) -> Crossing:
        """Keep the crossing, changed, with its stays in order and everything that follows from the evidence."""
        normal = normalised(crossing, self.reference, changes)
        self._over[crossing.crossing_id] = normal
        newest = newest_of(normal)
        self._newest = max(self._newest, newest)
        return normal

    def grow(
        self, crossing: Crossing, heard: tuple[Heard, ...], last_us: int, at_us: int
    ) -> Crossing:
        """Keep the crossing with a longer stay, from which nothing follows but that (`grows_quietly`)."""
        now = self._over[crossing.crossing_id] = replace(
            crossing,
            heard=heard,
            last_us=max(crossing.last_us, last_us),
            at_us=max(crossing.at_us, at_us),
        )
        return now

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
        for name, crossing in over.items():
            for one in found:
                if one.crossing_id == name:
                    break
            else:
                now.append(crossing)
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

    def pending_for(self, lane: str | None) -> list[Pending]:
        """Those about a lane as the step stands; None: those that name a crossing, or nothing."""
        if not self._pending:
            return self.state.pending_for(lane)
        return [
            one
            for one in self.pending()
            if (None if one.word.named is not None else one.word.lane) == lane
        ]

    def set_pending(self, event_id: str, row: Pending | None) -> None:
        """A word has no crossing (any more), or has one."""
        if row is not None:
            self._newest = max(self._newest, row.word.key)
        self._pending[event_id] = row

    def take_pending_changes(self) -> list[tuple[str, Pending | None]]:
        """What this step has changed about words without a crossing since the last call."""
        return list(self._pending.items())


def normalised(
    crossing: Crossing, reference: Reference, changes: dict[str, Any] | None = None
) -> Crossing:
    """The crossing, changed, with its stays in order, and the direction, times and end that follow from them."""
    changes = changes or {}
    heard, crowded = ordered(changes.get("heard", crossing.heard))
    at_us = changes.get("at_us", crossing.at_us)
    rulings = changes.get("rulings", crossing.rulings)
    direction = heard[0].direction if heard else crossing.direction
    began_us = heard[0].first_us if heard else at_us
    in_motion = releases_in_motion(reference, crossing.pair, direction, began_us)
    end = end_of(heard, rulings, direction, in_motion=in_motion)
    changes |= {
        "heard": heard,
        "crowded": crossing.crowded or crowded,
        "direction": direction,
        "in_motion": in_motion,
        "first_us": began_us,
        "last_us": max([one.last_us for one in heard]) if heard else at_us,
        "how": None if end is None else end.how,
        "ended_at_us": None if end is None else end.at_us,
    }
    return replace(crossing, **changes)
