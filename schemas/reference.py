"""Reference topics: who and what the tokens stand for, and what was declared for a trip.

Rows are bitemporal where it matters: `effective_from_us` says since when something holds,
`accepted_at_us` since when it is known. Compaction keeps the last value of a key, so a row carries
its own history.
"""

from typing import Annotated, Literal

import msgspec

from schemas.message import (
    Country,
    Direction,
    Id,
    Message,
    Micros,
    NoteText,
    Part,
    Position,
    SealedRest,
    SealedS92,
    Seconds,
)
from schemas.policy import AnyPolicy
from schemas.restricted import WatchListEntry

CredentialKind = Literal["driver_card", "truck_tag", "trailer_tag", "seal_tag"]
CredentialState = Literal["active", "lost", "stolen", "revoked", "expired", "suspended"]
LaneClass = Literal["fast", "general", "empty", "oversize"]


class CredentialStatus(Part, frozen=True, kw_only=True):
    """A status of a card or tag and the two times that belong to it."""

    state: CredentialState
    effective_from_us: Micros
    accepted_at_us: Micros


class Credential(Message, frozen=True, kw_only=True, tag="credential"):
    """One token of a card or tag. Several rows may share one `credential_id` (keys rotate)."""

    v: Literal[1] = 1
    token: Id
    credential_id: Id
    kind: CredentialKind
    #: `person:`, `truck:` or `trailer:` id.
    holder: Id
    programme: Id | None = None
    tier: Id | None = None
    tid_token: Id | None = None
    #: Oldest first; the last one is in force.
    statuses: tuple[CredentialStatus, ...] = ()
    expires_us: Micros | None = None


class Membership(Part, frozen=True, kw_only=True):
    """A party's membership in a trusted-trader programme, as one country keeps it."""

    programme: Id
    country: Country
    state: Literal["member", "suspended", "removed"]
    effective_from_us: Micros
    accepted_at_us: Micros


class Party(Message, frozen=True, kw_only=True, tag="party"):
    """A carrier, importer or manufacturer."""

    v: Literal[1] = 1
    id: Id
    name: str
    roles: tuple[Literal["carrier", "importer", "manufacturer"], ...] = ()
    memberships: tuple[Membership, ...] = ()


class Person(Message, frozen=True, kw_only=True, tag="person"):
    """A driver or passenger; personal data only inside the two sealed fields."""

    v: Literal[1] = 1
    id: Id
    key_id: Id | None = None
    s92: SealedS92 | None = None
    rest: SealedRest | None = None


class Plate(Part, frozen=True, kw_only=True):
    """A licence plate and who issued it."""

    number: str
    country: Country
    state: str | None = None


FeeState = Literal["paid", "not_paid", "unknown"]
"""Whether the yearly user fee of a truck is paid (US: kept in CBP's DTOPS by VIN and plate)."""


class FeeStatus(Part, frozen=True, kw_only=True):
    """A status of a truck's user fee and the two times that belong to it."""

    state: FeeState
    effective_from_us: Micros
    accepted_at_us: Micros


class Truck(Message, frozen=True, kw_only=True, tag="truck"):
    """A tractor or straight truck."""

    v: Literal[1] = 1
    id: Id
    vin: str | None = None
    plates: tuple[Plate, ...] = ()
    #: What holds where `fees` tells nothing.
    fee_status: FeeState = "unknown"
    #: Oldest first; of those that count at a moment the last one holds.
    fees: Annotated[tuple[FeeStatus, ...], msgspec.Meta(max_length=100)] = ()


class Trailer(Message, frozen=True, kw_only=True, tag="trailer"):
    """A trailer, chassis or container on wheels."""

    v: Literal[1] = 1
    id: Id
    plate: Plate | None = None
    trailer_type: str | None = None


class TripTrailer(Part, frozen=True, kw_only=True):
    """A trailer as the trip declares it."""

    trailer: Id
    seals: tuple[Id, ...] = ()
    load: Literal["loaded", "empty", "unknown"] = "unknown"


class Commodity(Part, frozen=True, kw_only=True):
    """A line of goods in a shipment."""

    description: str
    hs_code: str | None = None
    quantity: int | None = None
    weight_kg: float | None = None
    hazmat: bool = False


class Shipment(Part, frozen=True, kw_only=True):
    """A shipment on a trip; `control_number` is an SCN (US), a CCN (Canada) or a pedimento (Mexico)."""

    control_number: Id
    importer: Id | None = None
    manufacturer: Id | None = None
    commodities: tuple[Commodity, ...] = ()
    #: Goods that a department other than customs controls.
    other_department: bool = False
    release_status: Literal["on_file", "released", "held", "unknown"] = "unknown"


TripStatus = Literal["on_file", "cancelled", "used", "expired"]


