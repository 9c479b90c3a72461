"""What goes wrong with Kafka when it is used as its client's documentation does, and does not go wrong here.

The first half of each test is the raw client: if it stops failing, a workaround can go.
"""

import asyncio
import signal
from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka import TopicPartition as KafkaTopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete

from stream.log import kafka_ownership
from stream.log.contract import (
    CommitFailed,
    EventLog,
    Fenced,
    Outgoing,
    RecordTooLarge,
    TopicPartition,
)
from stream.log.open import open_log
from tests.stream.log.conftest import TOPICS
from tests.stream.log.owners import owner_process
from tests.stream.log.reading import IN, OUT, append, everything, values

SMALL = TopicPartition("small", 0)


@pytest.fixture
async def log(kafka_url: str) -> AsyncIterator[EventLog]:
    async with await open_log(kafka_url) as log:
        await log.create(TOPICS)
        yield log


@pytest.fixture
def prefix(kafka_url: str) -> str:
    return kafka_url.rpartition("/")[2]


@pytest.fixture
async def raw(kafka_bootstrap: str, prefix: str) -> AsyncIterator[AIOKafkaProducer]:
    """A transactional producer, used without care."""
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka_bootstrap, transactional_id=f"{prefix}raw", acks="all"
    )
    await producer.start()
    yield producer
    await producer.stop()


async def uncommitted(bootstrap: str, topic: str, count: int) -> list[bytes | None]:
    """What stands in partition 0 of a topic, whatever became of its transactions."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, isolation_level="read_uncommitted", enable_auto_commit=False
    )
    await consumer.start()
    try:
        tp = KafkaTopicPartition(topic, 0)
        consumer.assign([tp])
        consumer.seek(tp, 0)
        found: list[bytes | None] = []
        async with asyncio.timeout(20):
            while len(found) < count:
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    found += [record.value for record in records]
        return found
    finally:
        await consumer.stop()


async def shows(log: EventLog, application: str, position: int) -> None:
    """Wait until the broker shows a committed position."""
    async with asyncio.timeout(20):
        while await log.committed(application, IN) != position:
            pass


# Reading the position before fencing


@pytest.mark.parametrize(("fence_first", "duplicates"), [(False, 10), (True, 0)])
async def test_a_position_read_before_the_fence_does_the_old_owners_last_work_again(
    log: EventLog, fence_first: bool, duplicates: int
) -> None:
    inputs = [b"%d" % at for at in range(20)]

    def results(first: int, end: int) -> list[Outgoing]:
        return [Outgoing("records", b"k", value, (), 0) for value in inputs[first:end]]

    old = await log.take_over("app", IN)
    await old.commit(results(0, 10), 10)
    # The position shows at the broker some time after the commit.
    await shows(log, "app", 10)
    read_first = await log.committed("app", IN)
    await old.commit(results(10, 20), 20)
    new = await log.take_over("app", IN)
    start = await new.committed() if fence_first else read_first
    assert start is not None
    await new.commit(results(start, 20), 20)
    with pytest.raises(Fenced):
        await old.commit(results(10, 20), 20)
    await old.aclose()
    await new.aclose()
    found = await values(log)
    assert len(found) - len(set(found)) == duplicates


async def test_a_position_that_does_not_move_is_committed_again_and_again(
    log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker forgets it otherwise. Seen here by a zombie that finds out without being asked."""
    monkeypatch.setattr(kafka_ownership, "REFRESH_S", 0.05)
    old = await log.take_over("app", IN)
    await old.commit([], 5)
    new = await log.take_over("app", IN)
    assert await new.committed() == 5
    assert isinstance(old, kafka_ownership.KafkaOwnership)
    done, _ = await asyncio.wait([old._refreshing], timeout=20)
    assert done
    assert old.closed
    with pytest.raises(Fenced):
        await old.commit([], 6)
    await new.aclose()
    assert await log.committed("app", IN) == 5


# Losing records inside a transaction that commits


