"""Run stages as a process does: on a log by its URL, until a signal, to an exit code."""

import asyncio
from collections.abc import Sequence

from stream.config import StreamTable
from stream.lifetime import stop_on_signals, supervised
from stream.log.contract import EventLog
from stream.stage import Stage
from stream.worker import Clock, Worker, wall_clock_us


async def run_stages(
    url: str,
    stages: Sequence[Stage],
    settings: StreamTable,
    *,
    clock: Clock = wall_clock_us,
    stop: asyncio.Event | None = None,
) -> int:
    """Run stages on the log at `url` until SIGTERM, SIGINT or `stop`; return the exit code."""

    async def start(log: EventLog) -> Worker:
        return await Worker.start(log, stages, settings, clock)

    return await supervised(url, start, Worker.run, stop or stop_on_signals())
