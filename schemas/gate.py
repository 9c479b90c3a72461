"""Topic `gate-events`: what gateways and officers say about a lane.

Every event of a gateway or an officer's desk carries `event_id = writer.epoch.seq`: `seq` has no gaps
within (writer, epoch), so a reader of the topic can tell a repeat from a loss.
"""

from typing import Annotated, Literal, NamedTuple

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
    Seconds,
)

ClockSource = Literal["ntp", "estimated", "received"]
"""`ntp`: the reader's own synchronised clock. `estimated`: the reader's clock, shifted by the smallest
delay seen. `received`: the reader sends no time, so the gateway's time of receipt."""

Travel = Literal["forward", "reverse", "unknown"]
"""The way a tag moved through the lane, by the order of its antennas."""

Subjects = Literal["all", "persons", "vehicle", "cargo"]

Outcome = Literal["released", "secondary", "held", "refused", "turned_back", "paroled", "withdrawn"]
"""What an officer decided."""


class EventId(NamedTuple):
    """The parts of an event id."""

    writer: str
    epoch: str
    seq: int


def event_id(writer: str, epoch: str, seq: int) -> str:
    """Join the parts of an event id; `epoch` must not hold a dot."""
    return f"{writer}.{epoch}.{seq}"


def split_event_id(text: str) -> EventId | None:
    """The parts of an event id, or None when `text` is not one. A `seq` has at most 18 digits."""
    writer, _, rest = text.partition(".") if text.count(".") == 2 else ("", "", "")
    epoch, _, seq = rest.partition(".")
    if not (writer and epoch and seq.isascii() and seq.isdigit() and len(seq) <= 18):
        return None
    return EventId(writer, epoch, int(seq))


class TagProof(Part, frozen=True, kw_only=True):
    """What a reader challenged a tag with and what the tag answered; whoever made the tag can check it.

    It names no tag and tells nothing by itself.
    """

    challenge: Annotated[bytes, msgspec.Meta(max_length=66)]
    answer: Annotated[bytes, msgspec.Meta(max_length=66)]


class Sighting(Message, frozen=True, kw_only=True):
    """One tag's stay at one read point, as far as it is known when the event is written."""

    event_id: Id
    pair: Id
    lane: Id
    read_point: Id
    position: Position
    #: Seconds that a vehicle usually needs from this read point to the booth.
    to_booth_s: Seconds | None
    #: The lane's direction.
    direction: Direction
    #: Keyed hash of the EPC; the only form in which a card's number leaves the gateway.
    token: Id
    tid_token: Id | None = None
    #: The EPC's scheme, such as `sgtin-96`; `opaque` when it follows no public one.
    scheme: Id = "opaque"
    first_us: Micros
    last_us: Micros
    #: When the gateway wrote this event (its own clock).
    at_us: Micros
    reads: int
    peak_rssi_dbm: float | None = None
    #: Antennas in the order in which each was first heard.
    antennas: tuple[int, ...] = ()
    #: Other lanes whose antennas heard the tag meanwhile.
    other_lanes: tuple[Id, ...] = ()
    #: Another lane heard the tag, and the readers' signals cannot be compared (no dBm): it may be there.
    ambiguous: bool = False
    travel: Travel = "unknown"
    clock_source: ClockSource
    #: Milliseconds that were added to the reader's clock.
    clock_offset_ms: int = 0
    #: True when the gateway knows its own clock to be synchronised; None when it cannot tell.
    clock_synchronised: bool | None = None
    #: The reader stored the read and sent it later: its time is not "now".
    replayed: bool = False
    #: The tag's last answer to a challenge, where its reader asks for one. Nobody has checked it yet.
    proof: TagProof | None = None


class SightingSeen(Sighting, frozen=True, kw_only=True, tag="sighting_seen"):
    """The tag was heard often or long enough to count as present."""

    v: Literal[1] = 1
    #: The neighbour lane that had the tag until now; its `sighting_gone` says `moved`.
    moved_from: Id | None = None


class SightingGone(Sighting, frozen=True, kw_only=True, tag="sighting_gone"):
    """The stay is over; the statistics and the travel are final."""

    v: Literal[1] = 1
    #: False: only glimpsed, so no `sighting_seen` was written.
    observed: bool
    #: The `sighting_seen` of this stay, None when it was only glimpsed.
    seen_event_id: Id | None = None
    reason: Literal["lost", "moved", "overflow", "stopped"]


class ReaderHealth(Part, frozen=True, kw_only=True):
    """A reader as its gateway sees it now."""

    reader: Id
    up: bool
    last_heard_us: Micros | None
    reads: int
    #: Rejected frames or messages since the gateway's epoch began, by reason.
    rejects: dict[str, int] = msgspec.field(default_factory=dict)


