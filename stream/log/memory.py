"""The event log inside one process: for tests and for replays.

Logs of one name are one log, for as long as the process lives. One event loop at a time may use it.
"""

import asyncio
import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Final, Self

from schemas.topics import Topic
from stream.log.contract import (
    CommitFailed,
    Fenced,
    LogUnavailable,
    Outgoing,
    PositionLost,
    Record,
    TopicMissing,
    TopicPartition,
    TopicState,
)
from stream.log.outgoing import check_sizes, partition_for
from stream.log.tidying import RETENTION_EVERY_MS, Kept, compaction_due, superseded

_offset: Final = attrgetter("offset")


class _Partition:
    """Records of one partition, in order; `end` is past the last one, whether it is still there or not."""

    __slots__ = ("cleaned", "end", "kept", "records")

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.end = 0
        self.cleaned = 0
        self.kept = 0

    @property
    def first(self) -> int:
        return self.records[0].offset if self.records else self.end

    def slice(self, offset: int, most: int) -> list[Record]:
        """Up to `most` records from an offset."""
        if not self.records or offset >= self.end:
            return []
        at = offset - self.records[0].offset
        if self.end - self.records[0].offset != len(self.records):
            at = bisect_left(self.records, offset, key=_offset)
        return self.records[max(at, 0) : max(at, 0) + most]


class _Broker:
    """What all handles of one name share."""

    def __init__(self) -> None:
        self.topics: dict[str, TopicState] = {}
        self.partitions: dict[TopicPartition, _Partition] = {}
        self.positions: dict[tuple[str, TopicPartition], int] = {}
        self.owners: dict[tuple[str, TopicPartition], int] = {}
        self.waiting: set[asyncio.Event] = set()
        self.retained_ms = 0

    def partition(self, where: TopicPartition) -> _Partition:
        found = self.partitions.get(where)
        if found is None:
            raise TopicMissing(f"no partition {where.partition} of topic {where.topic}")
        return found

    def place(self, record: Outgoing) -> TopicPartition:
        topic = self.topics.get(record.topic)
        if topic is None:
            raise TopicMissing(f"no topic {record.topic}")
        return TopicPartition(record.topic, partition_for(record, topic.partitions))

    def write(self, records: Sequence[Outgoing]) -> None:
        """Write all of them, or none when one cannot be written."""
        check_sizes(records)
        placed = [(self.place(record), record) for record in records]
        now_ms = time.time_ns() // 1_000_000
        for where, record in placed:
            into = self.partitions[where]
            into.records.append(
                Record(*where, into.end, record.key, record.value, record.headers, now_ms)
            )
            into.end += 1
        for where in {where for where, _ in placed if self.topics[where.topic].compacted}:
            into = self.partitions[where]
            if compaction_due(into.end - into.cleaned, into.kept):
                _compact(into, now_ms)
        if now_ms - self.retained_ms >= RETENTION_EVERY_MS:
            self.retain(now_ms)
        for written in self.waiting:
            written.set()

    def retain(self, now_ms: int) -> None:
        """Delete what its topic no longer keeps."""
        self.retained_ms = now_ms
        for where, partition in self.partitions.items():
            topic = self.topics[where.topic]
            if topic.compacted or topic.retention_ms is None:
                continue
            oldest = now_ms - topic.retention_ms
            keep = next(
                (at for at, record in enumerate(partition.records) if record.at_ms >= oldest),
                len(partition.records),
            )
            del partition.records[:keep]


def _compact(partition: _Partition, now_ms: int) -> None:
    gone = set(
        superseded(
            (Kept(r.offset, r.key, r.value is None, r.at_ms) for r in partition.records), now_ms
        )
    )
    partition.records = [record for record in partition.records if record.offset not in gone]
    partition.cleaned = partition.end
    partition.kept = len(partition.records)


_brokers: Final[dict[str, _Broker]] = {}


