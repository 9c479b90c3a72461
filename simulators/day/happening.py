"""What happens in a scene, before anybody gave it numbers: tags that are heard, words of officers, rows and filings. Values only."""

from dataclasses import dataclass

from schemas.gate import Correction, Decision, ManualRead
from schemas.message import Message, Position
from simulators.day.places import Way


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stay:
    """A tag can be heard at a read point from a time to a time."""

    way: Way
    lane: str
    position: Position
    token: str
    #: By the gateway's clock.
    from_us: int
    until_us: int
    #: Who writes it; None: the pair's gateway.
    gateway: str | None = None
    #: In truth, where the gateway's clock is wrong: what it says is ahead by this much.
    ahead_us: int = 0
    #: When the event log gets it at the earliest: the gateway could not send before.
    sent_us: int = 0
    #: Its events come again after so long; None: once.
    again_us: int | None = None
    #: In which of the gateway's epochs it begins and ends.
    epochs: tuple[int, int] = (1, 1)
    other_lanes: tuple[str, ...] = ()
    ambiguous: bool = False
    reverse: bool = False
    observed: bool = True
    tid_token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Word:
    """What an officer says or keys. Its number, and the crossing that it names, come later."""

    pair: str
    desk: str
    at_us: int
    #: With an empty `event_id`.
    what: Decision | ManualRead | Correction
    #: The stay that opened the crossing that it names; None: it is said by lane.
    about: Stay | None = None
    #: How long it takes until the event log has it.
    after_us: int = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Notice:
    """What a gateway says about itself."""

    pair: str
    gateway: str
    epoch: int
    #: When it is written, by the gateway's clock, and when the event log has it.
    at_us: int
    sent_us: int
    #: `beat`: alive. `lost`: numbers that never come, announced by `skipped`. `begun`: a new epoch.
    kind: str
    ahead_us: int = 0
    outbox_age_ms: int = 0
    last_seq_known: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A reference row or filing, and when the event log has it."""

    topic: str
    at_us: int
    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """The pair's gateway reaches nobody from a time to a time; what it hears stays in its outbox."""

    pair: str
    from_us: int
    until_us: int

    def age_ms(self, at_us: int) -> int:
        """How long the oldest event has been in the outbox."""
        return (at_us - self.from_us) // 1_000 if self.from_us <= at_us < self.until_us else 0
