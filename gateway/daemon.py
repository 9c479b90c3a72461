"""The daemon: links, stations, the pump and the publisher as one group of tasks.

    link --Said--> station (decoder) --Told--> pump (intake, outbox) --file--> publisher --> event log

It starts without the event log, without its readers and without its broker, says so, and goes on.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

import structlog

from gateway.health import log_to_stderr, place_of, status_path
from gateway.identity import TokenKey
from gateway.intake import Intake
from gateway.link import Clock, Link, LinkDown, Said
from gateway.links import LINKS
from gateway.now import anchored_clock
from gateway.outbox import Outbox, OutboxError
from gateway.protocols import PROTOCOLS
from gateway.publisher import Publisher
from gateway.pump import Pump
from gateway.station import Station
from gateway.tables import Config
from stream.log.contract import EventLog
from stream.log.crash import passing
from stream.log.open import open_log

#: At the end: how long readers may still speak after the stop command, how long storing may take, and how
#: long the event log may take to get the rest. Seconds.
LAST_WORDS_S: Final = 0.3
STORE_S: Final = 5.0
DRAIN_S: Final = 5.0

#: A link that broke by a fault of ours is begun anew after this, seconds.
BROKEN_S: Final = 1.0

_log = structlog.get_logger("gateway.daemon")


class Fatal(Exception):  # noqa: N818 - the daemon cannot run: the text says what to do
    """The daemon cannot run."""


def run_daemon(config: Config, key: TokenKey) -> None:
    """Run until SIGTERM or SIGINT; raises `Fatal`."""
    log_to_stderr()
    try:
        asyncio.run(_until_signal(config, key))
    except OutboxError as error:
        raise Fatal(str(error)) from error
    except ExceptionGroup as group:
        if (broken := group.subgroup(OutboxError)) is None:
            raise
        raise Fatal(str(broken.exceptions[0])) from group


async def _until_signal(config: Config, key: TokenKey) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await Daemon(config, key).run(stop)


class Daemon:
    """One gateway."""

    def __init__(
        self,
        config: Config,
        key: TokenKey,
        *,
        now_us: Clock | None = None,
        connect: Callable[[str], Awaitable[EventLog]] = open_log,
    ) -> None:
        """Nothing is opened yet."""
        self._config = config
        self._key = key
        self._now_us = now_us or anchored_clock()
        self._connect = connect
        self._links = [link for make in LINKS.values() for link in make(config, self._now_us)]
        self._stations: dict[str, Station] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Hear, store and send until `stop` is set; raises `OutboxError` where nothing can be stored."""
        gateway = self._config.gateway
        path = Path(self._config.outbox.path)
        outbox = await Outbox.open(path, gateway.id)
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
            publisher = Publisher(
                outbox,
                self._config.log.url,
                gateway=gateway.id,
                pair=gateway.pair,
                refused=core.refused,
                connect=self._connect,
            )
            pump = Pump(
                core,
                outbox,
                links={name: link for link in self._links for name in link.readers},
                now_us=self._now_us,
                heartbeat_us=gateway.heartbeat_ms * 1_000,
                status=status_path(path),
                log_connected=lambda: publisher.connected,
                passing=passing,
            )
            await self._run(stop, outbox, pump, publisher)
        finally:
            await outbox.aclose()
        _log.info("gateway_stopped", gateway=gateway.id)

    async def _run(
        self, stop: asyncio.Event, outbox: Outbox, pump: Pump, publisher: Publisher
    ) -> None:
        self._stations = self._new_stations(pump)
        async with asyncio.TaskGroup() as group:
            publishing = group.create_task(publisher.run(), name="publisher")
            pumping = group.create_task(pump.run(), name="pump")
            hearing = [
                group.create_task(self._hear(link), name=f"link {', '.join(link.readers)}")
                for link in self._links
            ]
            hearing += [
                group.create_task(station.watch(), name=f"station {name}")
                for name, station in self._stations.items()
            ]
            await stop.wait()
            _log.info("gateway_stopping")
            await self._say_stop()
            try:
                async with asyncio.timeout(STORE_S):
                    await pump.finish(list(self._stations))
            except TimeoutError:
                _log.error("outbox_not_written_at_the_end")
            pumping.cancel()
            await _cancelled(hearing)
            await self._drain(outbox, publisher)
            publishing.cancel()

    async def _hear(self, link: Link) -> None:
        """Run a link; one that breaks by a fault of ours is begun anew and stops no other."""
        while True:
            try:
                await link.run(self._tell)
            except Exception as error:  # noqa: BLE001 - one link, not the others
                cause = f"a fault of the gateway: {place_of(error)}"
                _log.error("link_broke", readers=link.readers, error=cause)
                for name in link.readers:
                    await self._tell(LinkDown(name, self._now_us(), cause))
            else:
                return
            await asyncio.sleep(BROKEN_S)

    async def _tell(self, said: Said) -> None:
        await self._stations[said.reader].take(said)

    async def _say_stop(self) -> None:
        """Tell the readers to be quiet, and hear what they still say."""
        async with asyncio.TaskGroup() as group:
            for name, station in self._stations.items():
                group.create_task(station.stop(), name=f"stop {name}")
        await asyncio.sleep(LAST_WORDS_S)

    async def _drain(self, outbox: Outbox, publisher: Publisher) -> None:
        """Give the log what is left, if it is there; the rest waits in the outbox for the next start."""
        if not publisher.connected:
            return
        try:
            async with asyncio.timeout(DRAIN_S):
                await outbox.empty.wait()
        except TimeoutError:
            _log.warning("outbox_not_empty_at_the_end")

    def _new_stations(self, pump: Pump) -> dict[str, Station]:
        links = {name: link for link in self._links for name in link.readers}
        return {
            reader.id: Station(
                reader, PROTOCOLS[reader.protocol], links[reader.id], pump.put, self._now_us
            )
            for reader in self._config.readers
        }


async def _cancelled(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
