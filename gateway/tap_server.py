"""The unix socket beside the outbox through which `gatebook gateway tap` and `capture` look on."""

import asyncio
import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
import structlog

from gateway.tap import Tap, Viewer, Wish

SOCKET_SUFFIX: Final = ".tap"

#: Clients at once, bytes of a client's wish, and how long it may take to say it, seconds.
MAX_CLIENTS: Final = 8
MAX_WISH: Final = 4_096
WISH_S: Final = 5.0

_log = structlog.get_logger("gateway.tap")
_WISH: Final = msgspec.json.Decoder(Wish)


def tap_path(outbox: Path) -> Path:
    """Where the socket of a gateway with this outbox stands."""
    return outbox.with_name(outbox.name + SOCKET_SUFFIX)


class TapServer:
    """Serves one tap until it is cancelled."""

    def __init__(self, path: Path, tap: Tap) -> None:
        """Nothing is opened yet."""
        self._path = path
        self._tap = tap
        self._open: set[asyncio.Task[None]] = set()
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Serve for ever; a socket that cannot be made is said, and stops nothing else."""
        try:
            listener = _listen(self._path)
        except OSError as error:
            reason = error.strerror or str(error)
            _log.error("tap_not_served", path=str(self._path), reason=reason)
            return
        server = await asyncio.start_unix_server(self._accept, sock=listener, limit=MAX_WISH)
        self.ready.set()
        try:
            await server.serve_forever()
        finally:
            server.close()
            for task in self._open:
                task.cancel()
            self._path.unlink(missing_ok=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= MAX_CLIENTS:
            writer.write(b'{"kind":"refused","reason":"too many look on already"}\n')
            writer.close()
            return
        task = asyncio.create_task(self._one(reader, writer), name="tap client")
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, TimeoutError, ValueError):
                async with asyncio.timeout(WISH_S):
                    line = await reader.readline()
                await self._show(_WISH.decode(line), reader, writer)
        finally:
            writer.close()

    async def _show(
        self, wish: Wish, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Show what goes by until the client hangs up."""
        viewer = self._tap.add(wish)
        _log.info("tap_opened", want=wish.want, reader=wish.reader, numbers=wish.numbers)
        try:
            writer.write(b'{"kind":"hello"}\n')
            async with asyncio.TaskGroup() as group:
                writing = group.create_task(_write(viewer, writer))
                with suppress(OSError):
                    await reader.read(1)
                writing.cancel()
        finally:
            self._tap.remove(viewer)
            _log.info("tap_closed", want=wish.want, dropped=viewer.dropped)


async def _write(viewer: Viewer, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while True:
            await viewer.filled.wait()
            writer.write(viewer.take())
            await writer.drain()


def _listen(path: Path) -> socket.socket:
    """The socket, open to its owner only. One that is left over belongs to nobody: the outbox is locked."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    listener.setblocking(False)
    return listener
