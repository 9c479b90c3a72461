"""Runs a simulated serial reader on a pseudo-terminal, behind a stable name.

The slave is set raw and kept open here: otherwise the terminal would echo the reader's frames back to it as
commands, and the reader would see an error whenever the host dies. The host's end looks like a UART:
it takes what fits into 4 KiB and loses the rest in silence, and the reader never waits for it.
"""

import array
import asyncio
import errno
import fcntl
import os
import termios
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Final

from simulators.device import SerialReader

#: What a UART driver holds of what nobody has read yet. A terminal in raw mode holds one byte less.
LINE_BUFFER: Final = 4_095

Clock = Callable[[], int]
#: Told of the bytes of each chunk: `rx` is what the host receives, as in capture files.
Tap = Callable[[str, bytes], None]


class PtyPort:
    """A reader on a port. Use as a context manager; the name is there from entry to exit.

    Attributes:
        dropped: bytes that the line buffer had no room for.
        lost: reads of chunks that did not go out whole.
    """

    def __init__(
        self,
        path: Path,
        reader: SerialReader,
        clock: Clock,
        tap: Tap | None = None,
        *,
        whole: bool = False,
    ) -> None:
        """`path`: the name that a host opens. `whole`: what does not fit is lost as a chunk, not cut."""
        self.path = path
        self.reader = reader
        self.dropped = self.lost = 0
        self._whole = whole
        self._clock = clock
        self._tap = tap
        self._master = self._slave = -1
        self._wake = asyncio.Event()

    def __enter__(self) -> "PtyPort":
        """Make the terminal and its name."""
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave, termios.TCSANOW)
        os.set_blocking(self._master, False)
        name = self.path.with_name(f".{self.path.name}.new")
        name.unlink(missing_ok=True)
        name.symlink_to(os.ttyname(self._slave))
        name.replace(self.path)
        return self

    def __exit__(self, *_: object) -> None:
        """Unplug: the host gets an end of file or an error."""
        self.path.unlink(missing_ok=True)
        os.close(self._slave)
        os.close(self._master)

    @property
    def unread(self) -> int:
        """Bytes that the host has not read yet."""
        return _unread(self._slave)

    async def run(self) -> None:
        """Answer and talk until cancelled."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._master, self._hear)
        try:
            while True:
                before = self.reader.field.taken
                sent = self.reader.due(self._clock())
                self._send(sent.data, before)
                await self._wait(sent.next_due_us)
        finally:
            loop.remove_reader(self._master)

    async def _wait(self, until_us: int | None) -> None:
        """Until then, or until the host says something."""
        self._wake.clear()
        try:
            seconds = None if until_us is None else max(0.0, (until_us - self._clock()) / 1e6)
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass

    def _hear(self) -> None:
        try:
            data = os.read(self._master, 4_096)
        except OSError as error:
            if error.errno in (errno.EIO, errno.EAGAIN):
                return
            raise
        if self._tap:
            self._tap("tx", data)
        before = self.reader.field.taken
        self._send(self.reader.receive(data, self._clock()), before)
        self._wake.set()

    def _send(self, data: bytes, taken_before: int) -> None:
        if not data:
            return
        room = max(0, LINE_BUFFER - _unread(self._slave))
        if self._whole and room < len(data):
            room = 0
        try:
            written = os.write(self._master, data[:room]) if room else 0
        except BlockingIOError:
            written = 0
        self.dropped += len(data) - written
        if written < len(data):
            self.lost += self.reader.field.taken - taken_before
        if self._tap and written:
            self._tap("rx", data[:written])


def _unread(slave: int) -> int:
    """Bytes that the host has not read yet."""
    count = array.array("i", [0])
    fcntl.ioctl(slave, termios.FIONREAD, count)
    return count[0]