class MemoryLog:
    """The event log contract in memory."""

    def __init__(self, name: str) -> None:
        """A handle on the log of this name."""
        self._broker = _brokers.setdefault(name, _Broker())

    async def create(self, topics: Sequence[Topic]) -> list[str]:
        """Make the topics that are not there; return their names."""
        broker = self._broker
        made = [topic for topic in topics if topic.name not in broker.topics]
        for topic in made:
            retention = None if topic.compacted else topic.retention_ms
            broker.topics[topic.name] = TopicState(topic.partitions, topic.compacted, retention)
            for partition in range(topic.partitions):
                broker.partitions[TopicPartition(topic.name, partition)] = _Partition()
        return [topic.name for topic in made]

    async def describe(self, names: Sequence[str]) -> dict[str, TopicState | None]:
        """The topics as they are; None for one that is not there."""
        return {name: self._broker.topics.get(name) for name in names}

    async def max_record_bytes(self, name: str) -> int | None:  # noqa: ARG002 - no topic has one
        """Only the program's own limit holds here."""
        return None

    async def bounds(
        self, partitions: Sequence[TopicPartition]
    ) -> dict[TopicPartition, tuple[int, int]]:
        """First offset still there, and the end."""
        found = {where: self._broker.partition(where) for where in partitions}
        return {where: (partition.first, partition.end) for where, partition in found.items()}

    async def committed(self, application: str, partition: TopicPartition) -> int | None:
        """An application's committed position."""
        return self._broker.positions.get((application, partition))

    async def appender(self) -> "MemoryAppender":
        """A new appender."""
        return MemoryAppender(self._broker)

    async def reader(self, positions: Mapping[TopicPartition, int]) -> "MemoryReader":
        """A new reader that starts at the given offsets."""
        return MemoryReader(self._broker, positions)

    async def take_over(self, application: str, partition: TopicPartition) -> "MemoryOwnership":
        """Become the only owner of the partition."""
        self._broker.partition(partition)
        owners = self._broker.owners
        owners[application, partition] = owners.get((application, partition), 0) + 1
        return MemoryOwnership(self._broker, application, partition)

    def retain(self, now_ms: int) -> None:
        """Delete what its topic no longer keeps. Happens by itself now and then."""
        self._broker.retain(now_ms)

    async def aclose(self) -> None:
        """Nothing to let go of: the log stays for other handles of its name."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class MemoryAppender:
    """Writes outside any transaction."""

    def __init__(self, broker: _Broker) -> None:
        """Made by `MemoryLog.appender`."""
        self._broker = broker
        self._closed = False

    async def append(self, records: Sequence[Outgoing]) -> None:
        """Write in order; raises `RecordTooLarge` or `TopicMissing` and then writes nothing."""
        if self._closed:
            raise LogUnavailable("this appender is closed")
        self._broker.write(records)
        await asyncio.sleep(0)

    async def aclose(self) -> None:
        """Take no more."""
        self._closed = True


class MemoryReader:
    """Reads given partitions from given positions."""

    def __init__(self, broker: _Broker, positions: Mapping[TopicPartition, int]) -> None:
        """Made by `MemoryLog.reader`."""
        for where in positions:
            broker.partition(where)
        self._broker = broker
        self._positions = dict(positions)
        self._written = asyncio.Event()
        broker.waiting.add(self._written)

    async def poll(self, max_records: int, timeout_s: float) -> list[Record]:
        """The next records, at least one unless the time runs out."""
        await asyncio.sleep(0)
        ends_at = asyncio.get_running_loop().time() + timeout_s
        while True:
            self._written.clear()
            records = self._take(max_records)
            if records:
                return records
            try:
                async with asyncio.timeout_at(ends_at):
                    await self._written.wait()
            except TimeoutError:
                return []

    def positions(self) -> Mapping[TopicPartition, int]:
        """The next offset of each partition."""
        return dict(self._positions)

    async def aclose(self) -> None:
        """Wait for no more."""
        self._broker.waiting.discard(self._written)

    def _take(self, max_records: int) -> list[Record]:
        records: list[Record] = []
        for where, position in list(self._positions.items()):
            if len(records) >= max_records:
                break
            partition = self._broker.partitions[where]
            if position > partition.end:
                raise PositionLost(f"{where.topic}/{where.partition}: {position} > {partition.end}")
            most = max_records - len(records)
            found = partition.slice(position, most)
            records.extend(found)
            # A partition that was read goes behind the others, so that none is starved.
            del self._positions[where]
            self._positions[where] = (
                found[-1].offset + 1 if len(found) == most else max(position, partition.end)
            )
        return records


class MemoryOwnership:
    """The right to commit for one input partition of one application."""

    def __init__(self, broker: _Broker, application: str, partition: TopicPartition) -> None:
        """Made by `MemoryLog.take_over`."""
        self._broker = broker
        self._owner = (application, partition)
        self._epoch = broker.owners[self._owner]
        self._dead = False

    async def committed(self) -> int | None:
        """The committed next input offset."""
        return self._broker.positions.get(self._owner)

    async def commit(self, outputs: Sequence[Outgoing], next_offset: int | None) -> None:
        """Write the outputs and move the input position as one."""
        if self._dead:
            raise CommitFailed("this ownership has ended; take over again")
        try:
            await asyncio.sleep(0)
            self._check_owner()
            self._broker.write(outputs)
        except BaseException:
            self._dead = True
            raise
        if next_offset is not None:
            self._broker.positions[self._owner] = next_offset

    async def aclose(self) -> None:
        """Let go."""
        self._dead = True

    def _check_owner(self) -> None:
        if self._broker.owners[self._owner] != self._epoch:
            raise Fenced(f"another owner has taken over for {self._owner[0]}")
