"""What tests of the gateway stand on: a configuration, a reader on a pseudo-terminal, the daemon as a process."""

import asyncio
import json
import os
import pty
import signal
import subprocess
import sys
import termios
import tty
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from gateway.config import read_config
from gateway.daemon import Daemon
from gateway.identity import TokenKey
from gateway.tables import Config
from schemas.gate import Heartbeat, SightingGone
from schemas.message import Message
from schemas.topics import TOPICS
from schemas.wire import decode
from stream.log.contract import Record, TopicPartition
from stream.log.open import open_log

Kind = TypeVar("Kind", bound=Message)

ROOT: Final = Path(__file__).parents[2]

KEY = TokenKey(key_id="k1", secret=bytes(range(32)))
PAIR = "lar-wtb"

#: Frames of real devices (`tests/captures/README.md`), and the EPCs in them.
CARD = bytes.fromhex("30751FEB705C5904E3D50D70")
CARD_FRAME = bytes.fromhex("BB02220011C9340030751FEB705C5904E3D50D703A76EF7E")
TRUCK = bytes.fromhex("E200001D7315016521408FC6")
TRUCK_FRAME = bytes.fromhex("BB02220011C43000E200001D7315016521408FC6B83EC27E")
NO_TAG_FRAME = bytes.fromhex("BB01FF000115167E")
START = bytes.fromhex("BB00270003222710837E")
STOP = bytes.fromhex("BB00280000287E")


def config_text(
    folder: Path,
    *,
    log: str | None = None,
    broker: int | None = None,
    mqtt: str = "",
    lane: str = "",
    heartbeat_ms: int = 3_600_000,
    serial: bool = True,
) -> str:
    """A gateway with a booth reader on `folder/port`, and with a queue reader when there is a broker."""
    text = f"""
[gateway]
id = "gw-1"
pair = "{PAIR}"
token_key_file = "{folder}/token.key"
heartbeat_ms = {heartbeat_ms}
[outbox]
path = "{folder}/outbox.db"
quota_mb = 16
[log]
url = "{log or f"sqlite:{folder}/log.db"}"
[[lane]]
id = "L01"
direction = "MX>US"
{lane}
"""
    if serial:
        text += f"""
[[reader]]
id = "booth"
link = "serial://{folder}/port"
protocol = "r200"
[[read_point]]
id = "L01-primary"
lane = "L01"
position = "primary"
reader = "booth"
to_booth_s = 0
"""
    if broker is not None:
        text += f"""
[[reader]]
id = "queue"
link = "mqtt:yard"
protocol = "zebra_iotc"
[[read_point]]
id = "L01-queue"
lane = "L01"
position = "queue"
reader = "queue"
antennas = [1]
to_booth_s = 90
[[mqtt]]
id = "yard"
url = "mqtt://127.0.0.1:{broker}"
client_id = "gw-1"
{mqtt}
topics = [
  {{ filter = "queue/data", reader = "queue" }},
  {{ filter = "queue/management", reader = "queue", kind = "management" }},
]
"""
    return text


def config(folder: Path, **settings: Any) -> Config:
    """`config_text`, read."""
    return read_config(config_text(folder, **settings))


def write_config(folder: Path, **settings: Any) -> Path:
    """`config_text` and the token key as files."""
    key = folder / "token.key"
    key.write_text(f"{KEY.key_id}:{KEY.secret.hex()}\n")
    key.chmod(0o600)
    path = folder / "gateway.toml"
    path.write_text(config_text(folder, **settings))
    return path


class PtyReader:
    """A serial reader: the master of a pseudo-terminal behind a stable name.

    The other side is raw, or it would echo frames back as commands, and it stays open here, or the master
    breaks when the gateway dies.
    """

    def __init__(self, folder: Path) -> None:
        self.name = folder / "port"
        self._master = self._slave = -1
        self.plug()

    def plug(self) -> None:
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.name.symlink_to(os.ttyname(self._slave))

    def unplug(self) -> None:
        """The node goes, and whoever has it open gets an error."""
        self.name.unlink()
        self.close()

    def close(self) -> None:
        if self._master >= 0:
            os.close(self._master)
            os.close(self._slave)
        self._master = self._slave = -1

    def send(self, data: bytes) -> None:
        """Bytes to the gateway; all of them, in one piece."""
        assert os.write(self._master, data) == len(data)

    def send_if_room(self, data: bytes) -> bool:
        """As a real line: what finds no room is lost."""
        try:
            return os.write(self._master, data) == len(data)
        except BlockingIOError:
            return False

    def forget(self) -> None:
        """Drop the commands that came so far."""
        termios.tcflush(self._master, termios.TCIFLUSH)

    async def command(self, wanted: bytes) -> None:
        """Wait until the gateway has sent a command: then the port is open, and what is sent is heard."""
        came = b""
        async with asyncio.timeout(15):
            while wanted not in came:
                await readable(self._master)
                came += os.read(self._master, 4096)