class TripVersion(Part, frozen=True, kw_only=True):
    """What a trip said from `accepted_at_us` on, until the next version."""

    version: int
    accepted_at_us: Micros
    filed_at_us: Micros
    status: TripStatus
    port_code: Id
    direction: Direction
    eta_us: Micros
    drivers: tuple[Id, ...] = ()
    passengers: tuple[Id, ...] = ()
    truck: Id | None = None
    truck_vin: Id | None = None
    trailers: tuple[TripTrailer, ...] = ()
    #: None: those of the version after it.
    shipments: tuple[Shipment, ...] | None = None


class TripUsed(Part, frozen=True, kw_only=True):
    """A crossing that used a trip, or that another port took over from (`diverted`)."""

    crossing_id: Id
    pair: Id
    how: Literal["used", "diverted"]
    at_us: Micros


class Finding(Part, frozen=True, kw_only=True):
    """What is wrong with an identifier or a date of a filing that was accepted nevertheless."""

    #: One word that programs may look for, such as `vin_check_digit`.
    code: Id
    #: Where it stands, such as `truck.vin`.
    path: Id
    detail: NoteText


class Trip(Message, frozen=True, kw_only=True, tag="trip"):
    """An e-manifest as accepted: what was declared to come, when and where."""

    v: Literal[1] = 1
    trip_number: Id
    version: int = 1
    carrier: Id
    #: SCAC (US) or carrier code of the CBSA.
    carrier_code: Id | None = None
    #: The port of arrival, in the code of the country that the trip enters.
    port_code: Id
    direction: Direction
    eta_us: Micros
    filed_at_us: Micros
    accepted_at_us: Micros
    status: TripStatus = "on_file"
    drivers: tuple[Id, ...] = ()
    passengers: tuple[Id, ...] = ()
    truck: Id | None = None
    #: As the filing has it; fee accounts are kept by VIN and plate.
    truck_vin: Id | None = None
    trailers: tuple[TripTrailer, ...] = ()
    shipments: tuple[Shipment, ...] = ()
    #: Roles declared that no row of `parties` or `credentials` tells who or what it is, one each.
    unresolved: tuple[Literal["driver", "passenger", "truck", "trailer"], ...] = ()
    #: Earlier versions, oldest first; the oldest ones go when there are many.
    history: tuple[TripVersion, ...] = ()
    #: Whether earlier versions are gone from `history`.
    history_cut: bool = False
    #: The crossing that used it: the earliest, where several say so.
    used_by: Id | None = None
    #: Every crossing that used it or was diverted with it, in order of time.
    uses: tuple[TripUsed, ...] = ()
    findings: tuple[Finding, ...] = ()


MinuteOfDay = Annotated[int, msgspec.Meta(ge=0, le=1_440)]
"""Minutes after midnight by the clock of the place."""


class OfficeHours(Part, frozen=True, kw_only=True):
    """When an office is open for trucks, by the clock of the place."""

    #: 0 is Monday.
    days: Annotated[
        tuple[Annotated[int, msgspec.Meta(ge=0, le=6)], ...], msgspec.Meta(max_length=7)
    ]
    from_min: MinuteOfDay
    #: 1440: midnight. Hours that go past midnight are two rows.
    until_min: MinuteOfDay


class SiteOffice(Part, frozen=True, kw_only=True):
    """One country's office at a port pair."""

    country: Country
    #: Schedule D (US), CBSA office (Canada) or aduana and section (Mexico); None when not known.
    office_code: str | None
    authority: Id
    timezone: str
    #: Empty: always open, or not known.
    hours: Annotated[tuple[OfficeHours, ...], msgspec.Meta(max_length=50)] = ()


class SiteLane(Part, frozen=True, kw_only=True):
    """A lane of a site."""

    id: Id
    direction: Direction
    lane_class: LaneClass = "general"
    group: str | None = None
    neighbours: tuple[Id, ...] = ()


class SiteReadPoint(Part, frozen=True, kw_only=True):
    """A read point of a site; `lane` may name a lane group."""

    id: Id
    lane: Id
    position: Position
    to_booth_s: Seconds | None = None


class SiteCoordinates(Part, frozen=True, kw_only=True):
    """Where a port pair is, by WGS 84."""

    latitude: Annotated[float, msgspec.Meta(ge=-90, le=90)]
    longitude: Annotated[float, msgspec.Meta(ge=-180, le=180)]
    #: Who says so; None: unverified, and alerts that rest on them say so.
    source: NoteText | None = None


class Site(Message, frozen=True, kw_only=True, tag="site"):
    """The lay-out of a port pair, since `effective_from_us`."""

    v: Literal[1] = 1
    pair: Id
    effective_from_us: Micros
    offices: tuple[SiteOffice, ...]
    lanes: tuple[SiteLane, ...]
    read_points: tuple[SiteReadPoint, ...]
    #: None: not known, so nothing is said of travel from or to it.
    coordinates: SiteCoordinates | None = None


ReferenceRow = (
    Credential | Party | Person | Truck | Trailer | Trip | Site | AnyPolicy | WatchListEntry
)
