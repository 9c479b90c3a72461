"""What a link says, and a link at work."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from gateway.link import Chunk, Link, LinkDown, LinkUp, Said


class Heard:
    """What a link has said so far."""

    def __init__(self) -> None:
        self.all: list[Said] = []
        self._more = asyncio.Event()

    async def tell(self, said: Said) -> None:
        self.all.append(said)
        self._more.set()

    async def until(self, enough: Callable[[], object]) -> None:
        """Wait until what was said is enough."""
        async with asyncio.timeout(15):
            while not enough():
                self._more.clear()
                await self._more.wait()

    def ups(self) -> int:
        return sum(isinstance(said, LinkUp) for said in self.all)

    def downs(self) -> int:
        return sum(isinstance(said, LinkDown) for said in self.all)

    def chunks(self) -> list[Chunk]:
        return [said for said in self.all if isinstance(said, Chunk)]

    def bytes(self) -> bytes:
        return b"".join(chunk.data for chunk in self.chunks())

    def causes(self) -> list[str]:
        return [said.cause for said in self.all if isinstance(said, LinkDown)]


@asynccontextmanager
async def hearing(link: Link) -> AsyncIterator[Heard]:
    """Run a link until the end of the block."""
    heard = Heard()
    task = asyncio.create_task(link.run(heard.tell))
    try:
        yield heard
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
