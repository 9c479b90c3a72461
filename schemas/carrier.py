"""Topic `carrier-notices`: what a carrier may know of the arrival of its vehicle.

Every field is one that a carrier may see; nothing else of the arrival notice can get in (`stream.lanes.carrier`).
"""

from typing import Literal

from schemas.message import DerivedMicros, Direction, Id, Message, Micros, Position

CarrierState = Literal[
    "announced",
    "approaching",
    "at_booth",
    "see_officer",
    "released",
    "left",
    "diverted",
    "lost",
    "expired",
    "merged",
]
"""`see_officer`: whatever an officer decided other than to release; `left`: turned round before the booth."""


class CarrierNotice(Message, frozen=True, kw_only=True, tag="carrier_notice"):
    """How far a vehicle is, which lanes it may use, and what its filing lacks. Never why anybody is looked at."""

    v: Literal[1] = 1
    crossing_id: Id
    #: Its own: it goes up only when something that stands here has changed.
    revision: int
    pair: Id
    direction: Direction
    state: CarrierState
    lane: Id
    position: Position
    #: Expected time at the booth; None once it is behind or cannot be told.
    eta_us: DerivedMicros | None
    eta_p90_us: DerivedMicros | None = None
    #: None: no trip on file fits.
    trip_number: Id | None
    #: Lanes that the vehicle may use.
    lanes: tuple[str, ...] = ()
    #: Documents that are not on file, such as `trip` or `importer`.
    missing: tuple[str, ...] = ()
    #: What the filing and the vehicle do not agree on, such as `port_mismatch` or `filed_late:12`.
    findings: tuple[str, ...] = ()
    #: Whether an officer has let it go, or wants to see it.
    decision: Literal["released", "see_officer"] | None = None
    merged_into: Id | None = None
    split_from: Id | None = None
    continues: Id | None = None
    #: Event time of the input that made this revision.
    at_us: Micros
