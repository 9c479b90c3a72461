"""What only a log in a file can meet: other processes, a full disk, a damaged or foreign file."""

import asyncio
import sqlite3
import stat
import sys
from pathlib import Path
from typing import Final

import pytest

from stream.log import sqlite_file
from stream.log.contract import EventLog, LogDamaged, LogUnavailable, Outgoing, TopicPartition
from stream.log.open import open_log
from tests.stream.log.conftest import TOPICS
from tests.stream.log.reading import IN, OUT, append, values

ROOT: Final = Path(__file__).resolve().parents[3]

#: Appends from `argv[2]` processes' worth of names, each its own numbers.
WRITER: Final = """
import asyncio, sys
from stream.log.contract import Outgoing
from stream.log.open import open_log
from tests.stream.log.conftest import TOPICS

async def main(url, name):
    async with await open_log(url) as log:
        await log.create(TOPICS)
        appender = await log.appender()
        for at in range(100):
            await appender.append([Outgoing("records", name, b"%d" % at, (), 0)])

asyncio.run(main(sys.argv[1], sys.argv[2].encode()))
"""

#: Fills the file until it may grow no more, then says what it was told.
FILLER: Final = """
import asyncio, resource, signal, sys
from stream.log.contract import CommitFailed, LogUnavailable, Outgoing, TopicPartition
from stream.log.open import open_log
from tests.stream.log.conftest import TOPICS

async def main(url):
    async with await open_log(url) as log:
        await log.create(TOPICS)
        owner = await log.take_over("app", TopicPartition("reads", 1))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, resource.RLIM_INFINITY))
        at = 0
        try:
            while True:
                await owner.commit([Outgoing("records", b"k", b"x" * 50_000, (), 0)], at + 1)
                at += 1
        except (CommitFailed, LogUnavailable) as error:
            print(at, error)

asyncio.run(main(sys.argv[1]))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.fixture
def log_url(path: Path) -> str:
    return f"sqlite:{path}"


async def run(script: str, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(50):
        out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode()


async def test_processes_that_make_and_write_one_file_at_once_lose_nothing(log_url: str) -> None:
    async with asyncio.TaskGroup() as group:
        for name in "abcd":
            group.create_task(run(WRITER, log_url, name))
    async with await open_log(log_url) as log:
        reader = await log.reader({OUT: 0})
        found = await reader.poll(1000, 5)
    assert [r.offset for r in found] == list(range(400))
    for key in (b"a", b"b", b"c", b"d"):
        mine = [int(r.value or b"") for r in found if r.key == key]
        assert mine == list(range(100))


async def test_a_full_disk_is_named_and_what_was_committed_stays(log_url: str) -> None:
    count, text = (await run(FILLER, log_url)).split(maxsplit=1)
    assert "disk is full" in text or "I/O" in text
    async with await open_log(log_url) as log:
        done = len(await values(log))
        assert done == int(count) > 0
        owner = await log.take_over("app", IN)
        assert await owner.committed() == done
        await owner.commit([Outgoing("records", b"k", b"there is room again", (), 0)], done + 1)
        assert (await values(log))[-1] == b"there is room again"


async def test_a_new_file_is_for_its_owner_only(log: EventLog, path: Path) -> None:
    await append(log, [Outgoing("records", b"k", b"v", (), 0)])
    for each in (path, path.with_name("log.db-wal"), path.with_name("log.db-shm")):
        assert stat.S_IMODE(each.stat().st_mode) == 0o600


async def test_another_process_that_writes_for_too_long_is_named(
    log_url: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "BUSY_S", 0.1)
    async with await open_log(log_url) as log:
        await log.create(TOPICS)
        owner = await log.take_over("app", IN)
        hog = sqlite3.connect(path, isolation_level=None)
        hog.execute("BEGIN IMMEDIATE")
        with pytest.raises(LogUnavailable, match="another process"):
            await append(log, [Outgoing("records", b"k", b"v", (), 0)])
        with pytest.raises(LogUnavailable, match="another process"):
            await owner.commit([Outgoing("records", b"k", b"v", (), 0)], 1)
        hog.execute("ROLLBACK")
        hog.close()
        assert await values(log) == []
        again = await log.take_over("app", IN)
        assert await again.committed() is None


async def test_a_database_of_something_else_is_refused_and_left_as_it_is(
    log_url: str, path: Path
) -> None:
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE notes (text)")
    other.close()
    with pytest.raises(LogDamaged, match="something else"):
        await open_log(log_url)
    other = sqlite3.connect(path)
    assert other.execute("SELECT name FROM sqlite_schema").fetchall() == [("notes",)]
    other.close()


async def test_a_log_of_another_version_is_refused(log_url: str, path: Path) -> None:
    await (await open_log(log_url)).aclose()
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version=9")
    other.close()
    with pytest.raises(LogDamaged, match="version 9"):
        await open_log(log_url)


async def test_a_damaged_file_is_named(log_url: str, path: Path) -> None:
    async with await open_log(log_url) as log:
        await log.create(TOPICS)
        await append(log, [Outgoing("records", b"k", b"x" * 1000, (), 0) for _ in range(500)])
    damage(path)
    with pytest.raises(LogDamaged, match="damaged"):
        async with await open_log(log_url) as log:
            await values(log)


def damage(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[:8192] + b"\xff" * (len(whole) - 8192))


async def test_a_closed_handle_says_so(log_url: str) -> None:
    log = await open_log(log_url)
    await log.create(TOPICS)
    reader = await log.reader({IN: 0})
    await log.aclose()
    with pytest.raises(LogUnavailable, match="closed"):
        await reader.poll(1, 0)
    with pytest.raises(LogUnavailable, match="closed"):
        await log.bounds([IN])


async def test_many_partitions_share_a_poll(log: EventLog) -> None:
    places = [TopicPartition("reads", at) for at in range(3)]
    await append(
        log, [Outgoing("reads", b"k", b"v", (), p.partition) for p in places for _ in range(50)]
    )
    reader = await log.reader(dict.fromkeys(places, 0))
    seen = {r.partition for _ in range(3) for r in await reader.poll(10, 1)}
    assert seen == {0, 1, 2}
