"""Owning an input partition on Kafka: one transactional id a partition, fence first, check every batch.

The order of things, and why:

1. `take_over` starts a producer under the partition's one transactional id. The broker raises the epoch of
   that id and ends the predecessor's open transaction: from then on the predecessor can commit nothing.
2. Only then is the committed position read. Read before, it could be older than what the predecessor
   still commits, and its work would be done twice.
3. A commit sends the outputs in batches, waits for the answer to each, sends the position, and only then
   ends the transaction. (The position beside the batches is no quicker: the broker answers a batch that
   meets it with NOT_ENOUGH_REPLICAS, and the client tries again later; seen on 4.3.1.)
4. After any error the producer is given up, never used again: one failed batch makes its later ones fail
   too, and a late answer could belong to a transaction that is over.
5. A position that does not move is committed again now and then. The broker forgets a position that nobody
   has committed for `offsets.retention.minutes` (7 days by default), in silence: the next owner would begin
   at the start of the partition and do everything again (seen on 4.3.1 with a retention of one minute).
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from aiokafka import AIOKafkaProducer, errors
from aiokafka import TopicPartition as KafkaTopicPartition

from stream.log.contract import (
    CommitFailed,
    Fenced,
    LogError,
    Outgoing,
    RecordTooLarge,
    TopicMissing,
    TopicPartition,
)
from stream.log.crash import passing
from stream.log.kafka_batches import deliver
from stream.log.kafka_client import BATCH_BYTES, REQUEST_S, explain, start, stop
from stream.log.kafka_topics import KafkaTopics
from stream.log.outgoing import check_sizes

#: The broker aborts a transaction that is open for longer; until then readers of its partitions wait.
TRANSACTION_S: Final = 15.0
#: Right after a commit the broker is still writing its markers and answers CONCURRENT_TRANSACTIONS; a short
#: pause before asking again makes commits that follow each other quick.
RETRY_MS: Final = 10
ABORT_S: Final = 2.0
#: How often a position that does not move is committed again.
REFRESH_S: Final = 21_600.0


class KafkaOwnership:
    """The right to commit for one input partition of one application."""

    def __init__(
        self,
        topics: KafkaTopics,
        application: str,
        partition: TopicPartition,
        producer: AIOKafkaProducer,
    ) -> None:
        """Made by `take_over`."""
        self._topics = topics
        self._application = application
        self._partition = partition
        self._producer = producer
        self._position: int | None = None
        self._moved_at = 0.0
        self._dead = False
        #: What ended this ownership when nobody was committing; the next commit raises it.
        self._untold: BaseException | None = None
        self._turn = asyncio.Lock()
        self._refreshing = asyncio.create_task(self._refresh(), name="refresh-position")

    @property
    def closed(self) -> bool:
        """Whether it can do nothing more."""
        return self._dead

    async def committed(self) -> int | None:
        """The committed next input offset."""
        if self._position is None:
            self._position = await self._topics.committed(self._application, self._partition)
        # Remembered, because the broker shows a position some time after the commit has returned.
        return self._position

    async def commit(self, outputs: Sequence[Outgoing], next_offset: int | None) -> None:
        """Write the outputs and move the input position as one transaction."""
        async with self._turn:
            if self._untold is not None:
                untold, self._untold = self._untold, None
                raise untold
            if self._dead:
                raise CommitFailed("this ownership has ended; take over again")
            try:
                await self._commit(outputs, next_offset)
            except Exception as error:
                await self.aclose()
                raise _commit_error(error, self._partition) from error
            except BaseException:
                await self.aclose()
                raise

    async def aclose(self) -> None:
        """Let go; an open transaction is aborted."""
        if self._dead:
            return
        self._dead = True
        if self._refreshing is not asyncio.current_task():
            self._refreshing.cancel()
            await asyncio.wait([self._refreshing])
        await stop(self._producer)

    async def _refresh(self) -> None:
        while True:
            committed_at = self._moved_at
            await asyncio.sleep(REFRESH_S)
            if self._position is None or self._moved_at != committed_at:
                continue
            try:
                await self.commit([], self._position)
            except Exception as error:  # noqa: BLE001 - raised to whoever commits next
                self._untold = error
                return

    async def _commit(self, outputs: Sequence[Outgoing], next_offset: int | None) -> None:
        check_sizes(outputs)
        placed = await self._topics.place(outputs)
        if not placed and next_offset is None:
            return
        async with asyncio.timeout(TRANSACTION_S):
            await self._producer.begin_transaction()
            passing("commit.begin")
            try:
                await self._send(placed, next_offset)
            except BaseException:
                # Readers need not wait until the broker gives the transaction up by itself.
                await self._abort()
                raise
            passing("commit.before")
            await self._producer.commit_transaction()
            passing("commit.after")
        if next_offset is not None:
            self._position = next_offset
            self._moved_at = asyncio.get_running_loop().time()

    async def _send(
        self, placed: dict[TopicPartition, list[Outgoing]], next_offset: int | None
    ) -> None:
        names = self._topics.names
        await deliver(self._producer, names, placed, "commit.sent")
        if next_offset is not None:
            partition = KafkaTopicPartition(
                names.topic(self._partition.topic), self._partition.partition
            )
            await self._producer.send_offsets_to_transaction(
                {partition: next_offset}, names.group(self._application)
            )

    async def _abort(self) -> None:
        with suppress(Exception):
            async with asyncio.timeout(ABORT_S):
                await self._producer.abort_transaction()


async def take_over(
    topics: KafkaTopics, application: str, partition: TopicPartition
) -> KafkaOwnership:
    """Become the only owner; raises `TopicMissing` or `LogUnavailable`."""
    await topics.check(partition)
    transactional_id = topics.names.transactional_id(application, partition)
    producer = AIOKafkaProducer(
        bootstrap_servers=topics.names.bootstrap,
        client_id=transactional_id,
        transactional_id=transactional_id,
        acks="all",
        transaction_timeout_ms=int(TRANSACTION_S * 1000),
        max_batch_size=BATCH_BYTES,
        retry_backoff_ms=RETRY_MS,
        request_timeout_ms=int(REQUEST_S * 1000),
    )
    # Fenced from here on: this initialises the transactional id.
    await start(producer, topics.names, f"taking over {partition.topic}/{partition.partition}")
    return KafkaOwnership(topics, application, partition, producer)


def _commit_error(error: Exception, partition: TopicPartition) -> Exception:
    """The contract's error for what went wrong in a commit; other mistakes stay what they are."""
    doing = f"committing for {partition.topic}/{partition.partition}"
    match error:
        case LogError() | ValueError():
            return error
        case errors.ProducerFenced() | errors.InvalidProducerEpoch():
            return Fenced(f"{doing}: another owner has taken over")
        case errors.KafkaError() | TimeoutError() | OSError():
            found = explain(error, doing)
            known = isinstance(found, RecordTooLarge | TopicMissing)
            return found if known else CommitFailed(str(found))
        case _:
            return CommitFailed(f"{doing}: {type(error).__name__} {error}")
