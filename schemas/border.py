"""How a crossing ended, the border record of each person, and what still waits for its other half."""

from typing import Literal

from schemas.message import Country, DerivedId, DerivedMicros, Id, Message, Micros, NoteText, Part

Ending = Literal[
    "entered",
    "withdrawn",
    "refused",
    "turned_back",
    "held",
    "paroled",
    "u_turn",
    "diverted",
    "lost",
    "expired",
]
"""`withdrawn` takes back an earlier `entered` of the same crossing and person."""

PersonRole = Literal["driver", "passenger", "person"]
"""A person's part in a crossing; `person`: heard, but nobody declared which part."""

UnmatchedKind = Literal[
    "unknown_card",
    "declared_not_seen",
    "driver_unread",
    "decision_without_crossing",
    "correction_without_crossing",
    "crossing_without_end",
    "too_late",
]


class Side(Part, frozen=True, kw_only=True):
    """One country's side of a crossing."""

    country: Country
    office_code: str | None
    authority: Id
    lane: Id | None = None


class CrossingEnded(Message, frozen=True, kw_only=True, tag="crossing_ended"):
    """Topic `crossings`: how a crossing ended for one person. Keyed by person, else by crossing."""

    v: Literal[1] = 1
    crossing_id: Id
    #: None when no person is known; then the row is keyed by `crossing_id`.
    person: Id | None
    role: PersonRole | None = None
    revision: int
    how: Ending
    pair: Id
    entered: Side
    left: Side
    #: The moment of entry, or the moment that ended the crossing otherwise.
    at_us: Micros
    source_event_ids: tuple[Id, ...]


class BorderEntry(Part, frozen=True, kw_only=True):
    """The entry into one country."""

    country: Country
    office_code: str | None
    authority: Id
    lane: Id | None
    at_us: Micros


class BorderExit(Part, frozen=True, kw_only=True):
    """The exit from the other country that the entry implies: same moment, no second record.

    "An entry into one country is considered an exit from the other" (CBSA/CBP Entry/Exit Information
    System, phase I report).
    """

    country: Country
    office_code: str | None
    at_us: Micros
    basis: Literal["implied_by_entry"] = "implied_by_entry"


class BorderRecord(Message, frozen=True, kw_only=True, tag="border_record"):
    """Topic `border-records`: one person's entry into one country, which is the exit from the other."""

    v: Literal[1] = 1
    record_id: Id
    crossing_id: Id
    person: Id
    role: PersonRole
    pair: Id
    revision: int
    state: Literal["live", "corrected", "retracted"]
    entry: BorderEntry
    exit: BorderExit
    anomalies: tuple[str, ...] = ()
    source_event_ids: tuple[Id, ...]
    #: Class of the rule that says how long the record is kept.
    retention_class: str
    #: 15 years after the entry (Customs Act s.93.1); whether that is a maximum is unverified.
    delete_after_us: DerivedMicros


class Unmatched(Message, frozen=True, kw_only=True, tag="unmatched"):
    """Topic `unmatched`, compacted: what waits for its other half; the queue is the topic.

    The key is `unmatched_id`, since one crossing can wait for several things.
    """

    v: Literal[1] = 1
    unmatched_id: DerivedId
    kind: UnmatchedKind
    pair: Id
    crossing_id: Id | None
    #: Person id, credential id, token or event id that it is about.
    subject: Id | None
    since_us: Micros
    why: NoteText
    evidence: tuple[Id, ...] = ()
    #: What closed it; None while it is open.
    closed_by: str | None = None
    closed_at_us: Micros | None = None
