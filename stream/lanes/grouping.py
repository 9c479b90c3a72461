"""Which crossing a sighting belongs to.

In this order: the crossing whose trip declares the card's holder; the one that already holds the card; at a
read point of a single lane, the one whose sightings there are next to this one in time and which would not
get a second truck; else a new one. A glimpse never comes here.
"""

from collections.abc import Iterable
from typing import Final

from schemas.gate import Sighting
from schemas.reference import Credential
from stream.lanes.rows import Crossing, LanesState
from stream.reference import Reference

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND

#: Sightings of one rolling vehicle at a read point are at most this far apart.
BESIDE_US: Final = 5 * SECOND
#: The same for a vehicle that stands there.
BESIDE_STOPPED_US: Final = 15 * SECOND
#: After its last read a crossing waits this long for the next (FHWA-HOP-12-049: 120 min window).
MATCH_US: Final = 120 * MINUTE
#: After its end, sightings of the vehicle still belong to it for this long.
AFTER_END_US: Final = 10 * MINUTE


def find_crossing(
    state: LanesState, reference: Reference, sighting: Sighting, credential: Credential | None
) -> Crossing | None:
    """The crossing that the sighting joins, None when it opens one."""
    if credential is not None:
        declaring = (
            crossing
            for trip in reference.trips_declaring((credential.holder,))
            for crossing in state.joined_with(trip.trip_number)
        )
        found = _latest(crossing for crossing in declaring if fits(crossing, sighting))
        if found is not None:
            return found
    subject = sighting.token if credential is None else credential.credential_id
    held = _latest(crossing for crossing in state.holding(subject) if fits(crossing, sighting))
    if held is not None or is_group(reference, sighting):
        return held
    truck = credential is not None and credential.kind == "truck_tag"
    beside = [
        (gap, crossing)
        for crossing in state.heard_at(sighting.pair, sighting.read_point, sighting.first_us)
        if (crossing.ended_at_us is None or sighting.first_us <= crossing.ended_at_us)
        and fits(crossing, sighting)
        and (gap := _gap(crossing, sighting)) is not None
        and not (truck and has_truck(crossing, reference))
        and not _declared_elsewhere(crossing, reference, credential)
    ]
    return (
        min(beside, key=lambda pair: (pair[0], -pair[1].first_us, pair[1].crossing_id))[1]
        if beside
        else None
    )


def fits(crossing: Crossing, sighting: Sighting) -> bool:
    """Whether the sighting's time and direction allow it to belong to the crossing."""
    if crossing.pair != sighting.pair or crossing.direction != sighting.direction:
        return False
    if crossing.ended_at_us is not None:
        until = crossing.ended_at_us + AFTER_END_US
    else:
        until = crossing.last_us + MATCH_US
    return crossing.first_us - MATCH_US <= sighting.first_us <= until


def has_truck(crossing: Crossing, reference: Reference) -> bool:
    """Whether a truck tag was heard in the crossing."""
    return any(
        (credential := reference.credential(heard.token)) is not None
        and credential.kind == "truck_tag"
        for heard in crossing.heard
    )


def is_group(reference: Reference, sighting: Sighting) -> bool:
    """Whether the read point hears a group of lanes rather than one."""
    site = reference.site(sighting.pair)
    return site is not None and any(lane.group == sighting.lane for lane in site.lanes)


def _declared_elsewhere(
    crossing: Crossing, reference: Reference, credential: Credential | None
) -> bool:
    """Whether a trip on file expects the card's holder, and the crossing belongs to another trip."""
    if credential is None or crossing.trip is None:
        return False
    trips = reference.trips_declaring((credential.holder,))
    on_file = [trip.trip_number for trip in trips if trip.status == "on_file"]
    return bool(on_file) and crossing.trip not in on_file


def _gap(crossing: Crossing, sighting: Sighting) -> int | None:
    """Microseconds between the sighting and the crossing's nearest one there; None when too far."""
    stopped = sighting.position in ("primary", "secondary")
    allowed = BESIDE_STOPPED_US if stopped else BESIDE_US
    gaps = [
        max(
            heard.first_us - sighting.last_us,
            sighting.first_us - heard.last_us if heard.gone else 0,
            0,
        )
        for heard in crossing.heard
        if heard.read_point == sighting.read_point
    ]
    nearest = min(gaps, default=allowed + 1)
    return nearest if nearest <= allowed else None


def _latest(crossings: Iterable[Crossing]) -> Crossing | None:
    return max(
        crossings, key=lambda crossing: (crossing.first_us, crossing.crossing_id), default=None
    )
