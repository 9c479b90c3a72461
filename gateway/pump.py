"""The loop between the stations and the outbox: take what is there, store it as one, acknowledge.

Nothing lingers that made an event or has a sender who waits for an acknowledgement. Reads that only
lengthen open stays, and notes that are only counted, are stored now and then, to spare the flash memory
of a small machine.
"""

import asyncio
import os
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

import structlog

from gateway.anchor import ClockState
from gateway.batch import EventRow
from gateway.health import write_status
from gateway.intake import Intake, Report, Told
from gateway.link import Clock, Link, LinkDown, LinkUp, Ticket
from gateway.outbox import Outbox, OutboxFull
from gateway.reads import Read

#: Reports that may wait for the loop; then the stations wait, and with them the links. Forty busy lanes bring 7,000 a
#: second, and a line holds 0.4 s of what nobody reads: so this is what a disk may take for one commit.
QUEUE: Final = 4_000

#: Reads and other outcomes in them that may wait: a report holds hundreds, and memory is what is to be bounded.
QUEUED: Final = 20_000

#: Reports of one commit.
MOST: Final = 500

#: After so many of them the loop has its turn: lines must be read.
TURN: Final = 50

#: How often time-outs are looked at while nothing comes.
TICK_S: Final = 0.05

#: After this what only lengthened a stay is stored, and after that what was only counted.
LINGER_US: Final = 100_000
COUNTS_LINGER_US: Final = 1_000_000

#: Waits while the outbox cannot be written, seconds.
FIRST_WAIT_S: Final = 0.1
LAST_WAIT_S: Final = 2.0

#: What the status of a reader says that was held.
HELD: Final = "the outbox was full: the reader was told to be quiet"

_log = structlog.get_logger("gateway.pump")


