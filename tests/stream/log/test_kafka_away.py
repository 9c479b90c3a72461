"""A broker that dies and comes back: everything says so in bounded time, and goes on with new connections."""

import asyncio
from collections.abc import Iterator

import pytest

from stream.log import kafka_batches, kafka_client, kafka_ownership, kafka_reader, kafka_topics
from stream.log.contract import CommitFailed, EventLog, LogUnavailable, Outgoing, Reader
from stream.log.open import open_log
from tests.kafka_broker import Broker
from tests.stream.log.conftest import TOPICS
from tests.stream.log.reading import IN, OUT, append, values


@pytest.fixture
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker of this test's own, since it kills it."""
    broker = Broker(tmp_path_factory.mktemp("kafka-away"))
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(autouse=True)
def _short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (kafka_batches, kafka_client, kafka_topics):
        monkeypatch.setattr(module, "REQUEST_S", 2.0)
    monkeypatch.setattr(kafka_ownership, "TRANSACTION_S", 2.0)
    monkeypatch.setattr(kafka_ownership, "ABORT_S", 0.5)
    monkeypatch.setattr(kafka_reader, "QUIET_S", 0.5)


async def poll_on(reader: Reader) -> None:
    async with asyncio.timeout(30):
        while True:
            await reader.poll(10, 0.2)


async def shown(log: EventLog, position: int) -> None:
    """Wait until the broker shows a position: it finishes a transaction after the commit has returned."""
    async with asyncio.timeout(20):
        while True:
            if await log.committed("app", IN) == position:
                return
            await asyncio.sleep(0.05)


@pytest.mark.timeout(150)
async def test_a_broker_that_dies_is_named_by_everything_and_nothing_is_left_running(
    broker: Broker,
) -> None:
    before = asyncio.all_tasks()
    url = f"kafka://{broker.bootstrap}/away-"
    log = await open_log(url)
    await log.create(TOPICS)
    owner = await log.take_over("app", IN)
    await owner.commit([Outgoing("records", b"k", b"1", (), 0)], 1)
    await shown(log, 1)
    appender = await log.appender()
    await appender.append([Outgoing("records", b"k", b"2", (), 0)])
    reader = await log.reader({OUT: 0})

    await asyncio.to_thread(broker.kill)
    with pytest.raises(LogUnavailable):
        await appender.append([Outgoing("records", b"k", b"lost?", (), 1)])
    with pytest.raises(CommitFailed):
        await owner.commit([Outgoing("records", b"k", b"lost?", (), 1)], 2)
    with pytest.raises(LogUnavailable):
        await poll_on(reader)
    for call in (log.bounds([OUT]), log.committed("app", IN), log.take_over("app", IN)):
        with pytest.raises(LogUnavailable):
            await call
    with pytest.raises(LogUnavailable):
        await open_log(url)
    await log.aclose()
    assert asyncio.all_tasks() == before

    await asyncio.to_thread(broker.start)
    async with await open_log(url) as log:
        owner = await log.take_over("app", IN)
        assert await owner.committed() == 1
        await owner.commit([Outgoing("records", b"k", b"3", (), 0)], 3)
        await append(log, [Outgoing("records", b"k", b"4", (), 0)])
        assert await values(log) == [b"1", b"2", b"3", b"4"]
    assert asyncio.all_tasks() == before
