"""What crossings made of a trip: a pure function of the last that each of them said."""

from typing import Final

from msgspec.structs import replace

from schemas.reference import Trip, TripStatus, TripUsed
from schemas.trips import TripUse
from stream.trips.rows import TripRow
from stream.trips.versions import as_of

#: Crossings that a trip remembers; more than two are a mistake somewhere.
MAX_USES: Final = 16


def use(row: TripRow, said: TripUse) -> TripRow:
    """The row after a crossing's word; the same row when that is not newer than what it said before."""
    before = {one.crossing_id: one for one in row.said}
    last = before.get(said.crossing_id)
    if last is not None and said.revision <= last.revision:
        return row
    if last is None and len(before) >= MAX_USES:
        return row
    before[said.crossing_id] = said
    every = tuple(sorted(before.values(), key=lambda one: (one.at_us, one.crossing_id)))
    uses = uses_of(every)
    used_us = used_at(row.trip, uses)
    before_use = None if used_us is None else as_of(row.trip, used_us)
    # Versions that were accepted after the use would be refused had they come now.
    trip = with_uses(before_use or row.trip, uses)
    return replace(row, trip=trip, said=every)


def uses_of(said: tuple[TripUse, ...]) -> tuple[TripUsed, ...]:
    """Uses and diversions in force, in order of time."""
    found = []
    for one in said:
        match one.how:
            case "used" | "diverted" as how:
                found.append(
                    TripUsed(crossing_id=one.crossing_id, pair=one.pair, how=how, at_us=one.at_us)
                )
            case "released":
                pass
    return tuple(found)


def with_uses(trip: Trip, uses: tuple[TripUsed, ...]) -> Trip:
    """The trip with these uses; the earliest that counts has it. A cancelled trip stays cancelled."""
    used_by = next((one.crossing_id for one in uses if _counts(trip, one)), None)
    status: TripStatus = trip.status
    if status != "cancelled":
        status = "on_file" if used_by is None else "used"
    return replace(trip, uses=uses, used_by=used_by, status=status)


def used_at(trip: Trip, uses: tuple[TripUsed, ...]) -> int | None:
    """When the trip was used; None when it was not."""
    return next((one.at_us for one in uses if _counts(trip, one)), None)


def _counts(trip: Trip, one: TripUsed) -> bool:
    """Whether it uses the trip: not while it was cancelled."""
    if one.how != "used":
        return False
    then = as_of(trip, one.at_us)
    return then is None or then.status != "cancelled"