async def small_topic(bootstrap: str, prefix: str) -> None:
    """A topic whose broker takes less than we allow."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        config = {"max.message.bytes": "2000"}
        await admin.create_topics([NewTopic(f"{prefix}small", 1, 1, topic_configs=config)])
    finally:
        await admin.close()


async def test_the_raw_client_commits_transactions_whose_records_were_refused(
    log: EventLog, kafka_bootstrap: str, prefix: str, raw: AIOKafkaProducer
) -> None:
    await small_topic(kafka_bootstrap, prefix)
    topic, group = f"{prefix}small", f"{prefix}raw"
    where = KafkaTopicPartition(f"{prefix}reads", 1)
    futures = []
    for values_, position in (([b"small-1", b"x" * 5000], 1), ([b"small-2"], 2)):
        await raw.begin_transaction()
        futures += [await raw.send(topic, value, b"k", partition=0) for value in values_]
        await raw.send_offsets_to_transaction({where: position}, group)
        await raw.commit_transaction()
    errors = [type(future.exception()).__name__ for future in futures]
    assert errors == ["MessageSizeTooLargeError"] * 2 + ["OutOfOrderSequenceNumber"]
    assert await values(log, SMALL) == []
    await shows(log, "raw", 2)


async def test_a_record_that_the_broker_refuses_fails_the_commit_and_leaves_nothing(
    log: EventLog, kafka_bootstrap: str, prefix: str
) -> None:
    await small_topic(kafka_bootstrap, prefix)
    small, large = (Outgoing("small", b"k", value, (), 0) for value in (b"small", b"x" * 5000))
    owner = await log.take_over("app", IN)
    with pytest.raises(RecordTooLarge):
        await owner.commit([small, Outgoing("records", b"k", b"beside", (), 0), large], 1)
    with pytest.raises(CommitFailed):
        await owner.commit([small], 2)
    again = await log.take_over("app", IN)
    assert await again.committed() is None
    await again.commit([small], 3)
    await again.aclose()
    with pytest.raises(RecordTooLarge):
        await append(log, [large])
    assert await values(log, SMALL) == [b"small"]
    assert await values(log) == []


# Aborted and open transactions


async def test_records_of_a_killed_commit_are_in_the_log_and_nobody_reads_them(
    log: EventLog, kafka_url: str, kafka_bootstrap: str, prefix: str
) -> None:
    async with owner_process(kafka_url, "commit.before:1") as owner:
        assert await owner.answer() == "ready None"
        await owner.tell("killed", 1)
        assert await owner.answer() == ""
        assert await owner.ended() == -signal.SIGKILL
    assert await uncommitted(kafka_bootstrap, f"{prefix}records", 1) == [b"killed"]
    # The new owner ends the transaction of the old one; readers need not wait for its time-out.
    await (await log.take_over("app", IN)).aclose()
    (_, end) = (await log.bounds([OUT]))[OUT]
    assert end == 2
    reader = await log.reader({OUT: 0})
    async with asyncio.timeout(20):
        while reader.positions()[OUT] < end:
            assert await reader.poll(10, 1) == []
    await reader.aclose()


async def test_a_zombie_stopped_inside_its_commit_adds_nothing_when_it_goes_on(
    log: EventLog, kafka_url: str, kafka_bootstrap: str, prefix: str
) -> None:
    async with owner_process(kafka_url, "commit.before:2:stop") as zombie:
        assert await zombie.answer() == "ready None"
        await zombie.tell("old", 1)
        assert await zombie.answer() == "ok"
        await zombie.tell("zombie", 2)
        await zombie.stopped()
        owner = await log.take_over("app", IN)
        assert await owner.committed() == 1
        await owner.commit([Outgoing("records", b"k", b"new", (), 0)], 2)
        zombie.resume()
        assert await zombie.answer() == "Fenced"
        assert await zombie.ended() == 0
        await owner.aclose()
    assert await uncommitted(kafka_bootstrap, f"{prefix}records", 3) == [b"old", b"zombie", b"new"]
    assert await values(log) == [b"old", b"new"]
    assert await log.committed("app", IN) == 2


async def test_an_open_transaction_holds_back_what_stands_after_it(
    log: EventLog, prefix: str, raw: AIOKafkaProducer
) -> None:
    await raw.begin_transaction()
    await raw.send_and_wait(f"{prefix}records", b"open", b"k", partition=0)
    await append(log, [Outgoing("records", b"k", b"after", (), 0)])
    assert await log.bounds([OUT]) == {OUT: (0, 0)}
    reader = await log.reader({OUT: 0})
    assert await reader.poll(10, 0.5) == []
    await raw.abort_transaction()
    assert [record.value for record in await reader.poll(10, 20)] == [b"after"]
    await reader.aclose()


async def test_a_failed_commit_is_aborted_at_once_so_that_readers_do_not_wait(
    log: EventLog, kafka_bootstrap: str, prefix: str
) -> None:
    await small_topic(kafka_bootstrap, prefix)
    large = Outgoing("small", b"k", b"x" * 5000, (), 0)
    owner = await log.take_over("app", IN)
    with pytest.raises(RecordTooLarge):
        await owner.commit([Outgoing("records", b"k", b"lost", (), 0), large], 1)
    # Without a new owner: within the limit of `everything`, not after the broker's time-out.
    async with asyncio.timeout(10):
        assert [r.value for r in await everything(log, OUT)] == []


# Records that were deleted under a reader


async def test_a_position_whose_records_were_deleted_goes_on_at_the_first_that_is_left(
    log: EventLog, kafka_bootstrap: str, prefix: str
) -> None:
    await append(log, [Outgoing("records", b"k", b"%d" % at, (), 0) for at in range(5)])
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    try:
        tp = KafkaTopicPartition(f"{prefix}records", 0)
        await admin.delete_records({tp: RecordsToDelete(before_offset=3)})
    finally:
        await admin.close()
    assert await log.bounds([OUT]) == {OUT: (3, 5)}
    assert await values(log) == [b"3", b"4"]
