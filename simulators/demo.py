"""Everything on one machine: real programs, simulated readers, and the truth to compare with.

simulated readers - pseudo-terminals, MQTT -> gateway -> event log -> lanes -> ledger -> sink -> ledger database
simulated officers ------------------------------------> event log
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Coroutine
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import msgspec

from schemas.border import BorderRecord, Unmatched
from schemas.message import Message
from schemas.wire import to_json
from simulators import preparing, programs
from simulators.fleet import Row
from simulators.follow import now_us
from simulators.layout import Places
from simulators.outputs import STAGE_INPUTS, OutputRecord, Outputs
from simulators.planning import Planner, ndjson_truth
from simulators.preparing import DemoFailed
from simulators.screen import Screen
from simulators.supervise import ProgramFailed, Supervisor
from simulators.truth import Finding, compare
from simulators.verdict import listed, verdict
from simulators.world_file import passage_lines
from stream.lifetime import stop_on_signals, unless_stopped
from stream.log.contract import EventLog, LogError
from stream.log.open import open_log

OK: Final = 0
FINDINGS: Final = 1
FATAL: Final = 3
INTERRUPTED: Final = 130

#: After the traffic, what is on its way has so long to arrive ...
DRAIN_S: Final = 15.0
#: ... but nothing will, once nothing is on its way and nothing has changed for so long.
QUIET_S: Final = 6.0
#: Between the programs' being ready and the first truck.
LEAD_US: Final = 200_000
POLL_S: Final = 0.1
#: More traffic is planned this often.
PLAN_US: Final = 5_000_000
#: Outputs that a headless run prints. The ends of crossings say nothing that these do not.
PRINTED: Final = frozenset(("arrivals", "border-records", "unmatched", "alerts"))

T = TypeVar("T")


class DemoSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a demo is asked to do."""

    #: Seconds of traffic; None: until Ctrl-C.
    for_s: float | None = None
    headless: bool = False
    seed: int = 7
    #: Let a reader not hear one driver's card, to see that the comparison says so.
    drop_sighting: bool = False
    #: Garbage on lines and topics.
    noise: bool = False
    #: `auto`: mosquitto where it is installed, else amqtt.
    broker: Literal["auto", "mosquitto", "amqtt"] = "auto"
    #: The folder of the demo, which is kept; None: one that is deleted at the end.
    keep: Path | None = None
    #: Write what crosses the simulated ports into the folder.
    port_log: bool = False


def run_demo(settings: DemoSettings) -> int:
    """Run; return the exit code."""
    with ExitStack() as stack:
        root = settings.keep
        if root is None:
            root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gatebook-")))
        try:
            return asyncio.run(_Demo(settings, Places(root=root.resolve())).run())
        except (DemoFailed, ProgramFailed, LogError) as error:
            say(f"demo: {error}")
            return FATAL


