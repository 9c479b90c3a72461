"""Alerts for staff, and dead letters."""

from typing import Literal

from schemas.message import DerivedId, Id, Message, Micros, NoteText

AlertKind = Literal[
    "sequence_gap",
    "bad_event_id",
    "signature_break",
    "trip_used_twice",
    "credential_status",
    "credential_status_late",
    "undeclared_card",
    "impossible_travel",
    "two_lanes",
    "tid_mismatch",
    "exchange_withheld",
]

RejectReason = Literal[
    "malformed",
    "wrong_type",
    "unknown_type",
    "unsupported_version",
    "wrong_partition",
    "invalid",
    "unverified",
]


class Alert(Message, frozen=True, kw_only=True, tag="alert"):
    """Topic `alerts`: something that staff should look at. It never closes a lane by itself."""

    v: Literal[1] = 1
    alert_id: DerivedId
    kind: AlertKind
    severity: Literal["info", "warning", "critical"]
    #: Key of the topic: gateway, credential or crossing that it is about.
    subject: Id
    pair: Id
    at_us: Micros
    evidence: tuple[Id, ...]
    what_to_do: NoteText


class Rejected(Message, frozen=True, kw_only=True, tag="rejected"):
    """Topic `rejected`: a record that a stage could not take, with its bytes as they came."""

    v: Literal[1] = 1
    stage: str
    topic: str
    partition: int
    offset: int
    key: bytes | None
    raw: bytes | None
    reason: RejectReason
    #: The path of the wrong field and what was wrong with it.
    detail: NoteText
