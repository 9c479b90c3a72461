"""A border's worth of simulated readers around one real gateway, for runs under load: soak, kills, outages.

The readers are one process (`gatebook simulate readers`), the gateway is another, the broker is mosquitto. Each
reader has a lane of its own. Which tags a reader hears follows from its seed, so what came can be told read by read.
"""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from paho.mqtt import publish

from gateway.signing import make_signing_key, read_signing_key
from simulators.load import Load
from simulators.readers import MQTT_KINDS
from tests.gateway.broker import Broker, find_mosquitto
from tests.gateway.rig import KEY, PAIR, ROOT, Running, gateway
from tests.needs import missing

HEAD: Final = """
[gateway]
id = "gw-1"
pair = "{pair}"
token_key_file = "{folder}/token.key"
signing_key_file = "{folder}/signing.pem"
heartbeat_ms = {heartbeat_ms}
[outbox]
path = "{outbox}"
quota_mb = {quota_mb}
[log]
url = "{log}"
[[mqtt]]
id = "yard"
url = "mqtt://127.0.0.1:{broker}"
client_id = "gw-1"
topics = [{topics}]
"""
LANE: Final = """
[[lane]]
id = "{name}"
direction = "MX>US"
glimpse_ms = {glimpse_ms}
lost_ms = {lost_ms}
{reader}
[[read_point]]
id = "{name}-primary"
lane = "{name}"
position = "primary"
reader = "{name}"
to_booth_s = 0
"""

#: Between the seeds of two lives.
SEEDS: Final = 1_000

#: Kinds by turns.
ON_LINES: Final = ("mercury", "r200", "uhfreader288", "metratec_at")
ON_PORTS: Final = ("mercury", "uhfreader288", "metratec_at", "uhfreader18")


class Reader(NamedTuple):
    """A simulated reader; its lane has its name."""

    name: str
    kind: str
    #: `pty`, `tcp` or `mqtt`.
    way: str
    seed: int
    new_every: int = 1


class Counts(NamedTuple):
    """What a simulated reader says of its reads: the first `taken` of its seed, of which some found no room."""

    taken: int
    lost: int
    unacknowledged: int
    done: bool

    @property
    def sent(self) -> int:
        """Reads that went out, into a buffer at least."""
        return self.taken - self.lost


class Settings(NamedTuple):
    """How a run is set up."""

    readers: Sequence[Reader]
    #: Reads a second of each reader, and for how long; Zebra puts up to `batch` into a message.
    rate: float
    seconds: float
    batch: int = 50
    heartbeat_ms: int = 500
    glimpse_ms: int = 500
    lost_ms: int = 800
    quota_mb: int = 64


def readers(serial: int, tcp: int, mqtt: int, *, new_every: int = 1) -> list[Reader]:
    """So many readers on pseudo-terminals, TCP ports and the broker."""
    ways = [(f"s{n}", ON_LINES[n % 4], "pty") for n in range(serial)]
    ways += [(f"t{n}", ON_PORTS[n % 4], "tcp") for n in range(tcp)]
    ways += [(f"m{n}", "zebra_iotc", "mqtt") for n in range(mqtt)]
    return [Reader(*one, seed, new_every) for seed, one in enumerate(ways, 1)]


