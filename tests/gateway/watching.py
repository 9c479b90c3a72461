"""What tests of a running gateway stand on: its pages, its tap, and a word to it."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gateway.daemon import Daemon
from gateway.tables import Config
from gateway.tap import Wish
from gateway.tap_server import tap_path
from tests.gateway.rig import KEY


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


async def page(port: int, path: str) -> tuple[int, bytes]:
    """Status and body of a page."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split()[1]), body


async def health_until(
    port: int, enough: Callable[[dict[str, Any]], object]
) -> tuple[int, dict[str, Any]]:
    """Ask for `/health` until it says what is waited for."""
    shown: dict[str, Any] = {}
    try:
        async with asyncio.timeout(20):
            while True:
                try:
                    status, body = await page(port, "/health")
                except OSError:
                    await asyncio.sleep(0.02)
                    continue
                shown = json.loads(body)
                if enough(shown):
                    return status, shown
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"/health does not say it: {shown}") from None


@asynccontextmanager
async def operated(
    settings: Config, reread: Callable[[], Config] | None = None
) -> AsyncIterator[tuple[Daemon, asyncio.Event]]:
    """A daemon inside this process whose machine has a good clock, and the event that stops it."""
    stop = asyncio.Event()
    daemon = Daemon(settings, KEY, reread=reread, clock_known=lambda: True)
    async with asyncio.TaskGroup() as group:
        group.create_task(daemon.run(stop))
        try:
            async with asyncio.timeout(20):
                await daemon.running.wait()
            yield daemon, stop
        finally:
            stop.set()


class Onlooker:
    """A client of the tap."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self.rows: list[dict[str, Any]] = []

    async def until(self, enough: Callable[[list[dict[str, Any]]], object]) -> list[dict[str, Any]]:
        """Read on until `enough` says so."""
        try:
            async with asyncio.timeout(20):
                while not enough(self.rows):
                    self.rows.append(json.loads(await self._reader.readline()))
        except TimeoutError:
            raise AssertionError(f"the tap does not show it: {self.rows}") from None
        return self.rows


@asynccontextmanager
async def looking_on(settings: Config, wish: Wish) -> AsyncIterator[Onlooker]:
    """Look on at a running gateway; it has said hello."""
    path = tap_path(Path(settings.outbox.path))
    async with asyncio.timeout(20):
        while not path.exists():  # noqa: ASYNC110 - a file wakes nobody
            await asyncio.sleep(0.02)
        reader, writer = await asyncio.open_unix_connection(str(path), limit=1 << 22)
    known = {name: value for name in wish.__struct_fields__ if (value := getattr(wish, name))}
    writer.write(json.dumps(known).encode() + b"\n")
    onlooker = Onlooker(reader)
    await onlooker.until(lambda rows: rows and rows[0] == {"kind": "hello"})
    try:
        yield onlooker
    finally:
        writer.close()
