"""The event log contract. One suite of tests holds all adapters to it.

What every adapter promises:

- *Append* is ordered and acknowledged; no duplicate within one appender's life. A restarted writer may
  repeat itself, so readers drop by event id.
- *Read* gives committed records only, in order, without holes but for compaction.
- *Take over* makes its caller the only owner of (application, input partition): whoever owned it before
  can commit nothing from then on. The committed position is read after that, never before.
- *Commit* makes outputs, state changes and the next input position visible together or not at all.
- After any error in `commit` the ownership is useless: leave, and take over again.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, Self

from schemas.topics import Topic


class LogError(Exception):
    """Base of what an event log raises; the classes below say what the caller should do."""


class LogUnavailable(LogError):  # noqa: N818 - named by what the reader of the log should do: wait
    """The log cannot be reached now. Wait and try again with a new connection."""


class LogDamaged(LogUnavailable):
    """What is there is not a log of this program, or it is broken: waiting alone will not help."""


class PositionLost(LogError):  # noqa: N818
    """A position lies beyond the end: the log was made anew, or has lost its tail.

    Whoever kept the position must decide what that means; going on would skip or repeat in silence.
    """


class Fenced(LogError):  # noqa: N818
    """Another owner has taken over. Leave at once; the other one goes on."""


class CommitFailed(LogError):  # noqa: N818
    """Whether the commit took place is not known, or it did not. Discard the ownership and its state."""


class RecordTooLarge(LogError):  # noqa: N818
    """A record is larger than the log takes; nothing of the batch may be counted on."""


class TopicMissing(LogError):  # noqa: N818
    """A topic or partition is not there: run `gatebook topics apply`."""


class TopicPartition(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int


class Record(NamedTuple):
    """A record as it stands in the log."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    #: None deletes the key from a compacted topic.
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    #: When the log took it, ms UTC. For people only: no rule may depend on it.
    at_ms: int


class Outgoing(NamedTuple):
    """A record to be written."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    #: None: by the key, as Kafka's default partitioner chooses it (`schemas.topics.partition_of`).
    partition: int | None = None


class TopicState(NamedTuple):
    """A topic as the log has it."""

    partitions: int
    compacted: bool
    #: None: for ever.
    retention_ms: int | None


class Appender(Protocol):
    """Writes outside any transaction: the publisher of a gateway, a loader of reference rows."""

    async def append(self, records: Sequence[Outgoing]) -> None:
        """Write in order and return when all are acknowledged.

        Raises `LogUnavailable` (which of them were written is not known: make a new appender and send
        them again) or `RecordTooLarge`.
        """
        ...

    async def aclose(self) -> None:
        """Let go of the connection."""
        ...


class Reader(Protocol):
    """Reads given partitions from given positions; committed records only."""

    async def poll(self, max_records: int, timeout_s: float) -> list[Record]:
        """The next records, at least one unless the time runs out; in order within a partition.

        May be cancelled: what it did not return, the next call returns. Raises `PositionLost` or
        `LogUnavailable`; on Kafka the latter comes some 20 s after the last broker has gone.
        """
        ...

    def positions(self) -> Mapping[TopicPartition, int]:
        """The next offset of each partition: past what was polled and past what holds no record."""
        ...

    async def aclose(self) -> None:
        """Let go of the connection."""
        ...


class Ownership(Protocol):
    """The right to commit for one input partition of one application, until someone else takes over."""

    async def committed(self) -> int | None:
        """The committed next input offset, None when nothing was ever committed."""
        ...

    async def commit(self, outputs: Sequence[Outgoing], next_offset: int | None) -> None:
        """Write the outputs and move the input position (None: leave it) as one.

        Raises `Fenced`, `CommitFailed`, `RecordTooLarge` or `LogUnavailable`. After any of them this
        object can do nothing more.
        """
        ...

    async def aclose(self) -> None:
        """Let go; an open transaction is aborted."""
        ...


class EventLog(Protocol):
    """A connection to an event log. `open_log` in `stream.log.open` makes one from a URL."""

    async def create(self, topics: Sequence[Topic]) -> list[str]:
        """Make the topics that are not there; return their names."""
        ...

    async def describe(self, names: Sequence[str]) -> dict[str, TopicState | None]:
        """The topics as they are; None for one that is not there."""
        ...

    async def max_record_bytes(self, name: str) -> int | None:
        """The largest record that a topic's own setting lets in; None: it has no such setting, or is not there."""
        ...

    async def bounds(
        self, partitions: Sequence[TopicPartition]
    ) -> dict[TopicPartition, tuple[int, int]]:
        """First offset still there, and the end: the offset after the last committed record."""
        ...

    async def committed(self, application: str, partition: TopicPartition) -> int | None:
        """An application's committed position, for people to look at (not for taking over)."""
        ...

    async def appender(self) -> Appender:
        """A new appender. Raises `LogUnavailable`."""
        ...

    async def reader(self, positions: Mapping[TopicPartition, int]) -> Reader:
        """A new reader that starts at the given offsets.

        Where records were deleted since, at the first one that is left. Raises `TopicMissing`.
        """
        ...

    async def take_over(self, application: str, partition: TopicPartition) -> Ownership:
        """Become the only owner of the partition; every earlier owner is fenced when this returns.

        Raises `LogUnavailable` or `TopicMissing`.
        """
        ...

    async def aclose(self) -> None:
        """Let go of everything that was opened here."""
        ...

    async def __aenter__(self) -> Self:
        """Nothing to do: the log was connected when it was made."""
        ...

    async def __aexit__(self, *_: object) -> None:
        """As `aclose`."""
        ...
