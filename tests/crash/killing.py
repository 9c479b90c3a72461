"""Run a worker process, let it be killed, and compare what it left with a run that nobody disturbed."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from schemas.message import Message
from stream.log.contract import EventLog, TopicPartition
from stream.log.open import open_log
from tests.crash.story import events, rows
from tests.stream.counting import create_all, everything, give

ROOT = Path(__file__).parents[2]
OUTPUTS = (
    "arrivals",
    "carrier-notices",
    "referrals-restricted",
    "audit",
    "crossings",
    "border-records",
    "exchange-us",
    "exchange-ca",
    "exchange-mx",
    "unmatched",
    "alerts",
    "rejected",
)
Written = dict[str, list[tuple[int, bytes | None, bytes | None]]]


async def fill(url: str) -> None:
    """Make the topics and write the whole story's input."""
    async with await open_log(url) as log:
        await create_all(log)
        await give(log, *rows())
        await give(log, *events())


@contextmanager
def worker(url: str, crash_at: str = "", batch: int = 4) -> Iterator[subprocess.Popen[bytes]]:
    """A running worker process, killed at the end if it is still there."""
    environment = {**os.environ, "GATEBOOK_CRASH_AT": crash_at}
    words = [sys.executable, "-m", "tests.crash.run_worker", url, str(batch)]
    with subprocess.Popen(words, cwd=ROOT, env=environment, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def die(url: str, crash_at: str, batch: int = 4) -> None:
    """Run a worker that kills itself at a named point, and see that it did."""
    with worker(url, crash_at, batch) as process:
        _, journal = process.communicate(timeout=50)
        assert process.returncode == -signal.SIGKILL, f"{crash_at}: {journal.decode()}"


def until_stopped(pid: int) -> None:
    """Wait until a child has stopped itself; fail when it ended instead."""
    seen = os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    assert seen is not None
    assert seen.si_code == os.CLD_STOPPED


async def finish(url: str) -> list[dict[str, Any]]:
    """Run a worker until everything is done, stop it, and return its journal."""
    with worker(url) as process:
        await until_done(url, process)
        process.send_signal(signal.SIGTERM)
        _, journal = await asyncio.to_thread(process.communicate, timeout=50)
        assert process.returncode == 0, journal.decode()
    return [orjson.loads(line) for line in journal.splitlines()]


async def until_done(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until both stages have committed their whole input; fail when the process ends before."""
    async with await open_log(url) as log, asyncio.timeout(50):
        while await _unread(log):
            assert process.poll() is None, (process.communicate()[1] or b"").decode()
            await asyncio.sleep(0.05)


async def _unread(log: EventLog) -> int:
    lanes = await _left(log, "lanes", "gate-events")
    return lanes or await _left(log, "ledger", "crossings")


async def _left(log: EventLog, application: str, topic: str) -> int:
    """Input records that are not committed as read; a transaction's marker is none."""
    left = 0
    for record in await everything(log, topic):
        position = await log.committed(application, TopicPartition(topic, record.partition))
        left += record.offset >= (position or 0)
    return left


async def written(url: str, topics: Sequence[str] = OUTPUTS) -> Written:
    """Everything that readers of committed records see, in order; without ticks, which each start writes."""
    async with await open_log(url) as log:
        return {
            topic: [
                (one.partition, one.key, one.value)
                for one in await everything(log, topic)
                if one.key != b"tick"
            ]
            for topic in topics
        }


async def undisturbed(url: str) -> Written:
    """What a worker writes that nobody kills."""
    await fill(url)
    await finish(url)
    return await written(url)


def same_end(found: Written, wanted: Written) -> None:
    """The same records, each once: in order of each topic, partition and key."""
    for topic, records in wanted.items():
        assert by_key(found[topic]) == by_key(records), topic


def by_key(
    records: Sequence[tuple[int, bytes | None, bytes | None]],
) -> dict[tuple[int, bytes | None], list[bytes | None]]:
    found: dict[tuple[int, bytes | None], list[bytes | None]] = {}
    for partition, key, value in records:
        found.setdefault((partition, key), []).append(value)
    return found


async def more(url: str, messages: Sequence[Message]) -> None:
    """Write more input."""
    async with await open_log(url) as log:
        await give(log, *messages)
