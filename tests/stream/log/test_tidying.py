"""What compaction may delete, and that the embedded logs do it."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.log.contract import EventLog, Outgoing, TopicPartition
from stream.log.memory import MemoryLog
from stream.log.open import open_log
from stream.log.sqlite import SqliteLog
from stream.log.tidying import MIN_ADDED, TOMBSTONE_MS, Kept, compaction_due, superseded
from tests.stream.log.conftest import TOPICS
from tests.stream.log.reading import OUT, append, everything

TABLE = TopicPartition("table", 0)
NOW_MS = 1_800_000_000_000


@pytest.fixture(params=["memory", "sqlite"])
async def log(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[EventLog]:
    """The logs that tidy themselves; a Kafka broker does it on its own."""
    url = f"memory:{tmp_path}" if request.param == "memory" else f"sqlite:{tmp_path}/log.db"
    async with await open_log(url) as log:
        await log.create(TOPICS)
        yield log


def row(key: bytes, value: bytes | None) -> Outgoing:
    return Outgoing("table", key, value, (), 0)


def test_all_but_the_last_value_of_a_key_may_go() -> None:
    keys = [b"a", b"b", b"a", None, b"a", b"b", None]
    records = [Kept(at, key, False, NOW_MS) for at, key in enumerate(keys)]
    assert superseded(records, NOW_MS) == [0, 1, 2]


def test_a_tombstone_goes_when_everybody_has_had_time_to_read_it() -> None:
    records = [Kept(0, b"a", False, 0), Kept(3, b"a", True, NOW_MS), Kept(4, b"b", True, NOW_MS)]
    assert superseded(records, NOW_MS + TOMBSTONE_MS) == [0]
    assert superseded(records, NOW_MS + TOMBSTONE_MS + 1) == [0, 3, 4]


@given(st.lists(st.tuples(st.sampled_from([b"a", b"b", b"c"]), st.booleans()), max_size=30))
def test_a_table_folded_from_what_is_left_is_the_same(rows: list[tuple[bytes, bool]]) -> None:
    records = [Kept(at, key, deletes, 0) for at, (key, deletes) in enumerate(rows)]
    gone = set(superseded(records, NOW_MS))
    left = [record for record in records if record.offset not in gone]
    assert fold(left) == fold(records)
    assert len(left) == len(fold(records))


def fold(records: list[Kept]) -> dict[bytes | None, int]:
    table: dict[bytes | None, int] = {}
    for record in records:
        table.pop(record.key, None)
        if not record.deletes:
            table[record.key] = record.offset
    return table


def test_compaction_waits_until_as_much_was_added_as_there_is() -> None:
    assert not compaction_due(MIN_ADDED - 1, 0)
    assert compaction_due(MIN_ADDED, 0)
    assert not compaction_due(MIN_ADDED, MIN_ADDED + 1)


async def test_a_table_that_is_rewritten_does_not_grow(log: EventLog) -> None:
    owner = await log.take_over("app", TABLE)
    for at in range(8):
        await owner.commit(
            [row(b"%d" % (i % 50), b"%d.%d" % (at, i)) for i in range(MIN_ADDED // 4)], at + 1
        )
        await asyncio.sleep(0)
    async with asyncio.timeout(20):
        while len(found := await everything(log, TABLE)) > MIN_ADDED:
            await append(log, [row(b"more", b"more")])
    assert {(r.key, r.value) for r in found[-50:]} <= {(r.key, r.value) for r in found}
    latest = {r.key: r.value for r in found if r.key != b"more"}
    assert latest == {
        b"%d" % (i % 50): b"7.%d" % i for i in range(MIN_ADDED // 4 - 50, MIN_ADDED // 4)
    }
    (first, end) = (await log.bounds([TABLE]))[TABLE]
    assert first > 0
    assert end >= 8 * (MIN_ADDED // 4)


async def test_a_reader_on_its_way_goes_over_what_was_compacted(log: EventLog) -> None:
    half = MIN_ADDED // 2
    await append(log, [row(b"%d" % (at % 10), b"%d" % at) for at in range(half)])
    reader = await log.reader({TABLE: 0})
    assert len(await reader.poll(10, 1)) == 10
    await append(log, [row(b"%d" % (at % 10), b"%d" % at) for at in range(half, 2 * half)])
    if isinstance(log, SqliteLog):
        await log.tidy(NOW_MS)
    found = await reader.poll(100, 1)
    assert [int(r.value or b"") for r in found] == list(range(2 * half - 10, 2 * half))
    assert reader.positions() == {TABLE: 2 * half}
    await reader.aclose()


async def test_records_go_when_their_topic_keeps_them_no_longer(log: EventLog) -> None:
    await append(log, [Outgoing("reads", b"k", b"%d" % at, (), 0) for at in range(4000)])
    await append(log, [Outgoing("records", b"k", b"for ever", (), 0)])
    now_ms = time.time_ns() // 1_000_000
    where = TopicPartition("reads", 0)
    await tidy(log, now_ms + 6 * 86_400_000)
    assert (await log.bounds([where]))[where] == (0, 4000)
    await tidy(log, now_ms + 8 * 86_400_000)
    assert (await log.bounds([where]))[where] == (4000, 4000)
    assert [r.value for r in await everything(log, OUT)] == [b"for ever"]
    assert [r.offset for r in await everything(log, where)] == []
    # A reader from before goes on at the first record that is left.
    await append(log, [Outgoing("reads", b"k", b"new", (), 0)])
    assert [r.offset for r in await everything(log, where)] == [4001]


async def tidy(log: EventLog, now_ms: int) -> None:
    if isinstance(log, SqliteLog):
        await log.tidy(now_ms)
    if isinstance(log, MemoryLog):
        log.retain(now_ms)