def say(text: str) -> None:
    """A line of progress, on stderr."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


class _Demo:
    """One run."""

    def __init__(self, settings: DemoSettings, places: Places) -> None:
        self._settings = settings
        self._places = places
        for_us = None if settings.for_s is None else round(settings.for_s * 1e6)
        self._planner = Planner(settings.seed, for_us, drop_sighting=settings.drop_sighting)
        self._screen: Screen | None = None
        self._start_us = self._plan_at_us = 0

    async def run(self) -> int:
        """From nothing to the verdict."""
        stop = stop_on_signals()
        port = programs.free_port()
        try:
            key = preparing.write_files(self._places, self._settings.seed, port)
        except OSError as error:
            raise DemoFailed(f"{error.filename}: {error.strerror}") from error
        async with (
            await open_log(self._places.event_log) as log,
            Supervisor(self._places.logs, say) as running,
        ):
            await preparing.make_topics(log)
            outputs = await Outputs.open(log, self._places)
            began = _unless_failed(self._begin(log, running, port, key), running)
            if await unless_stopped(began, stop) is None:
                return INTERRUPTED
            with ExitStack() as stack:
                if not self._settings.headless:
                    self._screen = stack.enter_context(Screen())
                await self._watch(log, outputs, running, stop)
                findings = await self._drain(outputs, running, stop)
            return self._judge(outputs, running, findings, interrupted=stop.is_set())

    async def _begin(self, log: EventLog, running: Supervisor, port: int, key: Row) -> bool:
        """Start everything, in the order in which one needs the other; then let the first truck come."""
        places, settings = self._places, self._settings
        mosquitto = None if settings.broker == "amqtt" else programs.find_mosquitto()
        if mosquitto is None and settings.broker == "mosquitto":
            raise DemoFailed("mosquitto is not installed")
        _say_broker(mosquitto)
        say(
            "real: gateway, event log (SQLite), trips, lanes, watch, ledger, sink; simulated: trucks, readers, officers"
        )
        running.start("broker", programs.broker(places, port, mosquitto))
        noise = settings.seed if settings.noise else None
        captures = settings.port_log
        running.start("traffic", programs.traffic(places, port, captures=captures, noise=noise))
        now = now_us()
        await preparing.load(log, places, (key, *self._planner.first_rows(now)), now)
        for stage in STAGE_INPUTS:
            running.start(stage, programs.worker(places, stage))
        await preparing.ports_ready(places)
        await preparing.broker_ready(port)
        running.start("gateway", programs.gateway(places))
        running.start("officer", programs.officer(places))
        running.start("sink", programs.sink(places))
        for stage in STAGE_INPUTS:
            await preparing.worker_ready(running, stage)
        await preparing.gateway_ready(places)
        self._start_us = now_us() + LEAD_US
        self._planner.start(self._start_us)
        await self._plan(log, self._start_us)
        say(f"ready: trucks come{self._until_when()}")
        return True

    async def _plan(self, log: EventLog, at_us: int) -> None:
        """Let more trucks come: their reference rows first, then what readers hear and officers say."""
        rows, passages = self._planner.extend(at_us)
        if rows:
            await preparing.load(log, self._places, rows, now_us())
        preparing.append(self._places.world, passage_lines(passages))
        truth = ndjson_truth([passage.expected for passage in passages])
        preparing.append(self._places.truth, truth)
        self._plan_at_us = at_us + PLAN_US

    async def _watch(
        self, log: EventLog, outputs: Outputs, running: Supervisor, stop: asyncio.Event
    ) -> None:
        """Show what comes until the time is over."""
        end_us = self._end_us()
        while not stop.is_set():
            now = now_us()
            if end_us is not None and now >= end_us:
                return
            if now >= self._plan_at_us:
                await self._plan(log, now)
            await self._look(outputs, running)

    async def _drain(
        self, outputs: Outputs, running: Supervisor, stop: asyncio.Event
    ) -> list[Finding]:
        """Wait until the truth is met and nothing is on its way, or nothing changes; return what is wrong."""
        due_us = now_us() if stop.is_set() else None
        began = changed = time.monotonic()
        before: list[Finding] = []
        while True:
            await self._look(outputs, running)
            late = time.monotonic() > began + DRAIN_S
            behind = await outputs.behind()
            if behind and not late:
                continue
            findings = compare(self._planner.truth, outputs.committed, due_us=due_us)
            findings += outputs.ledger_findings()
            if findings != before:
                before, changed = findings, time.monotonic()
            if not findings or late or time.monotonic() > changed + QUIET_S:
                for what in behind:
                    say(f"demo: still on its way after {DRAIN_S:g} s: {what}")
                return findings

    async def _look(self, outputs: Outputs, running: Supervisor) -> None:
        running.check()
        found = await outputs.poll(POLL_S)
        if self._settings.keep is not None and found:
            preparing.append(self._places.records, b"".join(map(_line, found)))
        if self._screen is not None:
            self._screen.show(self._head(outputs), outputs.committed, running.programs.values())
            return
        for one in found:
            if one.topic in PRINTED:
                sys.stdout.buffer.write(_line(one))
        sys.stdout.flush()

    def _judge(
        self, outputs: Outputs, running: Supervisor, findings: list[Finding], *, interrupted: bool
    ) -> int:
        for line in listed(findings):
            say(line)
        if self._planner.dropped is not None:
            say(f"demo: no reader at the booth was let hear the card of {self._planner.dropped}")
        if self._settings.keep is not None:
            say(f"demo: everything is in {self._places.root}")
        elif findings:
            say(
                f"demo: run it with --keep DIR --seed {self._settings.seed} to look at what happened"
            )
        came = [one for one in self._planner.truth if not interrupted or one.at_us <= now_us()]
        say(f"demo: {verdict(came, outputs.committed, findings, running.restarts)}")
        if interrupted and self._settings.for_s is not None:
            return INTERRUPTED
        return FINDINGS if findings else OK

    def _end_us(self) -> int | None:
        seconds = self._settings.for_s
        return None if seconds is None else self._start_us + round(seconds * 1e6)

    def _until_when(self) -> str:
        seconds = self._settings.for_s
        return " until Ctrl-C" if seconds is None else f" for {seconds:g} s"

    def _head(self, outputs: Outputs) -> str:
        elapsed_s = max(0, now_us() - self._start_us) // 1_000_000
        open_rows = sum(row.closed_by is None for row in outputs.committed.waiting.values())
        return (
            f"gatebook demo, {elapsed_s} s{self._until_when()}: "
            f"{len(outputs.committed.notices)} trucks, {len(outputs.committed.records)} border records, "
            f"{open_rows} unmatched"
        )


async def _unless_failed(work: Coroutine[Any, Any, T], running: Supervisor) -> T:
    """What `work` returns; raises `ProgramFailed` when a program is given up meanwhile."""
    working = asyncio.create_task(work, name="begin")
    failing = asyncio.create_task(running.failed(), name="failed")
    try:
        await asyncio.wait({working, failing}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            await failing
        return await working
    finally:
        for task in (working, failing):
            task.cancel()
        await asyncio.wait({working, failing})


def _line(one: OutputRecord) -> bytes:
    return to_json(one.topic, one.key, _at_us(one.message), one.message) + b"\n"


def _at_us(message: Message) -> int:
    """The time of an output: of the entry for a border record."""
    match message:
        case BorderRecord():
            return message.entry.at_us
        case Unmatched():
            return message.closed_at_us or message.since_us
        case _:
            at_us: int = getattr(message, "at_us", 0)
            return at_us


def _say_broker(mosquitto: str | None) -> None:
    if mosquitto is not None:
        say(f"MQTT broker: {mosquitto}")
        return
    say(
        "MQTT broker: amqtt in a process of its own, without mosquitto. It keeps no sessions, so the simulated "
        "readers send again what they kept; kill -9 on MQTT is proven with mosquitto only."
    )
