"""From a filing and the trip so far to the trip as it is from now on, or to why the filing is refused."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from schemas.message import Id
from schemas.ports import Port
from schemas.reference import Finding, Trip, TripTrailer
from schemas.trips import TripFiling
from stream.identifiers.customs import pairs_of_code
from stream.trips.check import MAX_FINDINGS, check_filing, entered_country
from stream.trips.rows import EXPIRY_US, PastTrip, TripRow
from stream.trips.uses import used_at, with_uses
from stream.trips.versions import followed_by
from stream.trips.zones import zone

#: Filings of a trip that are remembered, so that one that comes again is nothing new.
MAX_FILINGS: Final = 16

#: A trip above this size would not fit into the notices about it.
MAX_TRIP_BYTES: Final = 262_144

Unresolved = Literal["driver", "passenger", "truck", "trailer"]


class Refusal(str):
    """Why a filing is refused: `word: details`. The words stand in docs/stream.md."""

    __slots__ = ()


def accept(
    row: TripRow | PastTrip | None, filing: TripFiling, ports: Mapping[str, Port]
) -> TripRow | Refusal | None:
    """The row after a filing; a `Refusal`; None when the same filing was taken before.

    Amendable are port, time of arrival on the same day, truck, trailers, persons and seals. Another trip
    number, day, shipment or (unverified) carrier and direction needs a cancellation and a new filing
    (BorderConnect's guide for ACE and ACI).
    """
    if isinstance(row, TripRow) and filing.filing_id in row.filing_ids:
        return None
    verdict = check_filing(filing, ports)
    if verdict.refused is not None:
        return Refusal(verdict.refused)
    refusal = _out_of_place(row, filing)
    if refusal is not None:
        return refusal
    if row is None:
        trip = _trip(filing, verdict.findings)
        return _fitting(TripRow(trip=trip, filing_ids=(filing.filing_id,)))
    if not isinstance(row, TripRow):
        raise TypeError("a number that was used up takes no filing")
    return _next(row, filing, verdict.findings, ports)


def _out_of_place(row: TripRow | PastTrip | None, filing: TripFiling) -> Refusal | None:
    """Whether the trip is in a state in which this filing cannot be taken."""
    if isinstance(row, PastTrip):
        return Refusal("duplicate: the trip number was used before")
    if row is None:
        return (
            None
            if filing.action == "file"
            else Refusal(f"unknown_trip: nothing to {filing.action}")
        )
    trip = row.trip
    if filing.action == "file" and trip.status != "cancelled":
        return Refusal(f"duplicate: the trip is already on file in version {trip.version}")
    if filing.version <= trip.version:
        return Refusal(f"stale: version {filing.version} comes after version {trip.version}")
    return None if filing.action == "file" else _not_amendable(trip, filing)


def _not_amendable(trip: Trip, filing: TripFiling) -> Refusal | None:
    """Whether it is too late for an amendment or a cancellation, by when the authority took it."""
    if trip.status == "cancelled":
        return Refusal("not_amendable: the trip is cancelled; file it again")
    taken_us = accepted_us(filing)
    if taken_us > trip.eta_us + EXPIRY_US:
        return Refusal("not_amendable: more than 24 h after its ETA the trip has expired")
    used_us = used_at(trip, trip.uses)
    if used_us is not None and taken_us > used_us:
        return Refusal("not_amendable: a crossing has used the trip")
    return None


def _next(
    row: TripRow, filing: TripFiling, findings: tuple[Finding, ...], ports: Mapping[str, Port]
) -> TripRow | Refusal:
    old = row.trip
    if filing.action == "cancel":
        new = replace(
            old,
            version=filing.version,
            filed_at_us=filing.filed_at_us,
            accepted_at_us=accepted_us(filing),
            status="cancelled",
        )
    else:
        new = _trip(filing, findings)
        if filing.action == "amend":
            changed = _fixed(old, new, filing, ports)
            if changed is not None:
                return Refusal(f"not_amendable: {changed}; cancel the trip and file it again")
    if new.accepted_at_us < old.accepted_at_us:
        odd = Finding(
            code="accepted_out_of_order",
            path="accepted_at_us",
            detail="accepted before the version that it follows; taken as at the same time",
        )
        findings = (*new.findings, odd)[:MAX_FINDINGS]
        new = replace(new, accepted_at_us=old.accepted_at_us, findings=findings)
    new = with_uses(followed_by(old, new), old.uses)
    filings = (*row.filing_ids, filing.filing_id)[-MAX_FILINGS:]
    return _fitting(replace(row, trip=new, filing_ids=filings))


def _fixed(old: Trip, new: Trip, filing: TripFiling, ports: Mapping[str, Port]) -> str | None:
    """What an amendment changes although it cannot."""
    if new.direction != old.direction:
        return f"the direction is {old.direction}"
    if new.carrier != old.carrier:
        return "another carrier"
    before = {shipment.control_number for shipment in old.shipments}
    after = {shipment.control_number for shipment in new.shipments}
    if before != after:
        parts = [f"without {one[:40]!r}" for one in sorted(before - after)[:3]]
        parts += [f"with {one[:40]!r}" for one in sorted(after - before)[:3]]
        return f"other shipments ({', '.join(parts)})"
    there = _zone(filing, ports)
    days = [_day(trip.eta_us, there) for trip in (old, new)]
    return None if days[0] == days[1] else f"the ETA moves from {days[0]} to {days[1]}"


def _zone(filing: TripFiling, ports: Mapping[str, Port]) -> tzinfo:
    """The time zone of the port of arrival; UTC while the port is not known."""
    entered = entered_country(filing)
    for pair in pairs_of_code(filing.port_code or "", entered, ports):
        port = ports[pair]
        return zone(port.us_timezone if entered == "US" else port.other_timezone)
    return UTC


def _day(at_us: int, there: tzinfo) -> str:
    try:
        return datetime.fromtimestamp(at_us // 1_000_000, there).date().isoformat()
    except (ValueError, OverflowError, OSError):
        return f"@{at_us}"


def accepted_us(filing: TripFiling) -> int:
    """When a filing was taken by the authority."""
    return filing.filed_at_us if filing.accepted_at_us is None else filing.accepted_at_us


def _trip(filing: TripFiling, findings: tuple[Finding, ...]) -> Trip:
    """The trip that a filing declares; the filing was checked."""
    if not (filing.carrier and filing.port_code and filing.direction and filing.eta_us):
        raise TypeError("the filing was not checked")
    drivers = _ids(one.id for one in filing.drivers)
    passengers = tuple(
        one for one in _ids(one.id for one in filing.passengers) if one not in drivers
    )
    trailers = {
        one.id: TripTrailer(trailer=one.id, seals=one.seals, load=one.load)
        for one in filing.trailers
        if one.id is not None
    }
    return Trip(
        trip_number=filing.trip_number,
        version=filing.version,
        carrier=filing.carrier,
        carrier_code=filing.carrier_code,
        port_code=filing.port_code,
        direction=filing.direction,
        eta_us=filing.eta_us,
        filed_at_us=filing.filed_at_us,
        accepted_at_us=accepted_us(filing),
        drivers=drivers,
        passengers=passengers,
        truck=None if filing.truck is None else filing.truck.id,
        truck_vin=None if filing.truck is None else filing.truck.vin,
        trailers=tuple(trailers.values()),
        shipments=filing.shipments,
        unresolved=_unresolved(filing),
        findings=findings,
    )


def _unresolved(filing: TripFiling) -> tuple[Unresolved, ...]:
    found: list[Unresolved] = ["driver" for one in filing.drivers if one.id is None]
    found += ["passenger" for one in filing.passengers if one.id is None]
    found += ["truck"] if filing.truck is not None and filing.truck.id is None else []
    found += ["trailer" for one in filing.trailers if one.id is None]
    return tuple(found)


def _ids(ids: Iterable[Id | None]) -> tuple[Id, ...]:
    return tuple(dict.fromkeys(one for one in ids if one is not None))


def _fitting(row: TripRow) -> TripRow | Refusal:
    size = len(msgspec.msgpack.encode(replace(row.trip, history=())))
    if size > MAX_TRIP_BYTES:
        return Refusal(f"too_large: {size} bytes as a trip, at most {MAX_TRIP_BYTES}")
    return row
