"""What a crossing's arrival says about its trip: filed too late, or at another port than declared."""

from collections.abc import Mapping
from typing import Final

from schemas.message import Country
from schemas.ports import Port
from schemas.reference import Trip, Truck
from stream.identifiers.customs import pairs_of_code
from stream.trips.versions import on_file_since

MINUTE_US: Final = 60_000_000

#: Minutes before arrival by which a trip must be on file, while no policy says otherwise. US: 19 CFR 123.92
#: as the trade press reports it; Canada: the CBSA's ACI status guide. Mexico has no such limit.
FILING_LIMIT_MIN: Final[dict[Country, int]] = {"US": 60, "CA": 60}


def entered(trip: Trip) -> Country:
    """The country that a trip enters."""
    match trip.direction:
        case "CA>US" | "MX>US":
            return "US"
        case "US>CA":
            return "CA"
        case "US>MX":
            return "MX"


def late_minutes(trip: Trip, arrived_us: int | None, limit_min: int) -> int:
    """By how many minutes the trip was filed too late, begun ones counted; 0 when in time.

    `arrived_us`: the first read at the gate or later. None before that: then the ETA stands in for it, and
    the result is provisional. An amendment is not a new filing; a filing after a cancellation is.
    """
    arrival_us = trip.eta_us if arrived_us is None else arrived_us
    short_us = limit_min * MINUTE_US - (arrival_us - on_file_since(trip))
    return max(0, -(-short_us // MINUTE_US))


def vin_differs(trip: Trip, truck: Truck) -> bool:
    """Whether the filing has another VIN than the truck's row: the usual cause of an unpaid fee at the booth.

    Source: CBP's message CSMS 17-000729, as carriers' agents report it.
    """
    return None not in (trip.truck_vin, truck.vin) and trip.truck_vin != truck.vin


def port_flag(trip: Trip, pair: str, ports: Mapping[str, Port]) -> str | None:
    """`port_mismatch`, `port_unverified` or None, for a trip whose vehicle is at a port pair.

    A wrong port is said only where both sides are known: the table has the declared code, and the pair has a
    verified code of its own. Some codes mean two pairs; none of them is wrong.
    """
    port = ports.get(pair)
    if port is None:
        return None
    country = entered(trip)
    into_us = country == "US"
    own = port.us_port_code if into_us else port.other_office_code
    verified = into_us or port.other_code_verified
    if verified and own == trip.port_code:
        return None
    meant = pairs_of_code(trip.port_code, country, ports)
    if own is None or not meant or not verified:
        return "port_unverified"
    return None if pair in meant else "port_mismatch"
