"""From a start to an exit code."""

import asyncio
import os
import signal
from pathlib import Path

import structlog

from stream.config import StreamTable
from stream.lifetime import FATAL, FENCED, OK, GiveUp, stop_on_signals, supervised, telling
from stream.log.contract import EventLog, Fenced, LogUnavailable, TopicPartition
from stream.log.open import open_log
from stream.running import run_stages
from stream.worker import Worker
from tests.stream.counting import (
    PAIRS,
    Counting,
    create_all,
    give,
    partition,
    said,
    seen,
    until,
    until_committed,
    work_until,
)

SETTINGS = StreamTable(commit_ms=10, tick_s=3_600)


async def made(path: Path) -> str:
    """The URL of a log with all topics and one sighting."""
    url = f"sqlite:{path / 'log.db'}"
    async with await open_log(url) as log:
        await create_all(log)
        await give(log, seen(1, "a"))
    return url


async def test_a_log_that_is_not_there_is_waited_for_and_that_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    url = f"sqlite:{folder / 'log.db'}"
    stop = asyncio.Event()
    with structlog.testing.capture_logs() as lines:
        running = asyncio.create_task(run_stages(url, [Counting()], SETTINGS, stop=stop))
        await until(lambda: any(line["event"] == "log unavailable" for line in lines))
        ready = tmp_path / "ready"
        ready.mkdir()
        await made(ready)
        ready.rename(folder)
        await until(lambda: any(line["event"] == "taken over" for line in lines))
        stop.set()
        assert await running == OK


async def test_stopping_while_waiting_for_the_log_is_a_clean_end(tmp_path: Path) -> None:
    stop = asyncio.Event()
    with structlog.testing.capture_logs() as lines:
        url = f"sqlite:{tmp_path / 'none' / 'log.db'}"
        running = asyncio.create_task(run_stages(url, [Counting()], SETTINGS, stop=stop))
        await until(lambda: bool(lines))
        stop.set()
        assert await running == OK


async def test_a_log_without_topics_ends_the_process_with_the_command_to_run(
    tmp_path: Path,
) -> None:
    with structlog.testing.capture_logs() as lines:
        code = await run_stages(
            f"sqlite:{tmp_path / 'log.db'}", [Counting()], SETTINGS, stop=asyncio.Event()
        )
    assert code == FATAL
    assert "gatebook topics apply" in lines[-1]["why"]


async def test_a_file_that_is_no_log_ends_the_process_at_once(tmp_path: Path) -> None:
    (tmp_path / "log.db").write_bytes(b"this is no database, " * 500)
    with structlog.testing.capture_logs() as lines:
        code = await run_stages(
            f"sqlite:{tmp_path / 'log.db'}", [Counting()], SETTINGS, stop=asyncio.Event()
        )
    assert code == FATAL
    assert lines[-1]["event"] == "leaving"


async def test_a_worker_that_is_fenced_leaves_with_its_own_exit_code(tmp_path: Path) -> None:
    url = await made(tmp_path)
    stop = asyncio.Event()
    with structlog.testing.capture_logs() as lines:
        running = asyncio.create_task(run_stages(url, [Counting()], SETTINGS, stop=stop))
        await until(lambda: any(line["event"] == "taken over" for line in lines))
        async with await open_log(url) as log:
            await log.take_over("lanes", TopicPartition("gate-events", partition(PAIRS[0])))
            await give(log, seen(2, "a"), seen(3, "a"))
            async with asyncio.timeout(20):
                assert await running == FENCED
    assert lines[-1]["error"] == "Fenced"


async def test_sigterm_ends_a_worker_after_its_running_round(tmp_path: Path) -> None:
    url = await made(tmp_path)
    async with await open_log(url) as log:
        running = asyncio.create_task(run_stages(url, [Counting()], SETTINGS))
        place = TopicPartition("gate-events", partition(PAIRS[0]))
        await until_committed(log, place, 1)
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(20):
            assert await running == OK
        assert await said(log) == ["a: seen 1, card None"]


async def test_the_second_signal_is_not_caught(tmp_path: Path) -> None:
    stop = stop_on_signals()
    os.kill(os.getpid(), signal.SIGINT)
    async with asyncio.timeout(5):
        await stop.wait()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler


async def test_a_bug_ends_the_process_with_its_traceback_in_the_journal(tmp_path: Path) -> None:
    async def start(_: EventLog) -> str:
        return "started"

    async def work(started: str, _: asyncio.Event) -> None:
        raise ZeroDivisionError(started)

    with structlog.testing.capture_logs() as lines:
        code = await supervised(f"memory:{tmp_path}", start, work, asyncio.Event())
    assert code == FATAL
    assert lines[-1]["event"] == "broken"


def test_a_fence_is_what_a_group_of_errors_tells_first() -> None:
    fenced = Fenced("b")
    group = ExceptionGroup("g", [LogUnavailable("a"), ExceptionGroup("h", [GiveUp("c"), fenced])])
    assert telling(group) is fenced


async def test_the_two_stages_of_this_version_run_in_one_process(tmp_path: Path) -> None:
    from stream.stages import stages_named  # noqa: PLC0415 - the only test that needs the real stages

    async with await open_log(f"memory:{tmp_path}") as log:
        await create_all(log)
        worker = await Worker.start(
            log, stages_named(["ledger", "lanes"]), StreamTable(tick_s=0.05)
        )
        await work_until(worker, lambda: worker.counts["records"] >= 12)
        assert worker.counts["ticks"] >= 12
