"""`gatebook unmatched` on a real log beside a real worker: a person sees the queue and takes a row out."""

import asyncio
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from msgspec.structs import replace

from schemas.border import Closure, Unmatched
from stream.config import StreamTable
from stream.ledger.step import LEDGER
from stream.log.open import open_log
from stream.worker import Worker
from tests.stream.border import at
from tests.stream.counting import append, create_all, messages, outgoing

WAITING = Unmatched(
    unmatched_id="declared_not_seen|person:ben|c1",
    kind="declared_not_seen",
    pair="lar-wtb",
    crossing_id="c1",
    subject="person:ben",
    since_us=at(0),
    why="declared and not heard",
)
CLOSED = replace(
    WAITING, unmatched_id="driver_unread|c2", since_us=at(-60), closed_by="x", closed_at_us=at(5)
)
WHO = ("--authority", "CBP", "--officer", "o-7", "--reason", "stayed at home")


def unmatched(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gatebook", "unmatched", *words],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A log with a row that waits and one that is closed."""
    found = f"sqlite:{tmp_path / 'log.db'}"

    async def make() -> None:
        async with await open_log(found) as log:
            await create_all(log)
            await append(log, [outgoing("unmatched", one) for one in (WAITING, CLOSED)])

    asyncio.run(make())
    return found


async def worked(url: str, rows: int) -> list[Unmatched]:
    """What the queue's topic holds once the ledger stage has brought it to so many records."""
    async with await open_log(url) as log:
        settings = StreamTable(commit_ms=20)
        worker = await Worker.start(log, [LEDGER], settings, clock=lambda: at(1_000))
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group, asyncio.timeout(40):
            group.create_task(worker.run(stop))
            while len(await messages(log, "unmatched")) < rows:  # noqa: ASYNC110 - another task's work
                await asyncio.sleep(0.02)
            stop.set()
        return [one for one in await messages(log, "unmatched") if isinstance(one, Unmatched)]


def closures(url: str) -> list[Closure]:
    async def read() -> list[Closure]:
        async with await open_log(url) as log:
            return [one for one in await messages(log, "crossings") if isinstance(one, Closure)]

    return asyncio.run(read())


def test_list_prints_the_open_rows_and_says_so_by_its_exit_code(url: str) -> None:
    done = unmatched("list", "--log", url, "--json")
    assert done.returncode == 1
    assert [orjson.loads(one)["unmatched_id"] for one in done.stdout.splitlines()] == [
        WAITING.unmatched_id
    ]
    every = unmatched("list", "--log", url, "--all").stdout.splitlines()
    assert [one.split()[-1] for one in every] == [CLOSED.unmatched_id, WAITING.unmatched_id]
    none = unmatched("list", "--log", url, "--kind", "missing_exit")
    assert (none.returncode, none.stdout) == (0, "")


def test_a_row_that_is_closed_leaves_the_queue_and_closing_it_again_is_harmless(url: str) -> None:
    name = WAITING.unmatched_id
    for _ in (1, 2):  # the second before the ledger stage has looked
        assert unmatched("close", name, "--log", url, *WHO).returncode == 0
    first, again = closures(url)
    assert (first.event_id, first.person, first.reason) == (
        again.event_id,
        "person:ben",
        "stayed at home",
    )
    rows = asyncio.run(worked(url, 3))
    assert [one.closed_by for one in rows if one.unmatched_id == name] == [None, first.event_id]
    assert unmatched("list", "--log", url).returncode == 0
    late = unmatched("close", name, "--log", url, *WHO)
    assert (late.returncode, late.stdout.count("closed already")) == (0, 1)
    assert len(closures(url)) == 2


def test_what_cannot_be_closed_is_named(url: str, tmp_path: Path) -> None:
    unknown = unmatched("close", "nothing", "--log", url, *WHO)
    assert (unknown.returncode, "no row nothing" in unknown.stderr) == (2, True)
    empty = ("--authority", "", "--officer", "o-7", "--reason", "r")
    bad = unmatched("close", WAITING.unmatched_id, "--log", url, *empty)
    assert (bad.returncode, "$.authority" in bad.stderr) == (2, True)
    assert closures(url) == []
    assert unmatched("list", "--log", "nowhere").returncode == 2
    assert unmatched("list", "--log", f"sqlite:{tmp_path / 'other.db'}").returncode == 3
