"""Writing records to Kafka in batches that are built here, and checking that every one arrived."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer

from stream.log.contract import LogUnavailable, Outgoing, TopicPartition
from stream.log.crash import passing
from stream.log.kafka_client import BATCH_BYTES, REQUEST_S, Names, start, stop, watch, within
from stream.log.kafka_topics import KafkaTopics
from stream.log.outgoing import check_sizes


def built(
    producer: AIOKafkaProducer, placed: dict[TopicPartition, list[Outgoing]]
) -> Iterator[tuple[TopicPartition, Any]]:
    """Closed batches of the records, in rounds: the first of each partition, then the second, ...

    The producer has one batch of a partition under way at a time, so in rounds none waits for another's.
    """
    now_ms = time.time_ns() // 1_000_000
    left = {where: iter(_cut(producer, records, now_ms)) for where, records in placed.items()}
    while left:
        for where in list(left):
            batch = next(left[where], None)
            if batch is None:
                del left[where]
            else:
                yield where, batch


def _cut(producer: AIOKafkaProducer, records: Sequence[Outgoing], now_ms: int) -> Iterator[Any]:
    batch = producer.create_batch()
    for record in records:
        content = {"timestamp": now_ms, "key": record.key, "value": record.value}
        headers = list(record.headers)
        if batch.append(**content, headers=headers) is None:
            yield batch
            # The first record of a batch is always taken.
            batch = producer.create_batch()
            batch.append(**content, headers=headers)
    batch.close()
    yield batch


async def deliver(
    producer: AIOKafkaProducer,
    names: Names,
    placed: dict[TopicPartition, list[Outgoing]],
    crash_point: str = "",
) -> None:
    """Send all of it, and return when the broker has acknowledged each batch.

    Raises the first batch's error. To await the sending alone is not enough: `commit_transaction` returns
    without an error when batches of the transaction failed (aiokafka.producer.message_accumulator,
    `flush_for_commit`).
    """
    futures: list[asyncio.Future[Any]] = []
    for where, batch in built(producer, placed):
        future = await producer.send_batch(
            batch, names.topic(where.topic), partition=where.partition
        )
        watch([future])
        futures.append(future)
    for future in futures:
        await future
        if crash_point:
            passing(crash_point)


class KafkaAppender:
    """Writes outside any transaction, with an idempotent producer."""

    def __init__(self, topics: KafkaTopics, producer: AIOKafkaProducer) -> None:
        """Made by `open_appender`."""
        self._topics = topics
        self._producer = producer
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether it can do nothing more."""
        return self._closed

    async def append(self, records: Sequence[Outgoing]) -> None:
        """Write in order and return when all are acknowledged. After an error this appender is of no use."""
        if self._closed:
            raise LogUnavailable("this appender is closed")
        check_sizes(records)
        placed = await self._topics.place(records)
        try:
            async with within(REQUEST_S, "appending to Kafka"):
                await deliver(self._producer, self._topics.names, placed)
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Let go of the connection."""
        if not self._closed:
            self._closed = True
            await stop(self._producer)


async def open_appender(topics: KafkaTopics) -> KafkaAppender:
    """A new appender; raises `LogUnavailable`."""
    producer = AIOKafkaProducer(
        bootstrap_servers=topics.names.bootstrap,
        enable_idempotence=True,
        acks="all",
        max_batch_size=BATCH_BYTES,
        request_timeout_ms=int(REQUEST_S * 1000),
    )
    await start(producer, topics.names, "connecting to Kafka")
    return KafkaAppender(topics, producer)
