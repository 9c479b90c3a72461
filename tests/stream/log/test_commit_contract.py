"""What every event log must do with commits and owners; on memory, SQLite and a real Kafka broker."""

import asyncio

import pytest

from schemas.topics import MAX_VALUE_BYTES
from stream.log.contract import (
    CommitFailed,
    EventLog,
    Fenced,
    Outgoing,
    Record,
    RecordTooLarge,
    TopicPartition,
)
from stream.log.open import open_log
from tests.stream.log.reading import IN, OUT, append, everything, out, values

# Committing


async def test_a_commit_writes_outputs_and_position_together(log: EventLog) -> None:
    owner = await log.take_over("app", IN)
    assert await owner.committed() is None
    outputs = [
        out(b"1"),
        Outgoing("table", b"key", None, (("ce_id", b"x"),), 1),
        out(b"2"),
    ]
    await owner.commit(outputs, 42)
    assert await owner.committed() == 42
    await owner.aclose()
    assert await values(log) == [b"1", b"2"]
    (row,) = await everything(log, TopicPartition("table", 1))
    assert (row.key, row.value, row.headers) == (b"key", None, (("ce_id", b"x"),))
    assert await log.committed("app", IN) == 42


async def test_commits_one_after_the_other_keep_their_order(log: EventLog) -> None:
    owner = await log.take_over("app", IN)
    for at in range(5):
        await owner.commit([out(b"%d.%d" % (at, i)) for i in range(3)], at + 1)
    await owner.aclose()
    assert await values(log) == [b"%d.%d" % (at, i) for at in range(5) for i in range(3)]
    assert await log.committed("app", IN) == 5


async def test_a_commit_without_a_position_leaves_it(log: EventLog) -> None:
    owner = await log.take_over("app", IN)
    await owner.commit([out(b"1")], None)
    assert await owner.committed() is None
    await owner.commit([out(b"2")], 7)
    await owner.commit([out(b"3")], None)
    assert await owner.committed() == 7
    await owner.aclose()
    assert await values(log) == [b"1", b"2", b"3"]
    assert await log.committed("app", IN) == 7


async def test_a_commit_without_outputs_moves_the_position(log: EventLog) -> None:
    owner = await log.take_over("app", IN)
    await owner.commit([], 9)
    await owner.commit([], None)
    await owner.aclose()
    again = await log.take_over("app", IN)
    assert await again.committed() == 9
    await again.aclose()


async def test_a_commit_of_thousands_of_records_is_one(log: EventLog) -> None:
    owner = await log.take_over("app", IN)
    outputs = [
        Outgoing("records", b"%d" % at, b"%06d" % at + b"x" * 300, (), at % 2) for at in range(3000)
    ]
    await owner.commit(outputs, 1000)
    await owner.aclose()
    for partition in range(2):
        found = await everything(log, TopicPartition("records", partition))
        assert [r.key for r in found] == [b"%d" % at for at in range(partition, 3000, 2)]


async def test_owners_of_several_partitions_commit_side_by_side(log: EventLog) -> None:
    places = [TopicPartition("reads", partition) for partition in range(3)]
    owners = [await log.take_over("app", place) for place in places]
    async with asyncio.TaskGroup() as group:
        for at, owner in enumerate(owners):
            group.create_task(owner.commit([out(b"%d" % at, partition=1)], 10 + at))
    for owner in owners:
        await owner.aclose()
    assert sorted(map(str, await values(log, TopicPartition("records", 1)))) == [
        "b'0'",
        "b'1'",
        "b'2'",
    ]
    assert [await log.committed("app", place) for place in places] == [10, 11, 12]


async def test_applications_and_partitions_have_positions_of_their_own(log: EventLog) -> None:
    for application, partition, position in (("a", 0, 1), ("a", 1, 2), ("b", 0, 3)):
        owner = await log.take_over(application, TopicPartition("reads", partition))
        await owner.commit([], position)
        await owner.aclose()
    assert await log.committed("a", TopicPartition("reads", 0)) == 1
    assert await log.committed("a", TopicPartition("reads", 1)) == 2
    assert await log.committed("b", TopicPartition("reads", 0)) == 3
    assert await log.committed("b", TopicPartition("reads", 1)) is None


