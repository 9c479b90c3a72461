"""From a start to an exit code: wait for the event log, work until told to stop, leave with a reason."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, TypeVar

import structlog

from stream.log.contract import EventLog, Fenced, LogDamaged, LogError, LogUnavailable
from stream.log.open import open_log

_journal = structlog.get_logger(__name__)

OK: Final = 0
#: Something failed that only a new process can get over: the supervisor starts it again.
FATAL: Final = 3
#: Another process has taken over. A supervisor that starts this one again makes the two take turns.
FENCED: Final = 4

FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 10.0
#: Longest time for letting go of the log; the process ends in any case.
CLOSE_S: Final = 10.0

T = TypeVar("T")


class GiveUp(Exception):  # noqa: N818 - named by what it makes the process do
    """Something other than the log makes going on senseless; the text says what to do."""


async def supervised(
    url: str,
    start: Callable[[EventLog], Awaitable[T]],
    work: Callable[[T, asyncio.Event], Awaitable[None]],
    stop: asyncio.Event,
) -> int:
    """Open the log and start (again and again while the log is away), then work; return the exit code.

    `start` may be cancelled by `stop`; `work` sees `stop` and ends by itself.
    """
    try:
        started = await unless_stopped(_started(url, start), stop)
        if started is not None:
            log, whole = started
            try:
                await work(whole, stop)
            finally:
                await _close(log)
    except Exception as error:  # noqa: BLE001 - the end of the process: everything becomes an exit code
        return _leave(error)
    _journal.info("stopped")
    return OK


def stop_on_signals() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set. The second signal ends the process at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    both = (signal.SIGTERM, signal.SIGINT)

    def stop_now() -> None:
        stop.set()
        for one in both:
            loop.remove_signal_handler(one)

    for one in both:
        loop.add_signal_handler(one, stop_now)
    return stop


async def unless_stopped(work: Coroutine[Any, Any, T], stop: asyncio.Event) -> T | None:
    """What `work` returns, or None when `stop` was set first; then it is cancelled."""
    working = asyncio.create_task(work, name="start")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        return None
    finally:
        for task in (working, stopping):
            task.cancel()
        await asyncio.wait({working, stopping})


async def _started(url: str, start: Callable[[EventLog], Awaitable[T]]) -> tuple[EventLog, T]:
    wait_s = FIRST_WAIT_S
    while True:
        try:
            return await _start_once(url, start)
        except LogDamaged:
            raise
        except LogUnavailable as error:
            _journal.warning("log unavailable", why=str(error), again_in_s=wait_s)
        await asyncio.sleep(wait_s)
        wait_s = min(2 * wait_s, LONGEST_WAIT_S)


async def _start_once(url: str, start: Callable[[EventLog], Awaitable[T]]) -> tuple[EventLog, T]:
    log = await open_log(url)
    try:
        return log, await start(log)
    except ExceptionGroup as group:
        await _close(log)
        raise telling(group) from group
    except BaseException:
        await _close(log)
        raise


async def _close(log: EventLog) -> None:
    with suppress(LogError, TimeoutError):
        async with asyncio.timeout(CLOSE_S):
            await log.aclose()


def _leave(error: Exception) -> int:
    first = telling(error)
    if not isinstance(first, LogError | GiveUp):
        _journal.error("broken", exc_info=first)
        return FATAL
    code = FENCED if isinstance(first, Fenced) else FATAL
    _journal.error("leaving", why=str(first), error=type(first).__name__, exit_code=code)
    return code


def telling(error: Exception) -> Exception:
    """The exception of a group that says most: a fence, else the first."""
    if not isinstance(error, ExceptionGroup):
        return error
    leaves = [telling(one) for one in error.exceptions]
    return next((one for one in leaves if isinstance(one, Fenced)), leaves[0])
