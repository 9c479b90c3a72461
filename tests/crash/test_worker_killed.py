"""A worker that is killed anywhere leaves nothing lost, nothing doubled and no state behind.

The process is real and dies by SIGKILL; the stages are the real ones; crossings are open when it happens,
and the next worker has nothing but the changelog to know them from.
"""

import asyncio
import signal
import subprocess
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as KafkaTopicPartition

from schemas.audit import Audit
from schemas.wire import decode
from stream.audit_check import AuditCheck
from stream.lifetime import FENCED
from stream.log.open import open_log
from stream.log.url import KafkaUrl, parse_log_url
from tests.crash.killing import (
    OUTPUTS,
    Written,
    die,
    fill,
    finish,
    more,
    same_end,
    undisturbed,
    until_done,
    until_stopped,
    worker,
    written,
)
from tests.crash.story import events, rows
from tests.stream.counting import create_all, give

pytestmark = pytest.mark.timeout(120)

WORKER_POINTS = ("worker.polled", "worker.stepped", "worker.committed")
COMMIT_POINTS = ("commit.begin", "commit.sent", "commit.before", "commit.after")
CHANGELOGS = ("lanes-changelog", "ledger-changelog")


@pytest.fixture(scope="session")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """What a run gives that nobody disturbs."""
    found = asyncio.run(undisturbed(f"sqlite:{tmp_path_factory.mktemp('undisturbed') / 'log.db'}"))
    topics = ("crossings", "border-records", "unmatched", "referrals-restricted")
    told = ("exchange-us", "exchange-ca", "exchange-mx")
    assert {topic: len(found[topic]) for topic in (*topics, *told)} == {
        "crossings": 12,
        "border-records": 10,
        "exchange-us": 10,
        "exchange-ca": 0,
        "exchange-mx": 10,
        "unmatched": 2,
        "referrals-restricted": 2,
    }
    rows = [decode("audit", value or b"") for _, _, value in found["audit"]]
    check = AuditCheck()
    assert [one for row in rows if isinstance(row, Audit) for one in check.take(row)] == []
    assert check.rows >= 2 * 12
    return found


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:{tmp_path / 'log.db'}"


def restored(journal: list[dict[str, object]]) -> object:
    """How many state rows the worker got back."""
    return next(line["state_rows"] for line in journal if line["event"] == "taken over")


#: The first twelve commits of a run are those of its first round, one a partition and stage: ticks come with it.
@pytest.mark.parametrize("passage", [2, 17])
@pytest.mark.parametrize("point", [*WORKER_POINTS, *COMMIT_POINTS])
async def test_killed_at_any_point_on_sqlite_the_end_is_the_same(
    sqlite_url: str, wanted: Written, point: str, passage: int
) -> None:
    await fill(sqlite_url)
    die(sqlite_url, f"{point}:{passage}")
    half = await written(sqlite_url)
    assert sum(len(half[topic]) for topic in OUTPUTS) < sum(len(one) for one in wanted.values())
    await finish(sqlite_url)
    same_end(await written(sqlite_url), wanted)


async def test_open_crossings_come_back_from_the_changelog(
    sqlite_url: str, wanted: Written
) -> None:
    await fill(sqlite_url)
    die(sqlite_url, "commit.after:17")
    open_crossings = {key for _, key, _ in (await written(sqlite_url))["arrivals"]}
    ended = len((await written(sqlite_url))["crossings"])
    assert len(open_crossings) > ended
    journal = await finish(sqlite_url)
    assert restored(journal)
    same_end(await written(sqlite_url), wanted)


async def test_killed_again_and_again_also_while_restoring_the_end_is_the_same(
    sqlite_url: str, wanted: Written
) -> None:
    await fill(sqlite_url)
    for point in (
        "commit.after:9",
        "worker.restoring:1",
        "worker.restoring:3",
        "commit.before:8",
        "commit.sent:9",
        "worker.committed:2",
        "commit.begin:7",
    ):
        die(sqlite_url, point)
    await finish(sqlite_url)
    same_end(await written(sqlite_url), wanted)


