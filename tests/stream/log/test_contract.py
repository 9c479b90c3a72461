"""What every event log must do; the same tests on memory, SQLite and a real Kafka broker."""

import asyncio

import pytest

from schemas.topics import Topic, partition_of
from stream.log.contract import (
    EventLog,
    LogUnavailable,
    Outgoing,
    PositionLost,
    Record,
    TopicMissing,
    TopicPartition,
    TopicState,
)
from stream.log.open import open_log
from stream.log.outgoing import MAX_RECORD_BYTES
from tests.stream.log.reading import IN, OUT, append, everything, out, values

KEYS = ["lar-wtb", "person:Ñandú-7", "トラック", "🚛", "a" * 300, ""]


# Appending and reading


async def test_records_come_back_in_order_with_key_value_and_headers(log: EventLog) -> None:
    headers = (("ce_id", b"gw1.ab.1"), ("empty", b""), ("ce_id", b"twice"), ("ñ", b"\x00\xff"))
    written = [
        Outgoing("reads", b"k", b"first", headers, 1),
        Outgoing("reads", b"k", b"", (), 1),
        Outgoing("reads", b"\x00\xff", None, (), 1),
        Outgoing("reads", None, b"no key", (), 1),
    ]
    await append(log, written)
    found = await everything(log, IN)
    assert [(r.key, r.value, r.headers) for r in found] == [
        (w.key, w.value, w.headers) for w in written
    ]
    assert [(r.topic, r.partition) for r in found] == [("reads", 1)] * 4
    assert [r.offset for r in found] == [0, 1, 2, 3]
    assert all(r.at_ms > 1_600_000_000_000 for r in found)


@pytest.mark.parametrize("key", KEYS)
async def test_a_key_goes_to_the_partition_that_kafkas_partitioner_chooses(
    log: EventLog, key: str
) -> None:
    await append(log, [Outgoing("reads", key.encode(), b"v")])
    where = TopicPartition("reads", partition_of(key.encode(), 3))
    assert [r.key for r in await everything(log, where)] == [key.encode()]


async def test_a_named_partition_wins_over_the_key(log: EventLog) -> None:
    await append(log, [Outgoing("reads", b"k", b"v", (), at) for at in range(3)])
    for partition in range(3):
        assert len(await everything(log, TopicPartition("reads", partition))) == 1


async def test_order_holds_over_many_appends_and_records(log: EventLog) -> None:
    appender = await log.appender()
    for first in range(0, 3000, 600):
        await appender.append(
            [out(b"%d" % at, key=b"%d" % at, partition=at % 2) for at in range(first, first + 600)]
        )
    await appender.aclose()
    assert await values(log) == [b"%d" % at for at in range(0, 3000, 2)]
    assert await values(log, TopicPartition("records", 1)) == [
        b"%d" % at for at in range(1, 3000, 2)
    ]


async def test_an_append_of_nothing_is_nothing(log: EventLog) -> None:
    await append(log, [])
    assert await values(log) == []


async def test_a_poll_of_an_empty_partition_ends_with_nothing(log: EventLog) -> None:
    reader = await log.reader({IN: 0})
    assert await reader.poll(10, 0.05) == []
    assert reader.positions() == {IN: 0}
    await reader.aclose()


async def test_a_poll_returns_at_most_what_was_asked_and_goes_on_from_there(log: EventLog) -> None:
    await append(log, [out(b"%d" % at) for at in range(25)])
    reader = await log.reader({OUT: 3})
    found: list[Record] = []
    async with asyncio.timeout(20):
        while len(found) < 22:
            records = await reader.poll(10, 1)
            assert len(records) <= 10
            found += records
            if records:
                assert reader.positions() == {OUT: records[-1].offset + 1}
    await reader.aclose()
    assert [r.offset for r in found] == list(range(3, 25))


async def test_a_waiting_poll_wakes_when_another_handle_writes(log: EventLog, log_url: str) -> None:
    reader = await log.reader({OUT: 0})
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        poll = group.create_task(reader.poll(10, 19))
        async with await open_log(log_url) as other:
            await append(other, [out(b"wake")])
    await reader.aclose()
    assert [r.value for r in poll.result()] == [b"wake"]


async def test_a_cancelled_poll_loses_nothing(log: EventLog) -> None:
    reader = await log.reader({OUT: 0})
    poll = asyncio.create_task(reader.poll(10, 30))
    await asyncio.sleep(0)
    poll.cancel()
    assert (await asyncio.wait([poll], timeout=20))[0]
    await append(log, [out(b"1"), out(b"2")])
    found: list[Record] = []
    async with asyncio.timeout(20):
        while len(found) < 2:
            found += await reader.poll(10, 1)
    await reader.aclose()
    assert [r.value for r in found] == [b"1", b"2"]


