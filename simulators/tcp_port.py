"""Runs a simulated serial reader behind a TCP port, raw or as a terminal server with RFC 2217.

One client at a time, as most devices have it; a new one takes the place of the old one. The reader goes on while
nobody is connected, and what it says then is lost. It never waits for a client that does not read.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Final

from simulators.device import SerialReader
from simulators.terminal_server import TerminalServer, escaped

#: Bytes that wait for a client; what is beyond is lost, a chunk at a time.
MAX_WAITING: Final = 16_384
#: Bytes of one look at what the client says.
_CHUNK: Final = 4_096

Clock = Callable[[], int]


class TcpPort:
    """A reader and its port. Use as an asynchronous context manager.

    Attributes:
        port: the number on which it listens.
        dropped: bytes that no client took.
        lost: reads of chunks that did not go out.
    """

    def __init__(
        self, port: int, reader: SerialReader, clock: Clock, *, telnet: bool = False
    ) -> None:
        """`port`: on loopback; 0: one that is free. `telnet`: as a terminal server."""
        self.port = port
        self.reader = reader
        self.dropped = self.lost = 0
        self._clock = clock
        self._telnet = telnet
        self._server: asyncio.Server | None = None
        self._client: asyncio.StreamWriter | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()

    async def __aenter__(self) -> "TcpPort":
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Listen no more, and hang up."""
        if self._server is not None:
            self._server.close()
        if self._client is not None:
            self._client.close()
        if self._serving:
            await asyncio.wait(self._serving)

    async def run(self) -> None:
        """Answer and talk until cancelled."""
        while True:
            before = self.reader.field.taken
            sent = self.reader.due(self._clock())
            self._send(sent.data, before)
            self._wake.clear()
            try:
                due_us = sent.next_due_us
                seconds = None if due_us is None else max(0.0, (due_us - self._clock()) / 1e6)
                async with asyncio.timeout(seconds):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def _serve(self, heard: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        """One client, until it or a newer one ends it."""
        if self._client is not None:
            self._client.close()
        self._client = client
        task = asyncio.current_task()
        if task is not None:
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)
        # A small device has small buffers.
        client.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MAX_WAITING)
        server = TerminalServer()
        try:
            while data := await heard.read(_CHUNK):
                if self._telnet:
                    data, answer = server.receive(data)
                    client.write(answer)
                before = self.reader.field.taken
                self._send(self.reader.receive(data, self._clock()), before)
                self._wake.set()
        except ConnectionError:
            pass
        finally:
            client.close()
            if self._client is client:
                self._client = None

    def _send(self, data: bytes, taken_before: int) -> None:
        if not data:
            return
        client = self._client
        if (
            client is None
            or client.is_closing()
            or client.transport.get_write_buffer_size() + len(data) > MAX_WAITING
        ):
            self.dropped += len(data)
            self.lost += self.reader.field.taken - taken_before
            return
        client.write(escaped(data) if self._telnet else data)
