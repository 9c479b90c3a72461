"""A process that is killed in the middle of a commit, on SQLite and on a real broker."""

import asyncio
import signal

import pytest

from stream.log.contract import CommitFailed, EventLog, Fenced, Outgoing, TopicPartition
from tests.stream.log.owners import owner_process
from tests.stream.log.reading import IN, values

TABLE = TopicPartition("table", 1)

pytestmark = pytest.mark.parametrize("log_url", ["sqlite", "kafka"], indirect=True)


@pytest.mark.parametrize(
    ("point", "done"),
    [
        ("commit.begin:2", False),
        ("commit.sent:3", False),
        ("commit.sent:4", False),
        ("commit.before:2", False),
        ("commit.after:2", True),
    ],
)
async def test_a_killed_commit_is_there_whole_or_not_at_all(
    log: EventLog, log_url: str, point: str, done: bool
) -> None:
    async with owner_process(log_url, point) as owner:
        assert await owner.answer() == "ready None"
        await owner.tell("first", 10)
        assert await owner.answer() == "ok"
        await owner.tell("second", 20)
        assert await owner.answer() == ""
        assert await owner.ended() == -signal.SIGKILL
    async with owner_process(log_url) as owner:
        assert await owner.answer() == f"ready {20 if done else 10}"
        await owner.tell("third", 30)
        assert await owner.answer() == "ok"
    expected = [b"first", b"second", b"third"] if done else [b"first", b"third"]
    assert await values(log) == expected
    assert await values(log, TABLE) == expected
    assert await log.committed("app", IN) == 30


async def test_a_zombie_that_was_stopped_between_commits_can_commit_nothing(
    log: EventLog, log_url: str
) -> None:
    async with owner_process(log_url) as zombie:
        assert await zombie.answer() == "ready None"
        await zombie.tell("old", 1)
        assert await zombie.answer() == "ok"
        zombie.process.send_signal(signal.SIGSTOP)
        await zombie.stopped()
        owner = await log.take_over("app", IN)
        assert await owner.committed() == 1
        await owner.commit([Outgoing("records", b"k", b"new", (), 0)], 2)
        zombie.resume()
        await zombie.tell("zombie", 3)
        assert await zombie.answer() == "Fenced"
        assert await zombie.ended() == 0
        await owner.commit([Outgoing("records", b"k", b"newer", (), 0)], 4)
        await owner.aclose()
    assert await values(log) == [b"old", b"new", b"newer"]
    assert await values(log, TABLE) == [b"old"]
    assert await log.committed("app", IN) == 4


async def test_a_take_over_that_races_with_a_commit_sees_whether_it_took_place(
    log: EventLog,
) -> None:
    """Each value is its position, so that a commit lost or done twice would show."""
    owner = await log.take_over("app", IN)
    position = 0
    for _ in range(12):
        racing = asyncio.create_task(owner.commit([counted(position)], position + 1))
        owner = await log.take_over("app", IN)
        try:
            await racing
        except (Fenced, CommitFailed):
            acknowledged = False
        else:
            acknowledged = True
        found = await owner.committed() or 0
        assert found == position + 1 or (found == position and not acknowledged)
        await owner.commit([counted(found)], found + 1)
        position = found + 1
    await owner.aclose()
    assert await values(log) == [b"%d" % at for at in range(position)]


def counted(position: int) -> Outgoing:
    return Outgoing("records", b"k", b"%d" % position, (), 0)
