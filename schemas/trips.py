"""Topic `trip-filings`: e-manifests as carriers file them, and what crossings made of the trips.

Both stand in one topic under the trip number, so that the trips stage has one input and one order for each
trip. Fields and forms follow the JSON of a public ACE and ACI filing service (BorderConnect's examples).
"""

from typing import Annotated, Literal

import msgspec

from schemas.message import Direction, Id, Message, Micros, Part
from schemas.reference import Plate, Shipment

Identifier = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
"""A number as it was filed; whether it is one is checked later, so that a wrong one can be shown."""


class DeclaredPerson(Part, frozen=True, kw_only=True):
    """A driver or passenger: by id, or by the id of a card. Never by name: filings hold no personal data."""

    #: `person:` id.
    id: Id | None = None
    credential_id: Id | None = None


class DeclaredTruck(Part, frozen=True, kw_only=True):
    """The truck: by id, or by what is written on it."""

    #: `truck:` id.
    id: Id | None = None
    vin: Identifier | None = None
    plate: Plate | None = None


class DeclaredTrailer(Part, frozen=True, kw_only=True):
    """A trailer or container: by id, or by what is written on it, and what the filing says of its load."""

    #: `trailer:` id.
    id: Id | None = None
    plate: Plate | None = None
    #: ISO 6346 number of a container on wheels.
    container: Identifier | None = None
    seals: tuple[Id, ...] = ()
    load: Literal["loaded", "empty", "unknown"] = "unknown"


class TripFiling(Message, frozen=True, kw_only=True, tag="trip_filing"):
    """A trip as filed, amended or cancelled. A cancellation needs the trip number alone."""

    v: Literal[1] = 1
    #: One an attempt to file: the same id again is the same filing again.
    filing_id: Id
    trip_number: Id
    action: Literal["file", "amend", "cancel"]
    #: Counts up with each filing of a trip.
    version: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1
    filed_at_us: Micros
    #: When the authority took it. None: when it was filed.
    accepted_at_us: Micros | None = None
    carrier: Id | None = None
    #: SCAC (US) or carrier code of the CBSA; trip and cargo control numbers begin with it.
    carrier_code: Identifier | None = None
    #: The port of arrival, in the code of the country that the trip enters.
    port_code: Identifier | None = None
    direction: Direction | None = None
    eta_us: Micros | None = None
    drivers: tuple[DeclaredPerson, ...] = ()
    passengers: tuple[DeclaredPerson, ...] = ()
    truck: DeclaredTruck | None = None
    trailers: tuple[DeclaredTrailer, ...] = ()
    shipments: tuple[Shipment, ...] = ()
    #: `IdCCP` of a Mexican Carta Porte.
    carta_porte: Identifier | None = None


class TripUse(Message, frozen=True, kw_only=True, tag="trip_use"):
    """What a crossing made of a trip, as the lanes stage says it."""

    v: Literal[1] = 1
    trip_number: Id
    crossing_id: Id
    pair: Id
    #: `used`: it entered under it. `diverted`: it left the pair and the trip goes on elsewhere.
    #: `released`: the crossing has nothing to do with the trip any more.
    how: Literal["used", "diverted", "released"]
    #: Counts up with what a crossing says of the trip; the highest one counts.
    revision: Annotated[int, msgspec.Meta(ge=1)]
    #: When it happened.
    at_us: Micros
    #: The event that it follows from.
    source_event_id: Id
