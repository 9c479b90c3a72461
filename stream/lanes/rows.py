"""What the lanes stage remembers of a partition: the rows of its changelog."""

from typing import Final

import msgspec

from schemas.border import Ending, PersonRole, UnmatchedKind
from schemas.gate import Outcome, Subjects
from schemas.message import Country, Direction, Position
from schemas.restricted import Hit
from stream.lanes.learnt import Eta, Passages, Quarters
from stream.lanes.verified import Chain

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE

#: How far an officer's moment may lie outside the sightings at the booth.
SLACK_US: Final = 5 * SECOND

Key = tuple[int, str, str]
"""The place of a sighting or an officer's word in the order of grouping: corrected time, then what differs."""


class Heard(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One stay of a card or tag at a read point."""

    token: str
    #: Its holder, or its token while no credential is known for it.
    who: str
    read_point: str
    lane: str
    position: Position
    direction: Direction
    to_booth_s: int | None
    first_us: int
    last_us: int
    #: False while the gateway still hears it.
    gone: bool
    #: The first event that told of it and the last ones.
    event_ids: tuple[str, ...]
    #: It moved against the lane.
    reverse: bool = False
    #: Another lane heard it as well, and nobody can tell which one it is in.
    ambiguous: bool = False
    #: The gateway's clock was far from the stream's.
    untrusted: bool = False

    @property
    def key(self) -> Key:
        """Its place in the order of grouping."""
        return self.first_us, self.token, self.read_point


class Word(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What an officer said: about a crossing by its id (`named`), or about what stood at a lane's booth."""

    event_id: str
    at_us: int
    country: Country
    named: str | None = None
    lane: str | None = None

    @property
    def key(self) -> Key:
        """Its place in the order of grouping: after every sighting that it may be about."""
        return self.at_us + SLACK_US, "\uffff", self.event_id


class Ruling(Word, frozen=True, kw_only=True, array_like=True, tag="ruling"):
    """A decision."""

    outcome: Outcome
    subjects: Subjects
    persons: tuple[str, ...]


class Keyed(Word, frozen=True, kw_only=True, array_like=True, tag="keyed"):
    """Somebody or something that an officer keyed because no reader heard it."""

    subject: str


class Corrected(Word, frozen=True, kw_only=True, array_like=True, tag="corrected"):
    """A person was set right: `to_person` or `to_at_us` or neither (did not enter)."""

    person: str
    to_person: str | None = None
    to_at_us: int | None = None


AnyWord = Ruling | Keyed | Corrected


class Emitted(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What was last written about the end of the crossing for a person (None: nobody known)."""

    person: str | None
    role: PersonRole | None
    how: Ending
    at_us: int


class Waiting(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """An open row of the unmatched queue."""

    kind: UnmatchedKind
    subject: str | None
    since_us: int


class Use(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What was last said of the trip that the crossing used."""

    trip: str
    how: str
    at_us: int
    revision: int


class Crossing(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="crossing"):
    """One vehicle's passage. The first block is evidence, the second what was made of it, the third what was written."""

    crossing_id: str
    pair: str
    #: Counts the crossings of the partition in the order in which they were opened.
    number: int = 0
    #: By `Heard.key`.
    heard: tuple[Heard, ...] = ()
    #: Each by time.
    rulings: tuple[Ruling, ...] = ()
    keyed: tuple[Keyed, ...] = ()
    corrected: tuple[Corrected, ...] = ()
    #: Latest event time of an input that touched it.
    at_us: int

    direction: Direction
    lane: str
    #: First and last read.
    first_us: int = 0
    last_us: int = 0
    #: How and when it ended, None while it goes on. Being lost is no end: a sighting revives it.
    how: Ending | None = None
    ended_at_us: int | None = None
    #: Whether an exit read releases here where no officer has decided.
    in_motion: bool = False
    #: The trip that it was joined with.
    trip: str | None = None
    #: When it was given up because nobody heard of it any more.
    lost_at_us: int | None = None
    closed: bool = False
    #: Its time-outs wait for a gateway.
    held: bool = False
    #: When time alone changes what is known of its cards.
    recheck_us: int | None = None
    #: Sightings were left out because there were too many.
    crowded: bool = False
    merged_into: str | None = None
    split_from: str | None = None

    #: Of the last notice.
    revision: int = 0
    #: Hash of what the last notice said.
    content: bytes = b""
    end_revision: int = 0
    emitted: tuple[Emitted, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    alerted: tuple[str, ...] = ()
    use: Use | None = None
    #: What it said of the time at the booth.
    eta: Eta | None = None
    #: Of the last carrier notice.
    carrier_revision: int = 0
    carrier_content: bytes = b""
    #: Hash of what the last audit row said.
    audited: bytes = b""
    #: The last turn of a card or a rule that passed while it was under way: it is judged as of then or later.
    passed_us: int = 0

    def words(self) -> tuple[AnyWord, ...]:
        """Everything that officers said of it."""
        return (*self.rulings, *self.keyed, *self.corrected)


class Sequence(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="sequence"):
    """Which events of a writer and epoch have come: all up to `high`, but for the gaps (inclusive)."""

    high: int
    gaps: tuple[tuple[int, int], ...] = ()


class Pending(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="pending"):
    """An officer's word that found no crossing yet."""

    pair: str
    word: AnyWord


class Clock(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="clock"):
    """The partition's last tick, and how many crossings it has opened."""

    now_us: int = 0
    opened: int = 0


class GatewayHealth(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="gateway"):
    """What a gateway last said of itself."""

    pair: str
    #: Lanes whose sightings it has sent.
    lanes: tuple[str, ...] = ()
    #: The tick after which its last heartbeat came; None: it never sent one.
    heard_us: int | None = None
    #: How far its clock was behind the tick then.
    behind_us: int = 0
    outbox_age_ms: int = 0
    untrusted: bool = False


class Watched(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="watched"):
    """What cleared readers were last told of a crossing. Apart from the crossing's own row, so that it stays as it is."""

    revision: int
    lane: str
    hits: tuple[Hit, ...]


class Trail(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="trail"):
    """The end of the partition's audit chain."""

    seq: int
    link: bytes


Row = (
    Watched
    | Trail
    | Crossing
    | Sequence
    | Pending
    | Clock
    | GatewayHealth
    | Chain
    | Passages
    | Quarters
)


def crossing_key(crossing_id: str) -> str:
    """The state key of a crossing."""
    return f"crossing:{crossing_id}"


def pending_key(event_id: str) -> str:
    """The state key of a word without a crossing."""
    return f"pending:{event_id}"


def sequence_key(writer: str, epoch: str) -> str:
    """The state key of a writer's sequence."""
    return f"sequence:{writer}.{epoch}"


def chain_key(writer: str, epoch: str) -> str:
    """The state key of how far a writer's epoch is verified."""
    return f"chain:{writer}.{epoch}"


def watched_key(crossing_id: str) -> str:
    """The state key of what cleared readers were told of a crossing."""
    return f"watched:{crossing_id}"


def gateway_key(writer: str) -> str:
    """The state key of a gateway's health."""
    return f"gateway:{writer}"


#: The state key of the end of the audit chain.
TRAIL_KEY: Final = "trail"

#: The state key of the clock.
CLOCK_KEY: Final = "clock"
