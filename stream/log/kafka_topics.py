"""Topics, positions and bounds on a Kafka broker: everything that is asked, not streamed."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, errors
from aiokafka import TopicPartition as KafkaTopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schemas.topics import Topic
from stream.log.contract import LogError, Outgoing, TopicMissing, TopicPartition, TopicState
from stream.log.kafka_client import REQUEST_S, Names, start, stop, within
from stream.log.outgoing import MAX_RECORD_BYTES, partition_for

#: Copies of each partition, where there are so many brokers.
REPLICAS: Final = 3
#: Topics that are made with one request: a small or busy broker needs a second for some of them.
MADE_AT_ONCE: Final = 6
#: Between two looks at something that the broker does by itself.
RETRY_S: Final = 0.02
#: Between two tries to reach any broker.
PING_RETRY_S: Final = 0.5
#: Compaction works on closed segments only; with the default of 1 GiB a table would grow for a week.
TABLE_SEGMENT_BYTES: Final = 67_108_864

_COORDINATOR_SOON: Final = (
    errors.GroupCoordinatorNotAvailableError,
    errors.GroupLoadInProgressError,
    errors.NotCoordinatorForGroupError,
)


class KafkaTopics:
    """An admin client and a consumer that only asks; both connect when first used."""

    def __init__(self, names: Names) -> None:
        """Nothing is connected before `connect`."""
        self.names: Final = names
        self._admin = AIOKafkaAdminClient(
            bootstrap_servers=names.bootstrap, request_timeout_ms=int(REQUEST_S * 1000)
        )
        self._observer: AIOKafkaConsumer | None = None
        self._counts: dict[str, int] = {}

    async def connect(self) -> None:
        """Connect; raises `LogUnavailable`."""
        await start(self._admin, self.names, "connecting to Kafka")

    async def aclose(self) -> None:
        """Let go of the connections."""
        await stop(self._admin)
        if self._observer is not None:
            await stop(self._observer)

    async def create(self, topics: Sequence[Topic]) -> list[str]:
        """Make the topics that are not there, and wait until they can be used."""
        async with within(REQUEST_S, "looking for topics"):
            there, brokers = await self._metadata()
        new = [topic for topic in topics if self.names.topic(topic.name) not in there]
        made: list[str] = []
        for first in range(0, len(new), MADE_AT_ONCE):
            made += await self._make(new[first : first + MADE_AT_ONCE], min(REPLICAS, brokers))
        return made

    async def _make(self, new: Sequence[Topic], copies: int) -> list[str]:
        """Make some topics; the names of those that nobody else made meanwhile."""
        async with within(REQUEST_S, f"making topics, from {new[0].name} on"):
            wanted = [self._new(topic, copies) for topic in new]
            answer = await self._admin.create_topics(wanted)
            made = {name for name, code, text in answer.topic_errors if _was_made(name, code, text)}
            await self._until_usable(new)
        return [topic.name for topic in new if self.names.topic(topic.name) in made]

    async def describe(self, names: Sequence[str]) -> dict[str, TopicState | None]:
        """The topics as they are; None for one that is not there."""
        async with within(REQUEST_S, "describing topics"):
            there, _ = await self._metadata()
            found = [name for name in names if self.names.topic(name) in there]
            configs = await self._configs([self.names.topic(name) for name in found])
        states = {
            name: _state(len(there[physical]), configs[physical])
            for name in found
            if (physical := self.names.topic(name)) in configs
        }
        return {name: states.get(name) for name in names}

    async def max_record_bytes(self, name: str) -> int | None:
        """`max.message.bytes` of a topic; None for one that is not there."""
        physical = self.names.topic(name)
        async with within(REQUEST_S, "asking for the settings of a topic"):
            there, _ = await self._metadata()
            configs = await self._configs([physical] if physical in there else [])
        return int(configs[physical]["max.message.bytes"]) if physical in configs else None

    async def partitions(self, topic: str) -> int:
        """How many partitions a topic has; raises `TopicMissing`.

        Asked without letting the broker make the topic, which a client's own request would do on brokers
        with `auto.create.topics.enable` (aiokafka.protocol.metadata).
        """
        count = self._counts.get(topic)
        if count is None:
            async with within(REQUEST_S, f"looking for topic {topic}"):
                there, _ = await self._metadata()
            physical = there.get(self.names.topic(topic))
            if physical is None:
                raise TopicMissing(f"no topic {topic}: run `gatebook topics apply`")
            count = self._counts[topic] = len(physical)
        return count

    async def check(self, where: TopicPartition) -> None:
        """Raise `TopicMissing` for a partition that is not there."""
        count = await self.partitions(where.topic)
        if not 0 <= where.partition < count:
            raise TopicMissing(
                f"{where.topic} has {count} partitions, there is no {where.partition}"
            )

    async def place(self, records: Iterable[Outgoing]) -> dict[TopicPartition, list[Outgoing]]:
        """Records by the partition that they go to, in order."""
        placed: dict[TopicPartition, list[Outgoing]] = {}
        for record in records:
            count = self._counts.get(record.topic) or await self.partitions(record.topic)
            where = TopicPartition(record.topic, partition_for(record, count))
            placed.setdefault(where, []).append(record)
        return placed

    async def bounds(
        self, partitions: Sequence[TopicPartition]
    ) -> dict[TopicPartition, tuple[int, int]]:
        """First offset, and the last stable offset: the end of what a read_committed reader gets."""
        for where in partitions:
            await self.check(where)
        observer = await self._observing()
        physical = {
            KafkaTopicPartition(self.names.topic(where.topic), where.partition): where
            for where in partitions
        }
        async with within(REQUEST_S, "asking for offsets"):
            first = await observer.beginning_offsets(list(physical))
            end = await observer.end_offsets(list(physical))
        return {where: (first[tp], end[tp]) for tp, where in physical.items()}

    async def committed(self, application: str, where: TopicPartition) -> int | None:
        """An application's committed position, from the broker."""
        await self.check(where)
        tp = KafkaTopicPartition(self.names.topic(where.topic), where.partition)
        group = self.names.group(application)
        async with within(REQUEST_S, f"asking for the position of {group}"):
            while True:
                try:
                    found = await self._admin.list_consumer_group_offsets(group, partitions=[tp])
                except _COORDINATOR_SOON:
                    found = {}
                # A coordinator that is still loading answers with an error and no partitions, which
                # the admin client does not look at: taken for "nothing committed", everything would
                # be done again.
                if tp in found:
                    offset = int(found[tp].offset)
                    return None if offset < 0 else offset
                await asyncio.sleep(RETRY_S)

    async def ping(self) -> None:
        """Return when a broker has answered; raises `LogUnavailable` when none does."""
        async with within(REQUEST_S, "asking whether Kafka is there"):
            while True:
                try:
                    await self._metadata()
                except errors.KafkaError as error:
                    if not error.retriable:
                        raise
                    await asyncio.sleep(PING_RETRY_S)
                else:
                    return

    def _new(self, topic: Topic, replicas: int) -> NewTopic:
        name = self.names.topic(topic.name)
        return NewTopic(name, topic.partitions, replicas, topic_configs=_config(topic))

    async def _observing(self) -> AIOKafkaConsumer:
        if self._observer is None:
            observer = AIOKafkaConsumer(
                bootstrap_servers=self.names.bootstrap,
                isolation_level="read_committed",
                enable_auto_commit=False,
                retry_backoff_ms=int(RETRY_S * 1000),
                request_timeout_ms=int(REQUEST_S * 1000),
            )
            await start(observer, self.names, "connecting to Kafka")
            self._observer = observer
        return self._observer

    async def _metadata(self) -> tuple[dict[str, list[dict[str, Any]]], int]:
        """Partitions of every topic, and the number of brokers."""
        answer = (await self._admin._get_cluster_metadata(None)).to_object()  # noqa: SLF001
        topics = {
            each["topic"]: each["partitions"] for each in answer["topics"] if not each["error_code"]
        }
        return topics, len(answer["brokers"])

    async def _until_usable(self, topics: Sequence[Topic]) -> None:
        """Wait until every partition has a leader that answers for it; before, writers have to retry."""
        wanted = [
            KafkaTopicPartition(self.names.topic(topic.name), partition)
            for topic in topics
            for partition in range(topic.partitions)
        ]
        observer = await self._observing()
        await observer.end_offsets(wanted)

    async def _configs(self, topics: list[str]) -> dict[str, dict[str, str]]:
        if not topics:
            return {}
        answers = await self._admin.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in topics]
        )
        return {
            name: {entry[0]: entry[1] for entry in entries}
            for answer in answers
            for code, _, _, name, entries in answer.resources
            if not code
        }


def _config(topic: Topic) -> dict[str, str]:
    config = {
        "cleanup.policy": "compact" if topic.compacted else "delete",
        "max.message.bytes": str(MAX_RECORD_BYTES),
        # The contract's `at_ms` is when the log took a record.
        "message.timestamp.type": "LogAppendTime",
    }
    if topic.compacted:
        config["segment.bytes"] = str(TABLE_SEGMENT_BYTES)
    else:
        config["retention.ms"] = str(-1 if topic.retention_ms is None else topic.retention_ms)
    return config


def _was_made(name: str, code: int, text: str | None) -> bool:
    """Whether this request made the topic, and not another one at the same time."""
    kind = errors.for_code(code)
    if kind is errors.NoError:
        return True
    if kind is errors.TopicAlreadyExistsError:
        return False
    raise LogError(f"topic {name} cannot be made: {text or kind.__name__}")


def _state(partitions: int, config: dict[str, str]) -> TopicState:
    policies = config["cleanup.policy"].split(",")
    retention = int(config["retention.ms"])
    kept_ms = None if retention < 0 or "delete" not in policies else retention
    return TopicState(partitions, "compact" in policies, kept_ms)
