"""The daemon: links, stations, the pump and the publisher as one group of tasks.

    link --Said--> station (decoder) --Told--> pump (intake, outbox) --file--> publisher --> event log

It starts without the event log, without its readers and without its broker, says so, and goes on.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import structlog

from gateway.anchor import ClockState
from gateway.config import ConfigError
from gateway.crew import Crew
from gateway.health import log_to_stderr, status_path
from gateway.http import HttpServer
from gateway.identity import TokenKey
from gateway.intake import Intake, Told
from gateway.kernel_clock import synchronised
from gateway.link import Clock
from gateway.listen import parse_listen
from gateway.notify import Notifier
from gateway.now import anchored_clock
from gateway.outbox import Outbox, OutboxError, Owner
from gateway.outbox_room import MIB
from gateway.points import Points, points_of
from gateway.publisher import Publisher
from gateway.pump import Pump
from gateway.reload import refusals
from gateway.signing import SigningKeyError, read_signing_key
from gateway.tables import Config
from gateway.tap import Place, Tap
from gateway.tap_server import TapServer, tap_path
from gateway.vitals import Vitals
from gateway.watch import Watch
from stream.log.contract import EventLog
from stream.log.crash import passing
from stream.log.open import open_log

#: At the end: how long storing may take, and how long the event log may take to get the rest. Seconds.
STORE_S: Final = 5.0
DRAIN_S: Final = 5.0

#: How long a thread may keep the interpreter's lock from another, seconds. SQLite takes it anew for each row, so with the
#: usual 5 ms a commit of 100 rows lasts half a second while the loop is busy, and lines overflow (measured).
SWITCH_S: Final = 0.000_5

_log = structlog.get_logger("gateway.daemon")


class Fatal(Exception):  # noqa: N818 - the daemon cannot run: the text says what to do
    """The daemon cannot run."""


Reread = Callable[[], Config]
"""Reads the configuration file anew; raises `ConfigError`, or `OSError` when it cannot be read."""


def run_daemon(config: Config, key: TokenKey, reread: Reread) -> None:
    """Run until SIGTERM or SIGINT; SIGHUP takes the configuration file anew. Raises `Fatal`."""
    log_to_stderr()
    sys.setswitchinterval(SWITCH_S)
    try:
        asyncio.run(_until_signal(config, key, reread))
    except (OutboxError, SigningKeyError) as error:
        raise Fatal(str(error)) from error
    except ExceptionGroup as group:
        if (broken := group.subgroup(OutboxError)) is None:
            raise
        raise Fatal(str(broken.exceptions[0])) from group


async def _until_signal(config: Config, key: TokenKey, reread: Reread) -> None:
    stop = asyncio.Event()
    daemon = Daemon(config, key, reread=reread, notifier=Notifier(os.environ))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, daemon.hang_up.set)
    await daemon.run(stop)


class Daemon:
    """One gateway."""

    def __init__(
        self,
        config: Config,
        key: TokenKey,
        *,
        now_us: Clock | None = None,
        connect: Callable[[str], Awaitable[EventLog]] = open_log,
        reread: Reread | None = None,
        notifier: Notifier | None = None,
        clock_known: Callable[[], bool | None] = synchronised,
    ) -> None:
        """Nothing is opened yet. Without `reread` the configuration stays as it is."""
        self._config = config
        self._key = key
        clock = anchored_clock()
        self._now_us = now_us or clock
        self._look = clock.look if now_us is None else ClockState
        self._clock_known = clock_known
        self._connect = connect
        self._reread = reread or (lambda: config)
        self._notifier = notifier or Notifier({})
        self._watch = Watch(config, self._now_us, clock_known)
        self._tap = Tap(key, self._place, self._reader_of)
        self._crew = Crew(self._now_us, self._tap, self._report)
        self._points = _points(config)
        self._coming = self._crew.follow(config)[1]
        self._pump: Pump | None = None
        #: Set it to read the configuration anew.
        self.hang_up = asyncio.Event()
        #: How often a new configuration came into force.
        self.reloads = 0
        #: Set once it hears and sends.
        self.running = asyncio.Event()
        #: Set once it has ended.
        self.stopped = asyncio.Event()
        #: Serves the pages; None when the configuration asks for none.
        self.pages: HttpServer | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Hear, store and send until `stop` is set; raises `OutboxError` where nothing can be stored."""
        gateway = self._config.gateway
        key_file = gateway.signing_key_file
        signer = None if key_file is None else read_signing_key(Path(key_file))
        owner = Owner(gateway.id, gateway.pair, signer)
        table = self._config.outbox
        outbox = await Outbox.open(Path(table.path), owner, table.quota_mb * MIB)
        try:
            core = Intake(self._config, self._key, outbox.kept, self._now_us())
            _log.info(
                "gateway_started",
                gateway=gateway.id,
                pair=gateway.pair,
                epoch=outbox.kept.epoch,
                next_seq=outbox.kept.next_seq,
                open_sightings=len(outbox.kept.stays),
            )
            publisher = self._new_publisher(outbox, core)
            pump = self._pump = self._new_pump(outbox, core, publisher)
            await self._run(stop, outbox, pump, publisher)
        finally:
            await outbox.aclose()
            self.stopped.set()
        _log.info("gateway_stopped", gateway=gateway.id)

    async def _run(
        self, stop: asyncio.Event, outbox: Outbox, pump: Pump, publisher: Publisher
    ) -> None:
        path = Path(self._config.outbox.path)
        async with asyncio.TaskGroup() as group:
            publishing = group.create_task(publisher.run(), name="publisher")
            pumping = group.create_task(pump.run(), name="pump")
            looking = [
                group.create_task(self._watch.follow_log(publisher), name="log watch"),
                group.create_task(self._notifier.watch(lambda: pump.turned_us), name="watchdog"),
                group.create_task(TapServer(tap_path(path), self._tap).run(), name="tap"),
            ]
            if self._config.health.listen is not None:
                looking.append(group.create_task(self._serve(outbox, pump, publisher)))
            self._crew.start(self._coming, group)
            self._notifier.ready(self._line())
            self.running.set()
            await self._reload_until(stop, outbox, pump, group)
            _log.info("gateway_stopping")
            self._notifier.stopping()
            await self._crew.quiet()
            try:
                async with asyncio.timeout(STORE_S):
                    known = pump.core.status().readers
                    await pump.finish([name for name in self._crew.stations if name in known])
            except TimeoutError:
                _log.error("outbox_not_written_at_the_end")
            pumping.cancel()
            await self._crew.end()
            await self._drain(outbox, publisher)
            for task in (publishing, *looking):
                task.cancel()

    async def _serve(self, outbox: Outbox, pump: Pump, publisher: Publisher) -> None:
        """Serve `/health` and `/metrics`."""
        host, port = parse_listen(self._config.health.listen or "")

        async def look() -> Vitals:
            status, dropped = pump.core.status(), self._tap.dropped
            return await self._watch.look(status, outbox, pump, publisher, dropped)

        self.pages = HttpServer(host, port, self._watch.pages(look))
        await self.pages.run()

    # ---- another configuration

    async def _reload_until(
        self, stop: asyncio.Event, outbox: Outbox, pump: Pump, group: asyncio.TaskGroup
    ) -> None:
        """Take new configurations until the stop comes, which also ends a reload that waits for a full disk."""
        stopping = asyncio.create_task(stop.wait())
        reloading: asyncio.Task[None] | None = None
        while not stop.is_set():
            hung_up = asyncio.create_task(self.hang_up.wait())
            await asyncio.wait({stopping, hung_up}, return_when=asyncio.FIRST_COMPLETED)
            hung_up.cancel()
            if self.hang_up.is_set() and not stop.is_set():
                self.hang_up.clear()
                reloading = asyncio.create_task(self._reload(outbox, pump, group))
                await asyncio.wait({stopping, reloading}, return_when=asyncio.FIRST_COMPLETED)
                if not reloading.done():
                    reloading.cancel()
                    await asyncio.wait({reloading})
                else:
                    reloading.result()
        stopping.cancel()

    async def _reload(self, outbox: Outbox, pump: Pump, group: asyncio.TaskGroup) -> None:
        """Take the file anew; what is wrong with it is said, and the configuration before it stays."""
        self._notifier.reloading()
        try:
            config, wrong = self._reread(), list[str]()
            wrong = [str(finding) for finding in refusals(self._config, config)]
        except ConfigError as error:
            config, wrong = self._config, [str(finding) for finding in error.findings]
        except (OSError, ValueError) as error:
            config, wrong = self._config, [f"the file cannot be read: {error}"]
        self._watch.reload_refused = wrong
        if wrong:
            _log.error("reload_refused", findings=wrong[:20], more=len(wrong[20:]))
        else:
            await self._follow(config, outbox, pump, group)
        self._notifier.ready(self._line())

    async def _follow(
        self, config: Config, outbox: Outbox, pump: Pump, group: asyncio.TaskGroup
    ) -> None:
        """Change what differs: readers that are the same are heard all the time."""
        leaving, coming = self._crew.follow(config)
        await self._crew.retire(leaving, "the configuration was changed")

        async def succeed(before: Intake) -> Intake:
            core = Intake(config, self._key, await outbox.load(), self._now_us())
            core.succeed(before)
            return core

        await pump.change(succeed, self._crew.links)
        self._config = config
        self._points = _points(config)
        self._crew.start(coming, group)
        self.reloads += 1
        _log.info(
            "reloaded",
            ended=sorted(name for post in leaving for name in post.link.readers),
            begun=sorted(name for post in coming for name in post.link.readers),
        )

    # ---- parts

    def _new_publisher(self, outbox: Outbox, core: Intake) -> Publisher:
        gateway = self._config.gateway

        def refused(count: int) -> None:
            (core if self._pump is None else self._pump.core).refused(count)

        return Publisher(
            outbox,
            self._config.log.url,
            gateway=gateway.id,
            pair=gateway.pair,
            refused=refused,
            connect=self._connect,
        )

    def _new_pump(self, outbox: Outbox, core: Intake, publisher: Publisher) -> Pump:
        return Pump(
            core,
            outbox,
            links=self._crew.links,
            now_us=self._now_us,
            heartbeat_us=self._config.gateway.heartbeat_ms * 1_000,
            status=status_path(Path(self._config.outbox.path)),
            log_connected=lambda: publisher.connected,
            passing=self._passing,
            stored=self._tap.stored,
            lines=self._crew,
            look=self._look,
            clock_known=self._clock_known,
        )

    def _passing(self, point: str) -> None:
        self._watch.passing(point)
        passing(point)

    async def _report(self, told: Told) -> None:
        """What decoders and links say, to the pump and to whoever looks on."""
        self._watch.report(told)
        self._tap.report(told)
        if self._pump is not None:
            await self._pump.put(told)

    def _place(self, reader: str, antenna: int | None) -> Place | None:
        points = self._points.get(reader)
        point = None if points is None else points.find(antenna)
        return None if point is None else Place(point.lane, point.id)

    def _reader_of(self, read_point: str) -> str | None:
        points = self._config.read_points
        return next((point.reader for point in points if point.id == read_point), None)

    def _line(self) -> str:
        """The line of `systemctl status`."""
        wrong = len(self._watch.reload_refused)
        line = f"gateway {self._config.gateway.id}: {len(self._config.readers)} readers"
        return f"{line}; the new configuration is refused: {wrong} findings" if wrong else line

    async def _drain(self, outbox: Outbox, publisher: Publisher) -> None:
        """Give the log what is left, if it is there; the rest waits in the outbox for the next start."""
        if not publisher.connected:
            return
        try:
            async with asyncio.timeout(DRAIN_S):
                await outbox.empty.wait()
        except TimeoutError:
            _log.warning("outbox_not_empty_at_the_end")


def _points(config: Config) -> dict[str, Points]:
    return {reader.id: points_of(config, reader.id) for reader in config.readers}
