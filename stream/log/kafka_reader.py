"""Reading committed records from Kafka, without a consumer group."""

import asyncio
from collections.abc import Mapping
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, errors
from aiokafka import TopicPartition as KafkaTopicPartition

from stream.log.contract import LogUnavailable, PositionLost, Record, TopicPartition
from stream.log.kafka_client import REQUEST_S, explain, start, stop
from stream.log.kafka_topics import KafkaTopics
from stream.log.outgoing import MAX_RECORD_BYTES

#: After so long without a record the reader asks whether the broker is there at all: the client itself only
#: waits, and would wait for ever.
QUIET_S: Final = 10.0


class KafkaReader:
    """Reads given partitions from given positions."""

    def __init__(
        self,
        topics: KafkaTopics,
        consumer: AIOKafkaConsumer,
        positions: Mapping[TopicPartition, int],
    ) -> None:
        """Made by `open_reader`."""
        self._topics = topics
        self._consumer = consumer
        self._positions = dict(positions)
        self._physical = {where: _physical(topics, where) for where in positions}
        self._logical = {topics.names.topic(where.topic): where.topic for where in positions}
        self._heard_at = asyncio.get_running_loop().time()
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether it can do nothing more."""
        return self._closed

    async def poll(self, max_records: int, timeout_s: float) -> list[Record]:
        """The next records. Raises `LogUnavailable` when no broker has answered for some time."""
        if self._closed:
            raise LogUnavailable("this reader is closed")
        try:
            found = await self._consumer.getmany(
                timeout_ms=int(timeout_s * 1000), max_records=max_records
            )
        except errors.OffsetOutOfRangeError as error:
            await self._find_again(error)
            return []
        except errors.KafkaError as error:
            raise explain(error, "reading from Kafka") from error
        # Also without records: transaction markers and aborted records move the position.
        for where, physical in self._physical.items():
            self._positions[where] = await self._consumer.position(physical)
        await self._look_after(bool(found))
        return [self._record(each) for records in found.values() for each in records]

    def positions(self) -> Mapping[TopicPartition, int]:
        """The next offset of each partition."""
        return dict(self._positions)

    async def aclose(self) -> None:
        """Let go of the connection."""
        if not self._closed:
            self._closed = True
            await stop(self._consumer)

    async def _look_after(self, heard: bool) -> None:
        now = asyncio.get_running_loop().time()
        if not heard:
            if now - self._heard_at < QUIET_S:
                return
            await self._topics.ping()
        self._heard_at = now

    def _record(self, found: ConsumerRecord) -> Record:
        return Record(
            self._logical[found.topic],
            found.partition,
            found.offset,
            found.key,
            found.value,
            found.headers,
            found.timestamp,
        )

    async def _find_again(self, error: errors.OffsetOutOfRangeError) -> None:
        """Go on at the first record that is left, or say that the position is beyond the end."""
        logical = {physical: where for where, physical in self._physical.items()}
        lost: dict[KafkaTopicPartition, int] = error.args[0]
        bounds = await self._topics.bounds([logical[physical] for physical in lost])
        for physical, position in lost.items():
            where = logical[physical]
            first, end = bounds[where]
            if position > first:
                raise PositionLost(
                    f"{where.topic}/{where.partition}: {position} > {end}"
                ) from error
            self._consumer.seek(physical, first)


async def open_reader(topics: KafkaTopics, positions: Mapping[TopicPartition, int]) -> KafkaReader:
    """A reader that starts at the given offsets; raises `TopicMissing` or `LogUnavailable`."""
    for where in positions:
        await topics.check(where)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=topics.names.bootstrap,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="none",
        max_partition_fetch_bytes=2 * MAX_RECORD_BYTES,
        request_timeout_ms=int(REQUEST_S * 1000),
    )
    await start(consumer, topics.names, "connecting to Kafka")
    # No await between the two: the client would look for a position of its own.
    consumer.assign([_physical(topics, where) for where in positions])
    for where, position in positions.items():
        consumer.seek(_physical(topics, where), position)
    # Let the client's tasks begin: one that is stopped before its first turn raises CancelledError
    # (aiokafka.consumer.group_coordinator, NoGroupCoordinator.close).
    await asyncio.sleep(0)
    return KafkaReader(topics, consumer, positions)


def _physical(topics: KafkaTopics, where: TopicPartition) -> KafkaTopicPartition:
    return KafkaTopicPartition(topics.names.topic(where.topic), where.partition)