async def test_positions_of_a_reader_reach_the_end_after_commits(log: EventLog) -> None:
    owner = await log.take_over("app", IN)
    await owner.commit([out(b"1")], 1)
    await owner.commit([out(b"2")], 2)
    await owner.aclose()
    # A new owner waits until its predecessor's last commit is complete.
    await (await log.take_over("app", IN)).aclose()
    (_, end) = (await log.bounds([OUT]))[OUT]
    reader = await log.reader({OUT: 0})
    found: list[Record] = []
    async with asyncio.timeout(20):
        while reader.positions()[OUT] < end:
            found += await reader.poll(10, 1)
    await reader.aclose()
    assert [r.value for r in found] == [b"1", b"2"]
    assert reader.positions() == {OUT: end}


# Fencing


async def test_an_old_owner_can_commit_nothing_once_another_has_taken_over(log: EventLog) -> None:
    old = await log.take_over("app", IN)
    await old.commit([out(b"old")], 1)
    new = await log.take_over("app", IN)
    assert await new.committed() == 1
    with pytest.raises(Fenced):
        await old.commit([out(b"zombie")], 2)
    await new.commit([out(b"new")], 3)
    with pytest.raises((CommitFailed, Fenced)):
        await old.commit([out(b"zombie")], 4)
    await old.aclose()
    await new.aclose()
    assert await values(log) == [b"old", b"new"]
    assert await log.committed("app", IN) == 3


async def test_what_the_old_owner_commits_before_the_take_over_is_in_the_position_read_after(
    log: EventLog, log_url: str
) -> None:
    """A new owner that read the position first and took over then would do everything again."""
    async with await open_log(log_url) as other:
        old = await log.take_over("app", IN)
        await old.commit([out(b"0")], 10)
        stale = await other.committed("app", IN)
        await old.commit([out(b"1")], 20)
        new = await other.take_over("app", IN)
        with pytest.raises(Fenced):
            await old.commit([out(b"2")], 30)
        assert await new.committed() == 20
        assert stale in {None, 10}
        await old.aclose()
        await new.aclose()
    assert await values(log) == [b"0", b"1"]


async def test_taking_over_one_partition_fences_nobody_else(log: EventLog) -> None:
    first = await log.take_over("app", TopicPartition("reads", 0))
    second = await log.take_over("app", TopicPartition("reads", 1))
    other = await log.take_over("other", TopicPartition("reads", 0))
    for owner in (first, second, other):
        await owner.commit([out(b"ok")], 1)
        await owner.aclose()
    assert await values(log) == [b"ok"] * 3


async def test_an_ownership_that_was_let_go_commits_nothing(log: EventLog) -> None:
    owner = await log.take_over("app", IN)
    await owner.aclose()
    await owner.aclose()
    with pytest.raises(CommitFailed):
        await owner.commit([out(b"1")], 1)
    assert await values(log) == []


# Records that are too large


@pytest.mark.parametrize(
    "large",
    [
        out(b"x" * (MAX_VALUE_BYTES + 1)),
        out(b"x", key=b"k" * 5000),
        Outgoing("records", b"k", b"x", (("h", b"x" * 20_000),), 0),
    ],
    ids=["value", "key", "headers"],
)
async def test_a_record_that_is_too_large_fails_the_whole_commit(
    log: EventLog, large: Outgoing
) -> None:
    owner = await log.take_over("app", IN)
    with pytest.raises(RecordTooLarge, match="records"):
        await owner.commit([out(b"small"), large], 5)
    with pytest.raises(CommitFailed):
        await owner.commit([out(b"small")], 5)
    await owner.aclose()
    with pytest.raises(RecordTooLarge, match="records"):
        await append(log, [out(b"small"), large])
    again = await log.take_over("app", IN)
    assert await again.committed() is None
    await again.commit([out(b"after")], 6)
    await again.aclose()
    assert await values(log) == [b"after"]


async def test_the_largest_record_is_taken_and_read_with_many_beside_it(log: EventLog) -> None:
    largest = Outgoing(
        "records", b"k" * 4096, b"x" * MAX_VALUE_BYTES, (("h" * 384, b"x" * 16_000),), 0
    )
    owner = await log.take_over("app", IN)
    await owner.commit([out(b"1"), largest, out(b"2"), largest, largest], 5)
    await owner.aclose()
    await append(log, [largest, out(b"3")])
    assert [len(r.value or b"") for r in await everything(log, OUT)] == [
        1,
        MAX_VALUE_BYTES,
        1,
        MAX_VALUE_BYTES,
        MAX_VALUE_BYTES,
        MAX_VALUE_BYTES,
        1,
    ]


async def test_a_record_with_neither_key_nor_partition_is_a_mistake_of_the_program(
    log: EventLog,
) -> None:
    with pytest.raises(ValueError, match="key or a partition"):
        await append(log, [Outgoing("records", None, b"v")])
