"""Which crossing a stay belongs to, looking only at what comes before it in the order of grouping.

In this order: the crossing whose trip declares the card's holder; the one that already holds a card of the
holder; at a read point of a single lane, the one whose stays there are next to this one in time and which
would not get a second truck; else a new one. A glimpse never comes here. A vehicle on its way back is still
the crossing that was refused or turned round.
"""

from collections.abc import Iterable
from typing import Final

from schemas.message import Direction
from schemas.reference import Trip
from stream.lanes.due import AFTER_END_US, MATCH_US
from stream.lanes.past import Past, past_of
from stream.lanes.rows import HOUR, SECOND, Crossing, Heard, Key
from stream.lanes.world import World
from stream.reference import Reference, declared

#: Sightings of one rolling vehicle at a read point are at most this far apart.
BESIDE_US: Final = 5 * SECOND
#: The same for a vehicle that stands there.
BESIDE_STOPPED_US: Final = 15 * SECOND
#: A vehicle that was refused or turned round may come back through the other direction's lanes for this long.
WAY_BACK_US: Final = 6 * HOUR

#: Ends after which a vehicle comes back.
SENT_BACK: Final = ("refused", "turned_back", "withdrawn", "u_turn")

#: A trip is a candidate from this long before its declared arrival to that long after it.
TRIP_EARLY_US: Final = 12 * HOUR
TRIP_LATE_US: Final = 24 * HOUR


def choose(world: World, pair: str, stay: Heard) -> Crossing | None:
    """The crossing that the stay joins; None when it opens one, or is itself the first stay of one."""
    key = stay.key
    trips = trips_for(world, stay.who, stay.direction, stay.first_us)
    found = _by_trip(world, pair, stay, trips, key) if trips else None
    if found is None:
        found = _by_holder(world, pair, stay, key)
    if found is not None:
        return found.crossing
    if is_group(world.reference, pair, stay.lane):
        return None
    beside = _beside(world, pair, stay, trips)
    return None if beside is None else beside.crossing


def fits(past: Past, stay: Heard) -> bool:
    """Whether the stay's time and direction allow it to belong to the crossing."""
    if _second_truck(past, stay):
        return False
    end, at_us = past.end, stay.first_us
    if stay.direction == past.heard[0].direction:
        return at_us <= (past.last_us + MATCH_US if end is None else end.at_us + AFTER_END_US)
    if stay.direction[:2] != past.heard[0].direction[3:] or stay.untrusted:
        return False
    if end is not None:
        return end.how in SENT_BACK and at_us <= end.at_us + WAY_BACK_US
    return past.undecided and at_us <= past.last_us + MATCH_US


def is_group(reference: Reference, pair: str, lane: str) -> bool:
    """Whether the name is a group of lanes rather than one."""
    site = reference.site(pair)
    return site is not None and any(one.group == lane for one in site.lanes)


def trips_for(world: World, who: str, direction: Direction, at_us: int) -> list[Trip]:
    """Trips that declare the person, truck or trailer to come that way about that time."""
    trips = world.trips_of(who)
    if not trips:
        return trips
    return [
        trip
        for trip in trips
        if trip.direction == direction
        and trip.status != "cancelled"
        and trip.eta_us - TRIP_EARLY_US <= at_us <= trip.eta_us + TRIP_LATE_US
        and not _used_before(trip, at_us)
    ]


def is_beside(one: Heard, stay: Heard) -> int | None:
    """Microseconds between two stays at one read point; None when they are elsewhere or too far apart."""
    if one.read_point != stay.read_point or one.direction != stay.direction:
        return None
    stopped = stay.position in ("primary", "secondary")
    gap = max(
        one.first_us - stay.last_us if stay.gone else 0,
        stay.first_us - one.last_us if one.gone else 0,
        0,
    )
    return gap if gap <= (BESIDE_STOPPED_US if stopped else BESIDE_US) else None


def _by_trip(world: World, pair: str, stay: Heard, trips: list[Trip], key: Key) -> Past | None:
    pasts: dict[str, Past | None] = {}
    found: dict[str, Past] = {}
    for trip in trips:
        for thing in declared(trip):
            if thing == stay.who:
                continue
            for crossing in world.holding(thing):
                name = crossing.crossing_id
                if name in found:
                    continue
                if name not in pasts:
                    past = _past(crossing, pair, key)
                    pasts[name] = past if past is not None and fits(past, stay) else None
                past = pasts[name]
                if past is not None and _holds(past, thing):
                    found[name] = past
    return _latest(found.values()) if found else None


def _by_holder(world: World, pair: str, stay: Heard, key: Key) -> Past | None:
    found = []
    for crossing in world.holding(stay.who):
        past = _past(crossing, pair, key)
        if past is not None and _holds(past, stay.who) and fits(past, stay):
            found.append(past)
    return _latest(found) if found else None


def _beside(world: World, pair: str, stay: Heard, trips: list[Trip]) -> Past | None:
    near = []
    for crossing in world.heard_at(pair, stay):
        past = _past(crossing, pair, stay.key)
        if past is None:
            continue
        gaps = [gap for one in past.heard if (gap := is_beside(one, stay)) is not None]
        if not gaps or not fits(past, stay):
            continue
        forward = stay.direction == past.heard[0].direction
        if forward and past.end is not None and stay.first_us > past.end.at_us:
            continue
        if _declared_elsewhere(world, past, stay, trips):
            continue
        near.append((min(gaps), past))
    if not near:
        return None
    smallest = min(gap for gap, _ in near)
    return _latest(past for gap, past in near if gap == smallest)


def _past(crossing: Crossing, pair: str, key: Key) -> Past | None:
    if crossing.pair != pair or (
        max(crossing.last_us, crossing.ended_at_us or 0) + WAY_BACK_US < key[0]
    ):
        return None
    return past_of(crossing, key)


def _holds(past: Past, who: str) -> bool:
    return who in [one.who for one in past.heard]


def _second_truck(past: Past, stay: Heard) -> bool:
    who = stay.who
    if not who.startswith("truck:"):
        return False
    return any(one.who != who and one.who.startswith("truck:") for one in past.heard)


def _declared_elsewhere(world: World, past: Past, stay: Heard, trips: list[Trip]) -> bool:
    """Whether a trip expects the card's holder, and the crossing belongs to other trips."""
    if not trips:
        return False
    expected = {trip.trip_number for trip in trips}
    theirs = {
        trip.trip_number
        for who in {one.who for one in past.heard}
        for trip in trips_for(world, who, stay.direction, stay.first_us)
    }
    return bool(theirs) and not expected & theirs


def _used_before(trip: Trip, at_us: int) -> bool:
    """Whether the trip was over before that moment."""
    if not trip.uses:
        return False
    return any(use.how == "used" and use.at_us + AFTER_END_US < at_us for use in trip.uses)


def _latest(found: Iterable[Past]) -> Past | None:
    return max(found, key=_opener, default=None)


def _opener(past: Past) -> Key:
    return past.opener
