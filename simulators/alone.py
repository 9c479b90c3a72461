"""One simulated reader by hand: a few tags that stay, or reads by the clock that are counted."""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

import orjson

from simulators.device import Field, MqttReader, SerialReader, Tag
from simulators.faults import NoisyLine
from simulators.follow import now_us
from simulators.load import Load, LoadField
from simulators.mqtt_port import MqttPort
from simulators.pty_port import PtyPort
from simulators.readers import MQTT_KINDS, SERIAL_KINDS, MqttKind, SerialKind
from simulators.readers.transcore import TransCoreReader
from simulators.site import data_topic, management_topic
from simulators.tcp_port import TcpPort

#: Longer than any run.
_FOR_EVER_US: Final = 1 << 62
_RSSI_DBM: Final = -55
#: A trap of every serial reader; see `simulators.faults`.
NOISE: Final = "noise"
#: How often the count file is written anew, and how often it is looked whether all has been sent.
COUNT_S: Final = 0.5
LOOK_S: Final = 0.05
#: How long the end waits for a broker's acknowledgements.
DRAIN_S: Final = 10.0

_Port = PtyPort | TcpPort | MqttPort


class ReaderError(ValueError):
    """A reader that cannot be run so; the text says what to change."""


class Place(NamedTuple):
    """Where a reader is: `pty:PATH`, `tcp:PORT`, `rfc2217:PORT` or `mqtt:HOST:PORT`."""

    kind: str
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AloneSettings:
    """A reader by hand.

    Attributes:
        tags: EPCs as hex, all the time in its field; with a load they are read by turns.
        load: reads by the clock; None: the tags stay in the field.
        batch: Zebra: so many events at most in a message.
        stopped: MQTT: silent until there is a message on `readers/NAME/control`.
        count_file: where it is kept how many reads were sent.
    """

    name: str = "reader"
    tags: tuple[str, ...] = ()
    antenna: int = 1
    traps: frozenset[str] = frozenset()
    load: Load | None = None
    batch: int = 0
    stopped: bool = False
    count_file: Path | None = None


def run_reader(kind: str, place: Place, settings: AloneSettings) -> Coroutine[Any, Any, None]:
    """What runs the reader until it is cancelled, or its load is sent; raises `ReaderError`."""
    epcs = tuple(_epc(text) for text in settings.tags)
    serial = SERIAL_KINDS.get(kind)
    _check(kind, place, settings)
    field = _field(settings, epcs, None if kind == "r200" else settings.antenna)
    alone = _Alone(kind, settings, field)
    if serial is not None:
        reader = serial.make(settings.traps - {NOISE})
        reader.field = field
        if NOISE in settings.traps:
            reader = NoisyLine(reader, Random(settings.name))  # noqa: S311 - no secret
        return alone.serial(place, reader)
    publishing = MQTT_KINDS[kind].make(settings.traps, settings.batch)
    publishing.field = field
    return alone.mqtt(place, publishing)


class _Alone:
    """One run."""

    def __init__(self, kind: str, settings: AloneSettings, field: Field) -> None:
        self._kind = kind
        self._settings = settings
        self._field = field

    async def serial(self, place: Place, reader: SerialReader) -> None:
        async with AsyncExitStack() as stack:
            port: PtyPort | TcpPort
            if place.kind == "pty":
                whole = self._settings.load is not None
                made = PtyPort(Path(place.where), reader, now_us, whole=whole)
                port = stack.enter_context(made)
            else:
                telnet = place.kind == "rfc2217"
                server = TcpPort(int(place.where), reader, now_us, telnet=telnet)
                port = await stack.enter_async_context(server)
                place = Place(place.kind, str(port.port))
            self._tell(port, place, SERIAL_KINDS[self._kind])
            await self._run(port)

    async def mqtt(self, place: Place, reader: MqttReader) -> None:
        host, _, number = place.where.rpartition(":")
        name, stopped = self._settings.name, self._settings.stopped
        with MqttPort(name, reader, (host, int(number)), now_us, stopped=stopped) as port:
            self._tell(port, place, MQTT_KINDS[self._kind])
            await self._run(port)

    def _tell(self, port: _Port, place: Place, kind: SerialKind | MqttKind) -> None:
        """Say where it is, as a gateway's configuration has it; the count file is there by then."""
        self._count(port, done=False)
        sys.stderr.write(_configured(self._settings.name, place, kind) + "\n")

    async def _run(self, port: _Port) -> None:
        """Run the port until cancelled; with a load, until all is sent. The last count is always written."""
        running = asyncio.create_task(port.run())
        if self._settings.load is None:
            await running
            return
        loop = asyncio.get_running_loop()
        try:
            next_s = loop.time()
            while not self._done(port):
                await asyncio.wait({running}, timeout=LOOK_S)
                if running.done():
                    running.result()
                if loop.time() >= next_s:
                    next_s = loop.time() + COUNT_S
                    self._count(port, done=False)
        finally:
            done = isinstance(self._field, LoadField) and self._field.done
            running.cancel()
            await asyncio.wait({running})
            if isinstance(port, MqttPort):
                await _acknowledged(port)
            text = self._count(port, done=done)
            sys.stdout.write(text + "\n")
            sys.stdout.flush()
            # A host that comes a little late still finds the bytes that its buffer holds.
            if done and isinstance(port, PtyPort):
                await _read_out(port)

    def _done(self, port: _Port) -> bool:
        """Whether all was sent; a reader that repeats what is not acknowledged has more to say."""
        return isinstance(self._field, LoadField) and self._field.done and not _open(port)

    def _count(self, port: _Port, *, done: bool) -> str:
        """The counts as JSON, also in the count file: `sent` reads went out, the first `taken` of the load."""
        waiting = port.unacknowledged if isinstance(port, MqttPort) else 0
        taken, lost = self._field.taken, port.lost
        found = {"protocol": self._kind, "name": self._settings.name, "taken": taken}
        found |= {"lost": lost, "sent": taken - lost, "unacknowledged_messages": waiting}
        text = orjson.dumps(found | {"done": done, "at_us": now_us()}).decode()
        path = self._settings.count_file
        if path is not None:
            new = path.with_name(f".{path.name}.new")
            new.write_text(text + "\n", encoding="ascii")
            new.replace(path)
        return text


