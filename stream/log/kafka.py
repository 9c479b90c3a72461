"""The event log on Apache Kafka 4.x, through aiokafka. `docs/event-log.md` explains how it stays exactly-once."""

from collections.abc import Mapping, Sequence
from typing import Self, TypeVar

from schemas.topics import Topic
from stream.log.contract import TopicPartition, TopicState
from stream.log.kafka_batches import KafkaAppender, open_appender
from stream.log.kafka_client import Names
from stream.log.kafka_ownership import KafkaOwnership, take_over
from stream.log.kafka_reader import KafkaReader, open_reader
from stream.log.kafka_topics import KafkaTopics
from stream.log.url import KafkaUrl

_Opened = TypeVar("_Opened", KafkaAppender, KafkaReader, KafkaOwnership)


async def open_kafka(url: KafkaUrl) -> "KafkaLog":
    """A connected log; raises `LogUnavailable` when no broker answers within some seconds."""
    topics = KafkaTopics(Names.of(url))
    await topics.connect()
    return KafkaLog(topics)


class KafkaLog:
    """The event log contract on Kafka."""

    def __init__(self, topics: KafkaTopics) -> None:
        """Made by `open_kafka`."""
        self._topics = topics
        self._opened: list[KafkaAppender | KafkaReader | KafkaOwnership] = []
        self._closed = False

    async def create(self, topics: Sequence[Topic]) -> list[str]:
        """Make the topics that are not there; return their names."""
        return await self._topics.create(topics)

    async def describe(self, names: Sequence[str]) -> dict[str, TopicState | None]:
        """The topics as they are; None for one that is not there."""
        return await self._topics.describe(names)

    async def max_record_bytes(self, name: str) -> int | None:
        """`max.message.bytes` of the topic; None for one that is not there."""
        return await self._topics.max_record_bytes(name)

    async def bounds(
        self, partitions: Sequence[TopicPartition]
    ) -> dict[TopicPartition, tuple[int, int]]:
        """First offset still there, and the last stable offset."""
        return await self._topics.bounds(partitions)

    async def committed(self, application: str, partition: TopicPartition) -> int | None:
        """An application's committed position; may be some milliseconds old."""
        return await self._topics.committed(application, partition)

    async def appender(self) -> KafkaAppender:
        """A new appender."""
        return self._keep(await open_appender(self._topics))

    async def reader(self, positions: Mapping[TopicPartition, int]) -> KafkaReader:
        """A new reader that starts at the given offsets."""
        return self._keep(await open_reader(self._topics, positions))

    async def take_over(self, application: str, partition: TopicPartition) -> KafkaOwnership:
        """Become the only owner of the partition."""
        return self._keep(await take_over(self._topics, application, partition))

    async def aclose(self) -> None:
        """Let go of everything that was opened here."""
        if self._closed:
            return
        self._closed = True
        for opened in self._opened:
            await opened.aclose()
        await self._topics.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _keep(self, opened: _Opened) -> _Opened:
        self._opened = [each for each in self._opened if not each.closed]
        self._opened.append(opened)
        return opened