class Yard:
    """All of it, in a folder. The broker is started by `open_yard`."""

    def __init__(self, folder: Path, settings: Settings, log: str, broker: Broker) -> None:
        """`log`: URL of the event log, whose topics are there."""
        self.folder = folder
        self.settings = settings
        self.log = log
        self.broker = broker
        #: Where the outbox is; may be moved to another file system before `simulators`.
        self.outbox = folder / "outbox.db"
        #: Last counts of the simulators' earlier processes; each has other seeds.
        self.lives: list[dict[str, Counts]] = []
        #: Of readers behind TCP ports, from their first life on.
        self._ports: dict[str, str] = {}
        self.config = folder / "gateway.toml"
        (folder / "counts").mkdir()
        (folder / "token.key").write_text(f"{KEY.key_id}:{KEY.secret.hex()}\n")
        (folder / "token.key").chmod(0o600)
        make_signing_key(folder / "signing.pem")

    @property
    def public_key(self) -> bytes:
        """Of the gateway's signatures."""
        return read_signing_key(self.folder / "signing.pem").public_key

    def named(self, way: str) -> list[Reader]:
        """The readers of one way."""
        return [reader for reader in self.settings.readers if reader.way == way]

    @asynccontextmanager
    async def simulators(self) -> AsyncIterator[Process]:
        """The readers' process, silent still; writes the gateway's configuration, which it alone knows."""
        rows = self.folder / "readers.toml"
        rows.write_text("\n".join(self._row(reader) for reader in self.settings.readers))
        words = ["simulate", "readers", str(rows), "--counts", str(self.folder / "counts")]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gatebook", *words), cwd=ROOT, stdout=DEVNULL, stderr=PIPE
        )
        try:
            tables = await _tables(process, len(self.settings.readers))
            for reader in self.named("tcp"):
                self._ports[reader.name] = (
                    tables[reader.name].partition("127.0.0.1:")[2].split('"')[0]
                )
            self._configure(tables)
            yield process
        finally:
            await ended(process)
            self.lives.append(self.counts())

    def gateway(
        self, environment: Mapping[str, str] | None = None
    ) -> AbstractContextManager[Running]:
        """The gateway, as `tests.gateway.rig.gateway` runs it."""
        return gateway(self.config, environment)

    async def listening(self, seconds: float = 30) -> None:
        """Wait until the gateway says that it hears all readers."""
        await until(lambda: len(self.up()) == len(self.settings.readers), seconds, "all readers up")

    async def start_mqtt(self) -> None:
        """Let the readers on the broker speak: what they said before the gateway's subscription would be lost."""
        rows: publish.MessagesList = [
            (f"readers/{reader.name}/control", b"start", 1, True) for reader in self.named("mqtt")
        ]
        if rows:
            port = self.broker.port
            await asyncio.to_thread(publish.multiple, rows, hostname="127.0.0.1", port=port)

    def status(self) -> dict[str, object]:
        """The gateway's status file; empty before there is one."""
        path = self.outbox.with_name(self.outbox.name + ".status.json")
        return dict(json.loads(path.read_bytes())) if path.exists() else {}

    def up(self) -> list[str]:
        """The readers that the gateway hears."""
        found = self.status().get("readers")
        assert found is None or isinstance(found, dict)
        return [name for name, reader in (found or {}).items() if reader["up"]]

    def up_of(self, *ways: str) -> list[str]:
        """The readers of some ways that it hears."""
        return [
            reader.name for way in ways for reader in self.named(way) if reader.name in self.up()
        ]

    def counts(self) -> dict[str, Counts]:
        """By reader."""
        found = {}
        for reader in self.settings.readers:
            one = json.loads((self.folder / "counts" / f"{reader.name}.json").read_bytes())
            waiting = one["unacknowledged_messages"]
            found[reader.name] = Counts(one["taken"], one["lost"], waiting, one["done"])
        return found

    def load(self, reader: Reader, life: int = 0) -> Load:
        """Which tags a reader hears."""
        seed = reader.seed + SEEDS * life
        return Load(rate=self.settings.rate, seed=seed, new_every=reader.new_every)

    def loads(self, reader: Reader) -> list[tuple[Load, Counts]]:
        """What a reader has heard in its lives that are over."""
        return [
            (self.load(reader, life), counts[reader.name]) for life, counts in enumerate(self.lives)
        ]

    def _row(self, reader: Reader) -> str:
        places = {
            "pty": f"pty:{self.folder}/{reader.name}",
            "tcp": f"tcp:{self._ports.get(reader.name, 0)}",
        }
        place = places.get(reader.way, f"mqtt:127.0.0.1:{self.broker.port}")
        settings = self.settings
        lines = ["[[reader]]", f'name = "{reader.name}"', f'kind = "{reader.kind}"']
        lines += [f'on = "{place}"', f"rate = {settings.rate}", f"for_s = {settings.seconds}"]
        lines += [
            f"new_every = {reader.new_every}",
            f"seed = {self.load(reader, len(self.lives)).seed}",
        ]
        if reader.kind in MQTT_KINDS:
            lines += ["stopped = true"]
            lines += [f"batch = {settings.batch}"] if reader.kind == "zebra_iotc" else []
        return "\n".join(lines)

    def _configure(self, tables: Mapping[str, str]) -> None:
        settings = self.settings
        topics = ", ".join(
            f'{{ filter = "readers/{reader.name}/data", reader = "{reader.name}" }}, '
            f'{{ filter = "readers/{reader.name}/management", reader = "{reader.name}", kind = "management" }}'
            for reader in self.named("mqtt")
        )
        head = HEAD.format(
            pair=PAIR,
            folder=self.folder,
            outbox=self.outbox,
            quota_mb=settings.quota_mb,
            heartbeat_ms=settings.heartbeat_ms,
            log=self.log,
            broker=self.broker.port,
            topics=topics,
        )
        if not topics:
            head = head.partition("[[mqtt]]")[0]
        glimpse_ms, lost_ms = settings.glimpse_ms, settings.lost_ms
        lanes = [
            LANE.format(name=name, reader=table, glimpse_ms=glimpse_ms, lost_ms=lost_ms)
            for name, table in tables.items()
        ]
        self.config.write_text(head + "".join(lanes))


async def _tables(process: Process, count: int) -> dict[str, str]:
    """What the simulators say of themselves for the gateway's configuration, by reader."""
    assert process.stderr is not None
    found: dict[str, str] = {}
    lines: list[str] = []
    while len(found) < count:
        line = (await process.stderr.readline()).decode()
        assert line, f"the simulators ended: {''.join(lines)}"
        if line.startswith("#"):
            continue
        lines.append(line)
        if line.startswith("options"):
            name = lines[1].partition('"')[2].rstrip('"\n')
            found[name] = "".join(lines)
            lines = []
    return found


@asynccontextmanager
async def open_yard(folder: Path, settings: Settings, log: str) -> AsyncIterator[Yard]:
    """A yard with its broker running."""
    program = find_mosquitto()
    if program is None:
        missing("mosquitto is not on this machine (Debian: apt-get install mosquitto)")
    place = folder / "broker"
    place.mkdir()
    broker = Broker(program, place)
    broker.start()
    try:
        await broker.ready()
        yield Yard(folder, settings, log, broker)
    finally:
        broker.stop()


async def ended(process: Process, seconds: float = 40) -> None:
    """Tell the simulators to stop, or find that they have, and wait for their last counts."""
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(seconds):
        await process.communicate()


async def until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Wait for something that another process does."""
    try:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - another process does it
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"not within {seconds:g} s: {what}") from None


@contextmanager
def on_core(number: int) -> Iterator[None]:
    """What is started in this block runs on this core only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {number % (os.cpu_count() or 1)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