@pytest.mark.parametrize(
    "point", ["commit.sent:25", "commit.before:17", "commit.after:17", "worker.stepped:5"]
)
async def test_killed_at_any_point_on_kafka_the_end_is_the_same(
    kafka_url: str, wanted: Written, point: str
) -> None:
    await fill(kafka_url)
    die(kafka_url, point)
    if point.startswith("commit.after"):
        assert await aborted(kafka_url) == 0
    journal = await finish(kafka_url)
    assert restored(journal)
    same_end(await written(kafka_url), wanted)
    if point.startswith(("commit.sent", "commit.before")):
        assert await aborted(kafka_url) > 0


async def test_killed_on_kafka_while_restoring_the_end_is_the_same(
    kafka_url: str, wanted: Written
) -> None:
    await fill(kafka_url)
    for point in ("commit.before:17", "worker.restoring:3", "commit.sent:9"):
        die(kafka_url, point)
    await finish(kafka_url)
    same_end(await written(kafka_url), wanted)


async def aborted(url: str) -> int:
    """Records of aborted transactions: what readers of uncommitted records see beyond the committed."""
    where = parse_log_url(url)
    assert isinstance(where, KafkaUrl)
    visible = await written(url, (*OUTPUTS, *CHANGELOGS))
    committed = sum(len(records) for records in visible.values())
    consumer = AIOKafkaConsumer(
        bootstrap_servers=list(where.brokers), isolation_level="read_uncommitted"
    )
    await consumer.start()
    try:
        places = [
            KafkaTopicPartition(where.prefix + topic, number)
            for topic in visible
            for number in range(6)
        ]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        await consumer.seek_to_beginning(*places)
        seen = 0
        while [place for place in places if await consumer.position(place) < ends[place]]:
            found = await consumer.getmany(timeout_ms=200)
            seen += sum(one.key != b"tick" for records in found.values() for one in records)
    finally:
        await consumer.stop()
    return seen - committed


@pytest.mark.parametrize(
    ("log", "point"),
    [
        ("sqlite", "worker.stepped:5:stop"),
        ("kafka", "worker.stepped:5:stop"),
        ("kafka", "commit.before:17:stop"),
    ],
)
async def test_a_worker_stopped_with_work_in_hand_can_commit_none_of_it_later(
    log: str, point: str, request: pytest.FixtureRequest, wanted: Written
) -> None:
    """SIGSTOP, replacement, SIGCONT: the zombie still believes that it owns everything."""
    url: str = request.getfixturevalue(f"{log}_url")
    await fill(url)
    with worker(url, point) as zombie:
        await asyncio.to_thread(until_stopped, zombie.pid)
        await finish(url)
        await sees_itself_replaced(zombie)
    same_end(await written(url), wanted)


async def test_an_idle_worker_that_was_replaced_while_stopped_leaves_at_its_next_commit(
    sqlite_url: str, wanted: Written
) -> None:
    first, rest = events()[:30], events()[30:]
    async with await open_log(sqlite_url) as opened:
        await create_all(opened)
        await give(opened, *rows(), *first)
    with worker(sqlite_url) as zombie:
        await until_done(sqlite_url, zombie)
        zombie.send_signal(signal.SIGSTOP)
        await more(sqlite_url, rest)
        await finish(sqlite_url)
        await sees_itself_replaced(zombie)
    same_end(await written(sqlite_url), wanted)


async def sees_itself_replaced(zombie: "subprocess.Popen[bytes]") -> None:
    """Let it go on, and see that it leaves with the exit code of a fence."""
    zombie.send_signal(signal.SIGCONT)
    _, journal = await asyncio.to_thread(zombie.communicate, timeout=60)
    assert zombie.returncode == FENCED, journal.decode()
