"""Topic `arrivals`: the advance-arrival notice, revision by revision."""

from typing import Literal

from schemas.gate import Outcome
from schemas.message import DerivedMicros, Direction, Id, Message, Micros, Part, Position
from schemas.reference import Shipment

Basis = Literal["read", "declared", "inferred", "missing", "conflicting"]
"""How something is tied to a crossing."""

Role = Literal["driver", "passenger", "person", "truck", "trailer", "trip"]
"""What a link ties; `person` is a card holder whom no trip declares."""

CrossingState = Literal[
    "announced",
    "approaching",
    "at_primary",
    "secondary",
    "held",
    "released",
    "entered",
    "closed",
    "refused",
    "turned_back",
    "paroled",
    "withdrawn",
    "u_turn",
    "diverted",
    "lost",
    "expired",
    "merged",
]


class Link(Part, frozen=True, kw_only=True):
    """One thing that belongs to a crossing, and how that is known."""

    role: Role
    #: `person:`, `truck:`, `trailer:` id or a trip number; None when missing or unknown.
    id: Id | None
    basis: Basis
    #: The card or tag that was read: its credential id, for an unknown one its token.
    credential_id: Id | None = None
    #: With `conflicting`: everything that it may be.
    candidates: tuple[Id, ...] = ()
    #: The officer's event that keyed it, where no reader heard it.
    keyed_by: Id | None = None


class Eligibility(Part, frozen=True, kw_only=True):
    """The lanes that the vehicle may use, and why. Unknown is never eligible."""

    lanes: tuple[str, ...] = ()
    tier: Id | None = None
    reasons: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


class ArrivalNotice(Message, frozen=True, kw_only=True, tag="arrival_notice"):
    """Who and what comes to a booth, as known at this revision. A sent one is never rewritten."""

    v: Literal[1] = 1
    crossing_id: Id
    revision: int
    pair: Id
    direction: Direction
    state: CrossingState
    lane: Id
    #: The furthest read point so far.
    position: Position
    first_read_us: Micros
    last_read_us: Micros
    #: Expected time at the booth; None once it is behind or cannot be told.
    eta_us: DerivedMicros | None
    eta_p90_us: DerivedMicros | None = None
    links: tuple[Link, ...]
    shipments: tuple[Shipment, ...] = ()
    eligibility: Eligibility
    referral_causes: tuple[str, ...] = ()
    #: Findings for the officer, such as `driver_mismatch`, `no_manifest`, `unknown_card`.
    flags: tuple[str, ...] = ()
    #: The officer's word that is in force.
    decision: Outcome | None = None
    #: True while something that was declared is still awaited.
    provisional: bool
    #: The crossing that this one turned out to be a part of; then it says nothing else any more.
    merged_into: Id | None = None
    #: The crossing from which this one was told apart.
    split_from: Id | None = None
    #: The crossing at another pair that was diverted here.
    continues: Id | None = None
    source_event_ids: tuple[Id, ...]
    #: Event time of the input that made this revision.
    at_us: Micros