async def readable(descriptor: int) -> None:
    """Wait until there is something to read."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)


class Events:
    """What stands in gate-events, polled until it holds what a test waits for."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.records: list[Record] = []

    @property
    def all(self) -> list[Message]:
        return [decode("gate-events", record.value or b"") for record in self.records]

    def of(self, kind: type[Kind]) -> list[Kind]:
        return [event for event in self.all if isinstance(event, kind)]

    async def until(self, enough: Callable[["Events"], object], seconds: float = 20) -> "Events":
        """Read on until `enough` says so."""
        async with await open_log(self.url) as log:
            at = {TopicPartition("gate-events", number): 0 for number in range(6)}
            for record in self.records:
                at[TopicPartition("gate-events", record.partition)] = record.offset + 1
            reader = await log.reader(at)
            try:
                async with asyncio.timeout(seconds):
                    while not enough(self):
                        self.records += await reader.poll(500, 0.2)
            except TimeoutError:
                shown = "\n".join(f"  {event}" for event in self.all)
                raise AssertionError(
                    f"not in gate-events within {seconds} s; there is:\n{shown}"
                ) from None
            finally:
                await reader.aclose()
        return self

    def distinct(self) -> dict[str, bytes]:
        """Value by event id, whatever was sent twice; the same id must have the same bytes."""
        found: dict[str, bytes] = {}
        for record, event in zip(self.records, self.all, strict=True):
            name = str(getattr(event, "event_id", ""))
            assert found.setdefault(name, record.value or b"") == record.value
        return found

    def check_sequence(self) -> None:
        """One epoch, numbers 1 to n in order, none missing; repeats only where something was sent again."""
        parts = [name.split(".") for name in self.distinct()]
        assert len({epoch for _, epoch, _ in parts}) == 1
        assert [int(seq) for _, _, seq in parts] == list(range(1, len(parts) + 1))

    def check_balance(self) -> Heartbeat:
        """The counters of the last heartbeat close; returned to look at more of it."""
        last = self.of(Heartbeat)[-1]
        parts = last.reads_gone + last.reads_open + last.reads_duplicate + last.reads_rejected
        assert last.reads == parts
        gone = {event.event_id: event.reads for event in self.of(SightingGone)}
        assert last.reads_gone == sum(gone.values())
        return last


async def make_topics(url: str) -> None:
    async with await open_log(url) as log:
        await log.create(list(TOPICS.values()))


class Running:
    """`gatebook gateway run` as a process."""

    def __init__(self, process: subprocess.Popen[bytes], errors: Path) -> None:
        self._process = process
        self._errors = errors

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def kill(self) -> None:
        self._process.kill()
        assert self._process.wait(10) == -signal.SIGKILL

    async def died(self) -> int:
        """The exit status, once it has ended by itself."""
        return await asyncio.to_thread(self._process.wait, 20)

    def terminate(self) -> int:
        """SIGTERM, and the exit status."""
        self._process.terminate()
        return self._process.wait(20)

    def hang_up(self) -> None:
        """SIGHUP."""
        self._process.send_signal(signal.SIGHUP)

    def text(self) -> bytes:
        """Its log as it is."""
        return self._errors.read_bytes()

    def log(self) -> list[dict[str, Any]]:
        """Its log lines."""
        return [json.loads(line) for line in self._errors.read_text().splitlines()]


@contextmanager
def gateway(path: Path, environment: Mapping[str, str] | None = None) -> Iterator[Running]:
    """Run the gateway with this configuration; it is dead afterwards."""
    errors = path.with_name(f"errors-{len(list(path.parent.glob('errors-*')))}")
    command = [sys.executable, "-m", "gatebook", "gateway", "run", "-c", str(path)]
    with errors.open("wb") as stderr:
        process = subprocess.Popen(
            command, stderr=stderr, cwd=ROOT, env={**os.environ, **(environment or {})}
        )
    try:
        yield Running(process, errors)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)


@asynccontextmanager
async def daemon(settings: Config) -> AsyncIterator[asyncio.Event]:
    """Run the daemon inside this process; setting the event stops it, and so does the end of the block."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(Daemon(settings, KEY).run(stop))
        try:
            yield stop
        finally:
            stop.set()
