"""The loop between the stations and the outbox: take what is there, store it as one, acknowledge.

Nothing lingers that made an event or has a sender who waits for an acknowledgement. Reads that only
lengthen open stays, and notes that are only counted, are stored now and then, to spare the flash memory
of a small machine.
"""

import asyncio
import os
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import structlog

from gateway.health import write_status
from gateway.intake import Intake, Report, Told
from gateway.link import Clock, Link, LinkDown, LinkUp, Ticket
from gateway.outbox import Outbox, OutboxFull
from gateway.reads import Read

#: Reports that may wait for the loop; then the stations wait, and with them the links.
QUEUE: Final = 1_000

#: Reports of one commit.
MOST: Final = 500

#: How often time-outs are looked at while nothing comes.
TICK_S: Final = 0.05

#: After this what only lengthened a stay is stored, and after that what was only counted.
LINGER_US: Final = 100_000
COUNTS_LINGER_US: Final = 1_000_000

#: Waits while the outbox cannot be written, seconds.
FIRST_WAIT_S: Final = 0.1
LAST_WAIT_S: Final = 2.0

_log = structlog.get_logger("gateway.pump")


class Pump:
    """Runs the intake."""

    def __init__(
        self,
        core: Intake,
        outbox: Outbox,
        *,
        links: Mapping[str, Link],
        now_us: Clock,
        heartbeat_us: int,
        status: Path,
        log_connected: Callable[[], bool],
        passing: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`links`: by reader, for the acknowledgements. `passing` is told of the points of a commit."""
        self._core = core
        self._outbox = outbox
        self._links = links
        self._now_us = now_us
        self._heartbeat_us = heartbeat_us
        self._status = status
        self._log_connected = log_connected
        self._passing = passing
        self._queue: asyncio.Queue[Told] = asyncio.Queue(QUEUE)
        self._tickets: defaultdict[str, list[Ticket]] = defaultdict(list)
        #: Answers that readers wait for, by reader, in the order of their reports.
        self._answers: defaultdict[str, bytearray] = defaultdict(bytearray)
        self._next_beat_us = 0
        self._stored_us = 0
        self._closed = False
        self._turn = asyncio.Lock()

    async def put(self, told: Told) -> None:
        """Take a report; waits while too many are there, and drops it once the pump is closed.

        What is dropped then was never acknowledged, so a broker sends it again.
        """
        if not self._closed:
            await self._queue.put(told)

    async def run(self) -> None:
        """Work for ever."""
        while True:
            async with self._turn:
                await self._work(await self._some())

    async def finish(self, readers: Sequence[str]) -> None:
        """Store all that is there, and that the readers are not heard any more."""
        self._closed = True
        async with self._turn:
            while told := self._waiting():
                await self._work(told)
            now_us = self._now_us()
            self._next_beat_us = 0
            await self._work([LinkDown(name, now_us, "stopped", ended=True) for name in readers])

    async def _some(self) -> list[Told]:
        """What waits, at least one unless the time to look at time-outs comes."""
        try:
            async with asyncio.timeout(TICK_S):
                first = await self._queue.get()
        except TimeoutError:
            return []
        return [first, *self._waiting()]

    def _waiting(self) -> list[Told]:
        return [self._queue.get_nowait() for _ in range(min(self._queue.qsize(), MOST))]

    async def _work(self, told: Sequence[Told]) -> None:
        """Take reports, let time pass, and store if something should be."""
        core, now_us = self._core, self._now_us()
        for one in told:
            core.take(one, now_us)
            if isinstance(one, Report):
                self._await_acknowledgement(one)
        core.expire(now_us)
        if beats := now_us >= self._next_beat_us:
            self._next_beat_us = now_us + self._heartbeat_us
            await self._beat(now_us)
        if core.urgent or self._tickets or self._answers or self._lingered(now_us):
            # With an empty queue everything up to now has been taken; else what came last was.
            await self._store(now_us if self._queue.empty() or not told else told[-1].at_us)
            self._stored_us = now_us
        if beats or any(isinstance(one, LinkUp | LinkDown) for one in told):
            await self._tell(now_us, line=beats)

    def _await_acknowledgement(self, report: Report) -> None:
        """Note who waits for the commit: a broker by its ticket, a reader on a line for an answer.

        A report that came before is answered too: it came again because the answer was lost.
        """
        if report.ticket is not None:
            self._tickets[report.reader].append(report.ticket)
        for outcome in report.outcomes:
            if isinstance(outcome, Read) and outcome.ack:
                self._answers[report.reader] += outcome.ack

    def _lingered(self, now_us: int) -> bool:
        linger_us = LINGER_US if self._core.heard else COUNTS_LINGER_US
        return self._core.changed and now_us - self._stored_us >= linger_us

    async def _store(self, covered_us: int) -> None:
        """Store until it is stored; then acknowledge."""
        batch = self._core.batch(covered_us)
        self._passing("gateway.commit.before")
        wait_s = FIRST_WAIT_S
        while True:
            try:
                await self._outbox.store(batch)
                break
            except OutboxFull as error:
                _log.error("outbox_not_written", reason=str(error), again_in_s=wait_s)
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, LAST_WAIT_S)
        self._passing("gateway.commit.after")
        if self._tickets or self._answers:
            self._passing("gateway.ack.before")
        for reader, tickets in self._tickets.items():
            self._links[reader].acknowledge(tickets)
        self._tickets.clear()
        for reader, answer in self._answers.items():
            if not await self._links[reader].write(reader, bytes(answer)):
                _log.warning("answer_not_sent", reader=reader, bytes=len(answer))
        self._answers.clear()

    async def _beat(self, now_us: int) -> None:
        depth, oldest_us = await self._outbox.waiting()
        age_ms = 0 if oldest_us is None else max(0, (now_us - oldest_us) // 1_000)
        self._core.heartbeat(now_us, depth=depth, age_ms=age_ms)

    async def _tell(self, now_us: int, *, line: bool) -> None:
        """The status file, and a line in the log, for whoever looks after the machine."""
        status = self._core.status()
        depth, _ = await self._outbox.waiting()
        connected = self._log_connected()
        totals = status.totals
        if line:
            _log.info(
                "alive",
                reads=totals.reads,
                open_sightings=status.open_stays,
                glimpses=totals.glimpses,
                rejected=totals.reads_rejected,
                outbox_depth=depth,
                log_connected=connected,
                down=sorted(name for name, reader in status.readers.items() if not reader.up),
            )
        try:
            write_status(
                self._status,
                status,
                at_us=now_us,
                process=os.getpid(),
                depth=depth,
                log_connected=connected,
            )
        except OSError as error:
            _log.warning("status_not_written", reason=error.strerror)
