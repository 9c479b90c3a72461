"""Taking partitions over: what is read, in which order, and what is refused."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import structlog

from schemas.topics import TOPICS
from stream.catch_up import catch_up
from stream.config import StreamTable
from stream.log.contract import (
    EventLog,
    LogUnavailable,
    Outgoing,
    PositionLost,
    Record,
    TopicMissing,
    TopicPartition,
)
from stream.log.open import open_log
from stream.log.sqlite import open_sqlite
from stream.takeover import StateUnreadable, check_topics, take_over
from stream.worker import Worker
from tests.stream.counting import (
    PAIRS,
    Counting,
    append,
    create_all,
    everything,
    give,
    partition,
    said,
    seen,
    work_until,
)

SETTINGS = StreamTable(commit_ms=20, tick_s=3_600)
STAGE = Counting()
PLACE = TopicPartition("gate-events", partition(PAIRS[0]))


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[EventLog]:
    async with await open_log(f"memory:{tmp_path}") as log:
        await create_all(log)
        yield log


async def work(log: EventLog, records: int) -> None:
    worker = await Worker.start(log, [STAGE], SETTINGS)
    await work_until(worker, lambda: worker.counts["records"] >= records)


async def test_the_position_is_read_after_the_fence_so_nothing_is_done_twice(log: EventLog) -> None:
    """The old owner commits after the new one could have read the position, and before its fence."""
    await give(log, seen(1, "a"))
    old = await log.take_over("lanes", PLACE)
    assert await log.committed("lanes", PLACE) is None
    await old.commit([], 1)
    (mine,) = await take_over(log, [STAGE], [PLACE.partition])
    assert mine.position == 1


async def test_the_state_is_that_of_the_last_commit_deleted_keys_included(log: EventLog) -> None:
    await give(log, seen(1, "a"), seen(2, "b"), seen(3, "a"))
    await work(log, 3)
    (mine,) = await take_over(log, [STAGE], [PLACE.partition])
    whole = mine.state.digest()
    assert len(mine.state) == 2
    await mine.ownership.commit(
        [Outgoing("lanes-changelog", b"b", None, (), PLACE.partition)], None
    )
    (again,) = await take_over(log, [STAGE], [PLACE.partition])
    assert [key for key, _ in again.state.items()] == ["a"]
    assert again.state.digest() != whole


async def test_a_partition_that_nobody_has_read_starts_at_its_first_record(log: EventLog) -> None:
    await give(log, seen(1, "a"))
    owned = await take_over(log, [STAGE], range(6))
    assert [one.position for one in owned] == [0] * 6


async def test_a_position_beyond_the_end_is_refused(log: EventLog) -> None:
    owner = await log.take_over("lanes", PLACE)
    await owner.commit([], 5)
    with pytest.raises(PositionLost, match="made anew"):
        await take_over(log, [STAGE], [PLACE.partition])


async def test_records_that_were_deleted_unread_are_reported_and_the_rest_is_read(
    tmp_path: Path,
) -> None:
    async with await open_sqlite(str(tmp_path / "log.db")) as log:
        await create_all(log)
        await give(log, seen(1, "a"))
        await work(log, 1)
        await give(log, seen(2, "a"), seen(3, "a"))
        last = (await everything(log, "gate-events"))[-1].at_ms
        retention = TOPICS["gate-events"].retention_ms
        assert retention is not None
        await log.tidy(last + retention + 1)
        await give(log, seen(4, "a"))
        with structlog.testing.capture_logs() as lines:
            (mine,) = await take_over(log, [STAGE], [PLACE.partition])
        assert mine.position == 3
        assert [line["lost"] for line in lines if "deleted" in line["event"]] == [2]


async def test_a_changelog_row_of_another_program_is_refused_and_left_as_it_is(
    log: EventLog,
) -> None:
    row = Outgoing("lanes-changelog", b"a", b"\x81\xa4type\xa6strang", (), PLACE.partition)
    await append(log, [row])
    with pytest.raises(StateUnreadable, match=r"lanes-changelog/0 offset 0 .*left as it is"):
        await take_over(log, [STAGE], [PLACE.partition])
    assert len(await everything(log, "lanes-changelog")) == 1


async def test_missing_topics_are_named_with_the_command_that_makes_them(tmp_path: Path) -> None:
    async with await open_log(f"memory:{tmp_path}/none") as log:
        await log.create([TOPICS["gate-events"]])
        with pytest.raises(
            TopicMissing, match="credentials, lanes-changelog: run `gatebook topics"
        ):
            await check_topics(log, [STAGE])


async def test_another_partition_count_is_refused(tmp_path: Path) -> None:
    async with await open_log(f"memory:{tmp_path}/few") as log:
        few = TOPICS["credentials"]._replace(partitions=3)
        await log.create([few])
        await create_all(log)
        with pytest.raises(StateUnreadable, match="credentials has 3 partitions and should have 6"):
            await check_topics(log, [STAGE])


async def test_catching_up_ends_at_the_given_end_and_gives_every_record_once(log: EventLog) -> None:
    await give(log, *[seen(n, "a") for n in range(20)])
    reader = await log.reader({PLACE: 4})
    got: list[int] = []

    async def take(records: Sequence[Record]) -> None:
        got.extend(record.offset for record in records)

    assert await catch_up(reader, {PLACE: 20}, take, structlog.get_logger()) == 16
    assert got == list(range(4, 20))


async def test_catching_up_gives_up_when_nothing_comes(log: EventLog) -> None:
    reader = await log.reader({PLACE: 0})

    async def take(_: Sequence[Record]) -> None: ...

    with pytest.raises(LogUnavailable, match="gate-events/0 has 5 offsets left"):
        await catch_up(reader, {PLACE: 5}, take, structlog.get_logger(), stalled_s=0.05)


async def test_a_worker_killed_between_partitions_leaves_each_partition_whole(
    log: EventLog,
) -> None:
    """Partitions commit one by one; the ones that did are not done again, the others are."""
    await give(log, *[seen(n, "a", pair) for n, pair in enumerate(PAIRS)])
    part = StreamTable(partitions=(0,), commit_ms=20, tick_s=3_600)
    worker = await Worker.start(log, [STAGE], part)
    await work_until(worker, lambda: worker.counts["records"] >= 1)
    await work(log, 2)
    assert await said(log) == ["a: seen 1, card None"] * 3


async def test_state_whose_position_the_log_has_forgotten_is_refused(log: EventLog) -> None:
    """Kafka forgets a group's position after a while; to begin anew would do everything twice."""
    await give(log, seen(1, "a"))
    await work(log, 1)
    forgotten = Counting()
    forgotten.name = "counting-under-another-name"
    with pytest.raises(StateUnreadable, match="forgotten its position"):
        await take_over(log, [forgotten], [PLACE.partition])
