"""Serial ports of terminal servers by RFC 2217 (telnet with port settings), through pyserial.

pyserial has no descriptor for it that the event loop could watch: one thread of its own reads the socket
into a queue, and a thread of ours empties the queue. Seen in pyserial 3.5: that queue has no bound, so it
gets one here, and with it TCP makes the sender wait; and what is in the queue when the connection breaks
could not be read any more.

Not bounded: a telnet option that never ends, which only a broken or hostile terminal server would send.
"""

import asyncio
import queue
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import structlog
from serial import rfc2217

from gateway.hand_over import HandOver
from gateway.link import (
    Chunk,
    Clock,
    Link,
    LinkDown,
    LinkUp,
    Rfc2217Url,
    Said,
    Tell,
    Ticket,
    parse_link,
)
from gateway.network import Retry, address, keep_alive
from gateway.tables import Config

#: Bytes that pyserial may hold, and bytes of one chunk: a third of a second at 115,200 baud.
HELD_BYTES: Final = 4_096

#: Chunks that may wait between the thread and the event loop.
HAND_OVER: Final = 16

#: How often the thread looks whether it is to stop, seconds.
LOOK_S: Final = 0.2

#: How long the end waits for the thread: a connection that is being made cannot be broken off.
STOP_S: Final = 2.0

#: Room for everything: pyserial's own end must not wait for us.
_NO_BOUND: Final = 1 << 30

_log = structlog.get_logger("gateway.links.rfc2217")


def links(config: Config, now_us: Clock) -> list[Link]:
    """A link for each reader on a port of a terminal server."""
    urls = {reader.id: parse_link(reader.link) for reader in config.readers}
    return [
        Rfc2217Link(name, url, now_us) for name, url in urls.items() if isinstance(url, Rfc2217Url)
    ]


class Rfc2217Link:
    """One port of a terminal server with one reader on it."""

    def __init__(self, reader: str, url: Rfc2217Url, now_us: Clock) -> None:
        """Nothing is connected yet."""
        self.readers: tuple[str, ...] = (reader,)
        self._reader = reader
        self._url = url
        self._name = address(url.host, url.port)
        self._now_us = now_us
        self._retry = Retry()
        self._gate = HandOver(HAND_OVER, HAND_OVER * HELD_BYTES)
        self._stopping = threading.Event()
        #: Held while the port is written or closed.
        self._lock = threading.Lock()
        self._port: BoundedPort | None = None
        self._said: asyncio.Queue[tuple[Said | Exception, int | None]] = asyncio.Queue()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self, tell: Tell) -> None:
        """Tell what the thread hears; it connects again for ever."""
        self._loop = asyncio.get_running_loop()
        self._gate.set(open_=True)
        thread = threading.Thread(target=self._work, name=f"rfc2217 {self._name}", daemon=True)
        thread.start()
        try:
            while True:
                said, size = await self._said.get()
                if isinstance(said, Exception):
                    raise said
                try:
                    await tell(said)
                finally:
                    self._gate.leave(size)
        finally:
            self._stopping.set()
            self._gate.set(open_=False)
            await asyncio.to_thread(thread.join, STOP_S)

    async def write(self, reader: str, data: bytes) -> bool:  # noqa: ARG002 - there is one reader
        """Send bytes; False when the port is not open or takes none (within pyserial's 5 s)."""
        return await asyncio.to_thread(self._write, data)

    def acknowledge(self, tickets: Sequence[Ticket]) -> None:
        """A serial line has no tickets."""

    def _write(self, data: bytes) -> bool:
        with self._lock:
            if self._port is None:
                return False
            try:
                self._port.write(data)
            except OSError:
                return False
            return True

    # ---- in the link's thread

    def _work(self) -> None:
        """Open the port, hear, and open it again until told to stop."""
        try:
            while not self._stopping.is_set():
                cause = self._once()
                self._say(LinkDown(self._reader, self._now_us(), cause))
                self._stopping.wait(self._retry.wait_s())
        except Exception as error:  # noqa: BLE001 - raised again in the task that runs the link
            self._say(error)

    def _once(self) -> str:
        """One connection from its beginning to its end; return why it ended."""
        try:
            url = self._url
            port = BoundedPort(f"rfc2217://{self._name}", url.baud, xonxoff=url.xonxoff)
        except (OSError, ValueError) as error:
            return f"the serial port at {self._name} cannot be opened: {_reason(error)}"
        with self._lock:
            self._port = port
        try:
            self._say(LinkUp(self._reader, self._now_us()))
            self._hear(port)
        finally:
            with self._lock:
                self._port = None
                port.close()
        return (
            f"{self._name} closed the connection: restarted, unplugged or taken by another program"
        )

    def _hear(self, port: "BoundedPort") -> None:
        """Tell what comes until the connection breaks or the end has come."""
        while not self._stopping.is_set():
            data = port.take()
            if data is None:
                return
            if data:
                self._retry.worked()
                chunk = Chunk(self._reader, data, self._now_us())
                if not self._gate.enter(len(data)):
                    return
                self._say(chunk, len(data))

    def _say(self, said: Said | Exception, size: int | None = None) -> None:
        if self._loop is None or self._stopping.is_set():
            return
        # At the very end the event loop may be closed already, and nobody listens.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._said.put_nowait, (said, size))


class BoundedPort(rfc2217.Serial):
    """pyserial's port with a bound on what it holds; opened at once, raises OSError or ValueError."""

    # What pyserial calls its own, without types.
    _read_buffer: "queue.Queue[bytes | None]"
    _socket: socket.socket
    _thread: threading.Thread | None

    def open(self) -> None:
        """Connect and set the port; takes up to 5 s and some more for the settings."""
        super().open()
        self._read_buffer.maxsize = HELD_BYTES
        keep_alive(self._socket)

    def take(self) -> bytes | None:
        """What has come, empty after `LOOK_S` without anything; None once the connection is lost."""
        try:
            first = self._read_buffer.get(timeout=LOOK_S)
        except queue.Empty:
            return b"" if self._is_reading() else None
        if first is None:
            return None
        parts = [first]
        with suppress(queue.Empty):
            while len(parts) < HELD_BYTES:
                part = self._read_buffer.get_nowait()
                if part is None:
                    # For the next call: what came before the end is told first.
                    self._read_buffer.put_nowait(None)
                    break
                parts.append(part)
        return b"".join(parts)

    def close(self) -> None:
        """Let go of the connection, and of whoever waits for room."""
        buffer = getattr(self, "_read_buffer", None)
        if buffer is not None:
            buffer.maxsize = _NO_BOUND
            with suppress(queue.Empty):
                buffer.get_nowait()
        super().close()

    def _is_reading(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _telnet_read_loop(self) -> None:
        """Telnet that makes no sense ends pyserial's thread, and so the connection."""
        try:
            super()._telnet_read_loop()  # type: ignore[misc]
        except Exception as error:  # noqa: BLE001 - whatever a broken server makes it raise
            _log.warning("telnet_broke", port=self.name, error=repr(error))


def _reason(error: Exception) -> str:
    """What is wrong, without pyserial's own words where we know them."""
    text = str(error)
    if "does not seem to support" in text:
        return "it does not speak RFC 2217; tcp:// is for one that passes bytes as they are"
    if "does not accept parameter change" in text or "rejected value" in text:
        return "it does not set the port as it is told to: look at the baud rate"
    if "while waiting for option" in text:
        return "it did not answer one of the settings"
    return text.rpartition("[Errno")[2].partition("] ")[2] or text.rpartition(": ")[2]
