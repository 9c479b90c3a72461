"""Serial ports: pyserial opens and locks them by name, the event loop reads them.

On a pseudo-terminal there is no TIOCEXCL: after a kill the port would stay closed to everybody for as long
as the other side lives (measured).
"""

import asyncio
import errno
import fcntl
import os
import termios
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import serial

from gateway.link import Chunk, Clock, Link, LinkDown, LinkUp, SerialUrl, Tell, Ticket, parse_link
from gateway.network import Retry
from gateway.tables import Config

#: Bytes of one read; a kernel's line buffer holds 4 KiB.
READ_BYTES: Final = 8_192

#: The longest wait between attempts to open a port, seconds: who plugs a reader in looks at it.
LAST_WAIT_S: Final = 2.0

#: What the kernel's refusal of a second opener is called, until it is known who the first one is.
LOCKED: Final = "locked"

#: How long a command may take to go out. Nothing is read meanwhile, and a line drops what is not read.
WRITE_S: Final = 0.2


class PortLost(OSError):  # noqa: N818 - named by what happened
    """The port cannot be read or opened; the text is for a person.

    `doubtful`: it may be unplugged, or somebody else may use it; `cause_of` tells which.
    """

    def __init__(self, text: str, *, doubtful: bool = False) -> None:
        """Keep both."""
        super().__init__(text)
        self.doubtful = doubtful


def links(config: Config, now_us: Clock) -> list[Link]:
    """A link for each reader on a serial port."""
    urls = {reader.id: parse_link(reader.link) for reader in config.readers}
    return [
        SerialLink(name, url, now_us) for name, url in urls.items() if isinstance(url, SerialUrl)
    ]


class SerialLink:
    """One serial port with one reader on it."""

    def __init__(self, reader: str, url: SerialUrl, now_us: Clock) -> None:
        """Nothing is opened yet."""
        self.readers: tuple[str, ...] = (reader,)
        self._reader = reader
        self._url = url
        self._now_us = now_us
        self._retry = Retry(last_s=LAST_WAIT_S)
        self._port: serial.Serial | None = None

    async def run(self, tell: Tell) -> None:
        """Open the port, hear, and open it again for ever."""
        while True:
            try:
                self._port = _open(self._url)
                await tell(LinkUp(self._reader, self._now_us()))
                await self._hear(self._port.fileno(), tell)
            except PortLost as error:
                at_us, cause = self._now_us(), str(error)
                self._close()
                if error.doubtful:
                    cause = await asyncio.to_thread(cause_of, self._url.path, cause)
                await tell(LinkDown(self._reader, at_us, cause))
            finally:
                self._close()
            await asyncio.sleep(self._retry.wait_s())

    async def write(self, reader: str, data: bytes) -> bool:  # noqa: ARG002 - there is one reader
        """Send bytes; False when the port is not open or takes none."""
        port, left = self._port, data
        try:
            async with asyncio.timeout(WRITE_S):
                # While this waits the port may be closed, and its number be another file's.
                while left and port is not None and port is self._port:
                    try:
                        left = left[os.write(port.fileno(), left) :]
                    except BlockingIOError:
                        await _ready(port.fileno(), write=True)
        except (TimeoutError, OSError):
            return False
        return not left

    def acknowledge(self, tickets: Sequence[Ticket]) -> None:
        """A serial line has no tickets."""

    async def _hear(self, descriptor: int, tell: Tell) -> None:
        """Tell what comes until the port breaks."""
        while True:
            await _ready(descriptor)
            try:
                data = os.read(descriptor, READ_BYTES)
            except BlockingIOError:
                continue
            except OSError as error:
                raise PortLost(error.strerror or str(error), doubtful=True) from error
            if not data:
                raise PortLost("the line ended", doubtful=True)
            self._retry.worked()
            await tell(Chunk(self._reader, data, self._now_us()))

    def _close(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            with suppress(OSError):
                port.close()


async def _ready(descriptor: int, *, write: bool = False) -> None:
    """Wait until the descriptor can be read or written, or has broken."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    add, remove = (
        (loop.add_writer, loop.remove_writer) if write else (loop.add_reader, loop.remove_reader)
    )

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    add(descriptor, wake)
    try:
        await ready
    finally:
        remove(descriptor)


def _open(url: SerialUrl) -> serial.Serial:
    """The port, locked against a second reader. Raises `PortLost`."""
    try:
        port = serial.Serial(url.path, url.baud, timeout=0, exclusive=True, xonxoff=url.xonxoff)
        if not os.path.realpath(url.path).startswith("/dev/pts/"):
            fcntl.ioctl(port.fileno(), termios.TIOCEXCL)
    except (serial.SerialException, OSError, ValueError) as error:
        code = getattr(error, "errno", None)
        if code == errno.ENOENT:
            raise PortLost(f"{url.path} is not there: unplugged, or another name") from error
        if code in {errno.EACCES, errno.EPERM}:
            text = f"no right to open {url.path}: add this user to the group that owns it (dialout)"
            raise PortLost(text) from error
        if code in {errno.EAGAIN, errno.EBUSY, errno.EWOULDBLOCK}:
            raise PortLost(LOCKED, doubtful=True) from error
        raise PortLost(f"{url.path} cannot be opened: {error}") from error
    return port


def cause_of(path: str, text: str) -> str:
    """Tell a port that is gone from one that somebody else uses."""
    if not Path(path).exists():
        return f"{path} is gone: unplugged"
    others = users_of(path)
    if others:
        return f"{path} is used by {', '.join(others)} too: stop it, one program a port"
    if text == LOCKED:
        return (
            f"{path} is locked by another program that this user may not see (sudo fuser -v {path}): "
            "stop it, one program a port"
        )
    return f"{path}: {text}"


def users_of(path: str) -> list[str]:
    """Which other processes have the device open, as `NAME (process N)`; those that we may see."""
    try:
        device = Path(path).stat().st_rdev
    except OSError:
        return []
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        with suppress(OSError):
            if any(_is(link, device) for link in (process / "fd").iterdir()):
                name = (process / "comm").read_text(errors="replace").strip()
                found.append(f"{name} (process {process.name})")
    return found


def _is(link: Path, device: int) -> bool:
    try:
        return device != 0 and link.stat().st_rdev == device
    except OSError:
        return False
