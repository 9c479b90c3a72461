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
    "missing_exit",
]
"""`missing_exit`: a stay whose end nobody recorded, since the person entered somewhere else than from there."""

Anomaly = Literal["entered_twice", "no_open_stay", "overlap", "impossible_order"]
"""What is odd about a border record beside the others of its person.

`entered_twice`: into a country in which a stay was open. `no_open_stay`: out of a country in which none was,
while one was open in a third country. `overlap`: another record of the person within a minute.
`impossible_order`: it fits only after the next record, which is minutes later.
"""

StayEnd = Literal["exit", "missing_exit"]
"""How the end of a stay is known: by the exit of the record that closes it, or not at all."""

UnmatchedAge = Literal["waiting", "overdue"]
"""`overdue`: no late event can bring the other half any more, only a person can close the row."""


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


class Stay(Part, frozen=True, kw_only=True):
    """The time between a person's entry into a country and the exit from it, told by the record that closes it."""

    stay_id: Id
    country: Country
    #: The record whose entry opened it.
    opened_by: Id
    opened_at_us: Micros
    #: The record whose exit closed it; None when the end is unknown.
    closed_by: Id | None
    closed_at_us: Micros | None
    basis: StayEnd


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
    #: The person's first record: nothing is known of a stay before it, which is no anomaly.
    baseline: bool = False
    #: The stay that its exit closes, or that was open although the person left another country.
    closes: Stay | None = None
    #: The id of the stay that its entry opens; None when retracted.
    opens: Id | None = None
    anomalies: tuple[Anomaly, ...] = ()
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
    age: UnmatchedAge = "waiting"
    #: What closed it; None while it is open.
    closed_by: str | None = None
    closed_at_us: Micros | None = None


class Closure(Message, frozen=True, kw_only=True, tag="closure"):
    """Topic `crossings`: a person closes a row of the unmatched queue. Keyed by person, else crossing, else row.

    It repeats what the row says, so that one is closed of which the stage remembers nothing.
    """

    v: Literal[1] = 1
    #: `writer.epoch.seq`, as the events of gateways have it.
    event_id: Id
    unmatched_id: DerivedId
    kind: UnmatchedKind
    pair: Id
    #: The person that the row is about, where it is about one.
    person: Id | None
    crossing_id: Id | None
    subject: Id | None
    since_us: Micros
    at_us: Micros
    authority: Id
    #: A pseudonym, never a name.
    officer: Id
    reason: NoteText


class RecordCorrection(Message, frozen=True, kw_only=True, tag="record_correction"):
    """Topic `crossings`: a person sets right a border record whose crossing the lanes stage no longer revises.

    Keyed by person. Of several for one record that with the greatest (`at_us`, `event_id`) counts.
    """

    v: Literal[1] = 1
    #: `writer.epoch.seq`, as the events of gateways have it.
    event_id: Id
    record_id: Id
    #: Crossing and person give the record's id; a correction whose three do not fit is refused.
    crossing_id: Id
    person: Id
    pair: Id
    at_us: Micros
    authority: Id
    #: A pseudonym, never a name.
    officer: Id
    #: `retract`: the person did not enter. `moment`: it was at `to_at_us`.
    what: Literal["retract", "moment"]
    to_at_us: Micros | None = None
    reason: NoteText