async def test_two_readers_each_see_everything(log: EventLog) -> None:
    await append(log, [out(b"1"), out(b"2")])
    assert await values(log) == [b"1", b"2"]
    assert await values(log) == [b"1", b"2"]


async def test_one_reader_reads_several_partitions_of_several_topics(log: EventLog) -> None:
    places = [TopicPartition("reads", 0), TopicPartition("reads", 2), TopicPartition("table", 1)]
    await append(
        log, [Outgoing(p.topic, b"k", b"%d" % i, (), p.partition) for p in places for i in (1, 2)]
    )
    reader = await log.reader(dict.fromkeys(places, 0))
    found: list[Record] = []
    async with asyncio.timeout(20):
        while len(found) < 6:
            found += await reader.poll(4, 1)
    assert reader.positions() == dict.fromkeys(places, 2)
    await reader.aclose()
    for place in places:
        mine = [r.value for r in found if (r.topic, r.partition) == place]
        assert mine == [b"1", b"2"]


async def test_a_position_beyond_the_end_is_named(log: EventLog) -> None:
    await append(log, [out(b"1")])
    reader = await log.reader({OUT: 7})
    with pytest.raises(PositionLost):
        await reader.poll(10, 20)
    await reader.aclose()


# Topics


async def test_topics_are_made_once_and_described_as_they_are(log: EventLog, log_url: str) -> None:
    new = Topic("new", "id", (), partitions=4, retention_ms=3_600_000)
    table = Topic("table", "id", (), compacted=True, partitions=2)
    assert await log.create([new, table]) == ["new"]
    assert await log.create([new, table]) == []
    assert await log.describe(["new", "table", "records", "no-such"]) == {
        "new": TopicState(4, compacted=False, retention_ms=3_600_000),
        "table": TopicState(2, compacted=True, retention_ms=None),
        "records": TopicState(2, compacted=False, retention_ms=None),
        "no-such": None,
    }
    # Only Kafka has a setting of its own for it.
    most = MAX_RECORD_BYTES if log_url.startswith("kafka:") else None
    assert await log.max_record_bytes("table") == most
    assert await log.max_record_bytes("no-such") is None


async def test_a_topic_or_partition_that_is_not_there_is_named(log: EventLog) -> None:
    with pytest.raises(TopicMissing, match="no-such"):
        await append(log, [Outgoing("no-such", b"k", b"v")])
    with pytest.raises(TopicMissing, match="records"):
        await append(log, [out(b"v", partition=2)])
    with pytest.raises(TopicMissing, match="no-such"):
        await log.reader({TopicPartition("no-such", 0): 0})
    with pytest.raises(TopicMissing, match="reads"):
        await log.reader({TopicPartition("reads", 3): 0})
    with pytest.raises(TopicMissing, match="no-such"):
        await log.take_over("app", TopicPartition("no-such", 0))
    with pytest.raises(TopicMissing, match="no-such"):
        await log.bounds([TopicPartition("no-such", 0)])
    owner = await log.take_over("app", IN)
    with pytest.raises(TopicMissing, match="no-such"):
        await owner.commit([out(b"v"), Outgoing("no-such", b"k", b"v")], 1)
    await owner.aclose()
    assert await values(log) == []


async def test_bounds_are_the_first_offset_and_the_one_after_the_last(log: EventLog) -> None:
    assert await log.bounds([OUT, IN]) == {OUT: (0, 0), IN: (0, 0)}
    await append(log, [out(b"1"), out(b"2")])
    assert await log.bounds([OUT, IN]) == {OUT: (0, 2), IN: (0, 0)}


# Closing and coming back


async def test_everything_is_there_after_closing_and_opening_again(
    log: EventLog, log_url: str
) -> None:
    owner = await log.take_over("app", IN)
    await owner.commit([out(b"1")], 5)
    await owner.aclose()
    await append(log, [out(b"2")])
    await log.aclose()
    await log.aclose()
    async with await open_log(log_url) as again:
        assert await values(again) == [b"1", b"2"]
        assert (await again.describe(["table"]))["table"] == TopicState(
            2, compacted=True, retention_ms=None
        )
        owner = await again.take_over("app", IN)
        assert await owner.committed() == 5
        await owner.aclose()


async def test_a_closed_appender_takes_nothing(log: EventLog) -> None:
    appender = await log.appender()
    await appender.aclose()
    await appender.aclose()
    with pytest.raises(LogUnavailable):
        await appender.append([out(b"1")])
    assert await values(log) == []
