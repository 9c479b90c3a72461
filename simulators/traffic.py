"""Drives all simulated readers from a world file: serial ones on pseudo-terminals, MQTT ones against a broker."""

import asyncio
import os
import random
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

import orjson

from simulators.device import Field, Tag
from simulators.faults import NoisyLine, NoisyTopic
from simulators.follow import follow, now_us, until
from simulators.mqtt_port import MqttPort
from simulators.pty_port import PtyPort
from simulators.readers import MQTT, SERIAL
from simulators.world_file import ReaderLine, StayLine
from stream.lifetime import telling

#: A truck that comes later than this is not planned yet; bounds how many stays are waited for.
AHEAD_US: Final = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficSettings:
    """How readers are reached."""

    #: Folder of the serial readers' ports; a port has its reader's id as name.
    ports: Path
    #: Host and port.
    broker: tuple[str, int]
    #: Seed of the noise on lines and topics; None: they are clean.
    noise: int | None = None
    #: Folder for a capture of each port and topic; None: none is written.
    captures: Path | None = None


async def run_traffic(world: Path, settings: TrafficSettings) -> None:
    """Play the file to its end, or until cancelled. Raises `WorldFileError`, `OSError`."""
    try:
        with ExitStack() as ports:
            async with asyncio.TaskGroup() as group:
                await _play(world, _Readers(settings, ports, group))
    except ExceptionGroup as error:
        raise telling(error) from error


async def _play(world: Path, readers: "_Readers") -> None:
    last_us = 0
    async for line in follow(world):
        if isinstance(line, ReaderLine):
            readers.add(line)
        elif isinstance(line, StayLine):
            await until(line.from_us - AHEAD_US)
            readers.plan(line)
            last_us = max(last_us, line.until_us)
    await until(last_us)
    readers.stop()


class _Readers:
    """The readers of a run."""

    def __init__(
        self, settings: TrafficSettings, ports: ExitStack, group: asyncio.TaskGroup
    ) -> None:
        self._settings = settings
        self._ports = ports
        self._group = group
        self._fields: dict[str, Field] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def add(self, line: ReaderLine) -> None:
        """Plug a reader in."""
        noise = None
        if self._settings.noise is not None:
            noise = random.Random(f"{self._settings.noise} {line.id}")  # noqa: S311 - no secret
        port: PtyPort | MqttPort
        if line.protocol in SERIAL:
            plain = SERIAL[line.protocol]()
            serial = plain if noise is None else NoisyLine(plain, noise)
            tap = self._serial_tap(line.id)
            port = PtyPort(self._settings.ports / line.id, serial, now_us, tap)
        else:
            other = MQTT[line.protocol]()
            publishing = other if noise is None else NoisyTopic(other, noise)
            port = MqttPort(
                line.id, publishing, self._settings.broker, now_us, self._mqtt_tap(line.id)
            )
        self._ports.enter_context(port)
        self._fields[line.id] = port.reader.field
        self._tasks.append(self._group.create_task(port.run(), name=line.id))

    def plan(self, line: StayLine) -> None:
        """Let the tag come into the reader's field when it is time; not if it has left already."""
        field = self._fields[line.reader]
        now = now_us()
        if line.until_us <= now:
            return
        tag = Tag(bytes.fromhex(line.epc), line.antenna, line.rssi_dbm)
        wait_s = max(0, line.from_us - now) / 1e6
        asyncio.get_running_loop().call_later(wait_s, field.enter, tag, line.until_us)

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _serial_tap(self, name: str) -> Callable[[str, bytes], None] | None:
        file = self._capture(name)
        if file is None:
            return None

        def tap(direction: str, data: bytes) -> None:
            _write(file, {"at_us": now_us(), "dir": direction, "hex": data.hex().upper()})

        return tap

    def _mqtt_tap(self, name: str) -> Callable[[str, bytes], None] | None:
        file = self._capture(name)
        if file is None:
            return None

        def tap(topic: str, payload: bytes) -> None:
            line = {"at_us": now_us(), "dir": "rx", "hex": payload.hex().upper()}
            _write(file, line | {"topic": topic, "retain": False, "qos": 1})

        return tap

    def _capture(self, name: str) -> TextIO | None:
        """A capture file of this port, for its owner's eyes only: captures hold EPCs."""
        if self._settings.captures is None:
            return None
        path = self._settings.captures / f"{name}.ndjson"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return self._ports.enter_context(os.fdopen(handle, "w", buffering=1, encoding="ascii"))


def _write(file: TextIO, line: dict[str, object]) -> None:
    file.write(orjson.dumps(line).decode() + "\n")
