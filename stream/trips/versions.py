"""A trip as it was at a moment: its history, and which version a crossing may count on."""

from typing import Final

import msgspec
from msgspec.structs import replace

from schemas.message import DerivedMicros, Micros
from schemas.reference import Shipment, Trip, TripVersion

#: Earlier versions that a trip keeps, and what they may weigh, in bytes.
MAX_HISTORY: Final = 20
MAX_HISTORY_BYTES: Final = 131_072


def version_of(trip: Trip) -> TripVersion:
    """What a trip says now, as an entry of its history."""
    return TripVersion(
        version=trip.version,
        accepted_at_us=trip.accepted_at_us,
        filed_at_us=trip.filed_at_us,
        status="cancelled" if trip.status == "cancelled" else "on_file",
        port_code=trip.port_code,
        direction=trip.direction,
        eta_us=trip.eta_us,
        drivers=trip.drivers,
        passengers=trip.passengers,
        truck=trip.truck,
        truck_vin=trip.truck_vin,
        trailers=trip.trailers,
    )


def followed_by(trip: Trip, after: Trip) -> Trip:
    """`after` with the history of `trip` and `trip` itself at its end; the oldest go when there are many."""
    last = version_of(trip)
    if trip.shipments != after.shipments:
        last = replace(last, shipments=trip.shipments)
    history = (*trip.history, last)
    kept = history[-MAX_HISTORY:]
    while len(msgspec.msgpack.encode(kept)) > MAX_HISTORY_BYTES:
        kept = kept[1:]
    cut = trip.history_cut or len(kept) < len(history)
    return replace(after, history=kept, history_cut=cut)


def as_of(trip: Trip, at_us: DerivedMicros) -> Trip | None:
    """The trip in the version accepted last at or before a moment, with the history up to there.

    None when nothing was accepted by then, and when what was is no longer kept. Status and uses of the
    result are those of the version: `on_file` or `cancelled`, used by nobody.
    """
    if trip.accepted_at_us <= at_us:
        return trip
    shipments: tuple[Shipment, ...] = trip.shipments
    for at in range(len(trip.history) - 1, -1, -1):
        old = trip.history[at]
        shipments = shipments if old.shipments is None else old.shipments
        if old.accepted_at_us > at_us:
            continue
        return replace(
            trip,
            version=old.version,
            accepted_at_us=old.accepted_at_us,
            filed_at_us=old.filed_at_us,
            status=old.status,
            port_code=old.port_code,
            direction=old.direction,
            eta_us=old.eta_us,
            drivers=old.drivers,
            passengers=old.passengers,
            truck=old.truck,
            truck_vin=old.truck_vin,
            trailers=old.trailers,
            shipments=shipments,
            history=trip.history[:at],
            used_by=None,
            uses=(),
        )
    return None


def usable_by(trip: Trip, crossing_id: str, ended_at_us: DerivedMicros | None) -> Trip | None:
    """The version that a crossing may count on: on file by its end, and used by no other crossing.

    What is accepted after the end of a crossing changes nothing about it, whenever it is delivered. Whether
    a trip has expired does not matter: no crossing that it fits begins after that.
    """
    if trip.used_by is not None and trip.used_by != crossing_id:
        return None
    found = trip if ended_at_us is None else as_of(trip, ended_at_us)
    return None if found is None or found.status == "cancelled" else found


def on_file_since(trip: Trip) -> Micros:
    """When the trip was accepted first, since it was cancelled last: what filing limits count from."""
    since = trip.accepted_at_us
    for old in reversed(trip.history):
        if old.status == "cancelled":
            break
        since = old.accepted_at_us
    return since
