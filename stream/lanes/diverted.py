"""Whether a vehicle left for another port: its trip was used there while nobody decided here."""

from typing import NamedTuple

from stream.lanes.grouping import TRIP_LATE_US
from stream.lanes.join import Joined
from stream.lanes.rows import Crossing
from stream.reference import Reference


class Diverted(NamedTuple):
    """When and with which trip."""

    at_us: int
    trip: str


def diverted(crossing: Crossing, joined: Joined, reference: Reference) -> Diverted | None:
    """The first use of its trip at another pair, None when there was none."""
    if crossing.rulings or crossing.merged_into is not None:
        return None
    holders = {one.credential.holder for one in joined.known if one.credential is not None}
    found = [
        Diverted(use.at_us, trip.trip_number)
        for trip in reference.trips_ever_declaring(holders)
        if trip.direction == crossing.direction
        for use in trip.uses
        if use.how == "used"
        and use.pair != crossing.pair
        and use.crossing_id != crossing.crossing_id
        and crossing.first_us <= use.at_us <= crossing.last_us + TRIP_LATE_US
    ]
    return min(found, default=None)