def _open(port: _Port) -> bool:
    """Whether the reader would send its last report again."""
    return isinstance(port.reader, TransCoreReader) and port.reader.waiting


async def _acknowledged(port: MqttPort) -> None:
    await _until(lambda: port.unacknowledged == 0)


async def _read_out(port: PtyPort) -> None:
    """Wait until the host has read what is in the line's buffer."""
    await _until(lambda: port.unread == 0)


async def _until(condition: Callable[[], bool]) -> None:
    try:
        async with asyncio.timeout(DRAIN_S):
            while not condition():  # noqa: ASYNC110 - other threads and processes do it
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        pass


def place_of(text: str) -> Place:
    """Read `pty:PATH`, `tcp:PORT`, `rfc2217:PORT` or `mqtt:HOST:PORT`; raises `ReaderError`."""
    kind, _, where = text.partition(":")
    where = where.removeprefix("//").rstrip("/") if kind == "mqtt" else where
    number = where.rpartition(":")[2] if kind == "mqtt" else where
    numbered = number.isdigit() and int(number) < 65536
    right = {"pty": bool(where), "tcp": numbered, "rfc2217": numbered}
    right["mqtt"] = numbered and ":" in where and not where.startswith(":")
    if not right.get(kind):
        raise ReaderError(f"{text!r} is not pty:PATH, tcp:PORT, rfc2217:PORT or mqtt:HOST:PORT")
    return Place(kind, where)


def _check(kind: str, place: Place, settings: AloneSettings) -> None:
    """Raise `ReaderError` unless there is such a reader, it can be there, and it has these traps."""
    found = SERIAL_KINDS.get(kind) or MQTT_KINDS.get(kind)
    if found is None:
        known = (*SERIAL_KINDS, *MQTT_KINDS)
        near = get_close_matches(kind, known, n=1)
        advice = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
        raise ReaderError(f"no simulated reader speaks {kind!r}; {advice}")
    serial = isinstance(found, SerialKind)
    if serial and place.kind == "mqtt":
        raise ReaderError(f"{kind} is a serial reader: say --on pty:PATH, tcp:PORT or rfc2217:PORT")
    if not serial and place.kind != "mqtt":
        raise ReaderError(f"{kind} speaks MQTT: name its broker by --on mqtt:HOST:PORT")
    traps: Mapping[str, str] = found.traps
    if serial:
        traps = {**traps, NOISE: "garbage and damaged frames on the line"}
    for trap in settings.traps:
        if trap not in traps:
            known_traps = "".join(f"\n  {name}: {text}" for name, text in traps.items())
            raise ReaderError(f"{kind} has no trap {trap!r}; it has:{known_traps}")


def _field(settings: AloneSettings, epcs: tuple[bytes, ...], antenna: int | None) -> Field:
    if settings.load is not None:
        return LoadField(replace(settings.load, epcs=epcs, antenna=antenna))
    field = Field()
    for epc in epcs:
        field.enter(Tag(epc, antenna, _RSSI_DBM), _FOR_EVER_US)
    return field


def _configured(name: str, place: Place, kind: SerialKind | MqttKind) -> str:
    """What a gateway's configuration says of this reader."""
    links = {
        "pty": f"serial://{Path(place.where).absolute()}" if place.kind == "pty" else "",
        "tcp": f"tcp://127.0.0.1:{place.where}",
        "rfc2217": f"rfc2217://127.0.0.1:{place.where}",
        "mqtt": "mqtt:yard",
    }
    lines = ["[[reader]]", f'id = "{name}"', f'link = "{links[place.kind]}"']
    lines += [f'protocol = "{kind.protocol}"', f"options = {kind.options}"]
    if place.kind == "mqtt":
        data, management = data_topic(name), management_topic(name)
        lines += [
            f'# below [[mqtt]] with id "yard": {{ filter = "{data}", reader = "{name}" }},',
            f'# {{ filter = "{management}", reader = "{name}", kind = "management" }}',
        ]
    return "\n".join(lines)


def _epc(text: str) -> bytes:
    try:
        epc = bytes.fromhex(text)
    except ValueError:
        epc = b""
    if not epc or len(epc) % 2 or len(epc) > 62:
        raise ReaderError("--tag expects an EPC as hex: 2 to 62 bytes, an even number of them")
    return epc