class Lines(Protocol):
    """The readers on lines that lose what is not read at once."""

    async def hold(self) -> Sequence[str]:
        """Tell them to be quiet; returns which."""
        ...

    async def go_on(self) -> None:
        """They are heard again."""
        ...


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
        lines: Lines | None = None,
        look: Callable[[], ClockState] = ClockState,
        clock_known: Callable[[], bool | None] = lambda: None,
        stored: Callable[[Sequence[EventRow]], None] = lambda _: None,
    ) -> None:
        """`links`: by reader, for the acknowledgements. `passing` is told of the points of a commit.

        `stored` is given the events of each commit. `lines` are held while nothing can be stored; the
        other links are not read, and their senders wait. `look` tells what has become of the gateway's
        clock since it was last called, `clock_known` whether the machine holds its own to be right.
        """
        self._core = core
        self._outbox = outbox
        self._links = links
        self._now_us = now_us
        self._heartbeat_us = heartbeat_us
        self._status = status
        self._log_connected = log_connected
        self._passing = passing
        self._stored = stored
        self._lines = lines
        self._look = look
        self._clock_known = clock_known
        #: The readers that are held, and since when.
        self._held: Sequence[str] = ()
        self._held_since_us = 0
        #: When the loop last went round: it does while the outbox cannot be written, too.
        self.turned_us = now_us()
        #: Why nothing can be stored now, and since when; empty while it can.
        self.unwritten = ""
        self.unwritten_since_us: int | None = None
        self._queue: asyncio.Queue[Told] = asyncio.Queue(QUEUE)
        self._queued = 0
        self._room = asyncio.Event()
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
        while self._queued >= QUEUED and not self._closed:
            self._room.clear()
            await self._room.wait()
        if not self._closed:
            self._queued += _weight(told)
            await self._queue.put(told)

    async def run(self) -> None:
        """Work for ever."""
        while True:
            async with self._turn:
                await self._work(await self._some())

    @property
    def core(self) -> Intake:
        """The intake that runs now."""
        return self._core

    async def change(
        self, make: Callable[[Intake], Awaitable[Intake]], links: Mapping[str, Link]
    ) -> None:
        """Store all that is there, then go on with another intake, which `make` gives, and other links."""
        async with self._turn:
            while told := self._waiting():
                await self._work(told)
            await self._store(self._now_us())
            self._core = await make(self._core)
            self._links = links

    async def finish(self, readers: Sequence[str]) -> None:
        """Store all that is there, and that the readers are not heard any more."""
        self._closed = True
        self._room.set()
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
        self._taken([first])
        return [first, *self._waiting()]

    def _waiting(self) -> list[Told]:
        told = [self._queue.get_nowait() for _ in range(min(self._queue.qsize(), MOST))]
        self._taken(told)
        return told

    def _taken(self, told: Sequence[Told]) -> None:
        self._queued -= sum(map(_weight, told))
        self._room.set()

    async def _work(self, told: Sequence[Told]) -> None:
        """Take reports, let time pass, and store if something should be."""
        clock = self._look()
        core, now_us = self._core, self._now_us()
        self.turned_us = now_us
        if clock.step_us:
            _log.warning("clock_step", step_s=clock.step_us / 1e6, ahead_s=clock.ahead_us / 1e6)
            core.clock(clock, now_us)
        for number, one in enumerate(told, 1):
            core.take(one, now_us)
            if number % TURN == 0:
                await asyncio.sleep(0)
            if isinstance(one, Report):
                self._await_acknowledgement(one)
        core.expire(now_us)
        if beats := now_us >= self._next_beat_us:
            self._next_beat_us = now_us + self._heartbeat_us
            known = clock._replace(step_us=0, jumped_us=0, synchronised=self._clock_known())
            core.clock(known, now_us)
            await self._unless_unreadable(self._beat(now_us))
        if core.urgent or self._tickets or self._answers or self._lingered(now_us):
            # With an empty queue everything up to now has been taken; else what came last was.
            await self._store(now_us if self._queue.empty() or not told else told[-1].at_us)
            self._stored_us = now_us
        if beats or any(isinstance(one, LinkUp | LinkDown) for one in told):
            await self._unless_unreadable(self._tell(now_us, line=beats))

    async def _unless_unreadable(self, saying: Awaitable[None]) -> None:
        """Leave out what cannot be said because the outbox cannot be read now."""
        try:
            await saying
        except OutboxFull as error:
            _log.error("outbox_not_read", reason=str(error))

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
                self.turned_us = self._now_us()
                self.unwritten = str(error)
                self.unwritten_since_us = self.unwritten_since_us or self.turned_us
            if wait_s > FIRST_WAIT_S and not self._held:
                await self._hold()
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, LAST_WAIT_S)
        await self._go_on()
        self.unwritten, self.unwritten_since_us = "", None
        self._passing("gateway.commit.after")
        self._stored(batch.events)
        if self._tickets or self._answers:
            self._passing("gateway.ack.before")
        for reader, tickets in self._tickets.items():
            self._links[reader].acknowledge(tickets)
        self._tickets.clear()
        for reader, answer in self._answers.items():
            if not await self._links[reader].write(reader, bytes(answer)):
                _log.warning("answer_not_sent", reader=reader, bytes=len(answer))
        self._answers.clear()

    async def _hold(self) -> None:
        """It is no passing trouble: let the readers on lines be quiet, who would not wait."""
        if self._lines is not None:
            self._held_since_us = self._now_us()
            self._held = await self._lines.hold()

    async def _go_on(self) -> None:
        """There is room again: hear the readers that were held, and say since when nobody did."""
        if not self._held or self._lines is None:
            return
        held, self._held = self._held, ()
        await self._lines.go_on()
        now_us = self._now_us()
        for reader in held:
            self._core.unheard(reader, self._held_since_us, now_us, HELD)

    async def _beat(self, now_us: int) -> None:
        sizes = await self._outbox.sizes(settle=True)
        if sizes.nearly_full:
            # The room that is left is for what cannot be said again.
            self._core.beat_refused()
            _log.warning("outbox_nearly_full", filled_share=round(sizes.share, 3))
            return
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


def _weight(told: Told) -> int:
    return 1 + len(told.outcomes) if isinstance(told, Report) else 1