class Heartbeat(Message, frozen=True, kw_only=True, tag="heartbeat"):
    """A gateway is alive; its counters since its epoch began.

    They balance: reads = reads_gone + reads_open + reads_duplicate + reads_rejected.
    """

    v: Literal[1] = 1
    event_id: Id
    pair: Id
    at_us: Micros
    outbox_depth: int
    outbox_age_ms: int
    reads: int
    reads_gone: int
    reads_open: int
    reads_duplicate: int
    reads_rejected: int
    glimpses: int
    #: Sightings that were closed early because too many were open, since the epoch began.
    overflows: int = 0
    #: By how much the machine's clock was set since the last heartbeat, if by more than 2 s; negative: back.
    clock_step_ms: int = 0
    #: By how much the gateway's time is ahead of the machine's clock, after that was set back.
    clock_ahead_ms: int = 0
    #: True when the gateway knows its own clock to be synchronised; None when it cannot tell.
    clock_synchronised: bool | None = None
    readers: tuple[ReaderHealth, ...] = ()


class ReaderStatus(Message, frozen=True, kw_only=True, tag="reader_status"):
    """A reader came or went, or a span of time in which it was not heard."""

    v: Literal[1] = 1
    event_id: Id
    pair: Id
    reader: Id
    up: bool
    at_us: Micros
    #: The span that nobody heard; both None when the status is about something else.
    gap_from_us: Micros | None = None
    gap_to_us: Micros | None = None
    #: What happened. About its clock: `clock_step`, `clock_wrong`, `clock_right`; about its reads: `overflow`.
    cause: NoteText
    #: Of its clock: by how much it was set, or by how much it is ahead of the gateway's; negative: back, or behind.
    clock_ms: int | None = None
    #: Reads that the reader itself reports as lost; None when it cannot say.
    reads_lost: int | None = None
    antenna_faults: tuple[int, ...] = ()
    #: Rejected frames or messages since the gateway's epoch began, by reason.
    rejects: dict[str, int] = msgspec.field(default_factory=dict)


class Skipped(Message, frozen=True, kw_only=True, tag="skipped"):
    """A gateway gives up the events `from_seq` to `to_seq` of its epoch: a gap that is announced."""

    v: Literal[1] = 1
    event_id: Id
    pair: Id
    at_us: Micros
    from_seq: int
    to_seq: int
    cause: NoteText


class EpochStarted(Message, frozen=True, kw_only=True, tag="epoch_started"):
    """A gateway had to begin a new outbox: what it knew of the old one, so that the loss is known too.

    It is event 1 of the new epoch. Events of `previous_epoch` after `last_seq_known` may never come.
    """

    v: Literal[1] = 1
    event_id: Id
    pair: Id
    at_us: Micros
    previous_epoch: Id
    #: The greatest number that the old outbox surely gave out; None when it could not be read.
    last_seq_known: int | None
    cause: NoteText


class Tick(Message, frozen=True, kw_only=True, tag="tick"):
    """The time, written into a partition by the worker that owns it, so that time-outs replay."""

    v: Literal[1] = 1
    partition: int
    at_us: Micros


class Decision(Message, frozen=True, kw_only=True, tag="decision"):
    """What an officer said, about a named crossing or about whatever stood at a lane's booth."""

    v: Literal[1] = 1
    event_id: Id
    pair: Id
    at_us: Micros
    country: Country
    authority: Id
    #: A pseudonym, never a name.
    officer: Id
    outcome: Outcome
    subjects: Subjects = "all"
    #: With `subjects = persons`: whom it is about; empty means every person of the crossing.
    persons: Annotated[tuple[Id, ...], msgspec.Meta(max_length=20)] = ()
    crossing_id: Id | None = None
    #: The revision of the notice that the officer had on the screen.
    revision_seen: int | None = None
    #: With no `crossing_id`: the lane whose primary or secondary is meant, at `at_us`.
    lane: Id | None = None


class ManualRead(Message, frozen=True, kw_only=True, tag="manual_read"):
    """What an officer keyed because no reader heard it. Addressed as a `Decision` is."""

    v: Literal[1] = 1
    event_id: Id
    pair: Id
    at_us: Micros
    country: Country
    authority: Id
    officer: Id
    #: `person:`, `truck:` or `trailer:` id, or a trip number: the desk looks cards and plates up.
    subject: Id
    crossing_id: Id | None = None
    lane: Id | None = None


class Correction(Message, frozen=True, kw_only=True, tag="correction"):
    """A person sets right what was recorded about a crossing, or takes it back; never a rewriting."""

    v: Literal[1] = 1
    event_id: Id
    pair: Id
    at_us: Micros
    country: Country
    authority: Id
    officer: Id
    crossing_id: Id
    #: `retract`: the person did not enter. `person`: it was `to_person`. `moment`: it was at `to_at_us`.
    what: Literal["retract", "person", "moment"]
    person: Id
    to_person: Id | None = None
    to_at_us: Micros | None = None
    reason: NoteText


GateEvent = (
    SightingSeen
    | SightingGone
    | Heartbeat
    | ReaderStatus
    | Skipped
    | EpochStarted
    | Tick
    | Decision
    | ManualRead
    | Correction
)
