"""The outbox of a running gateway: one thread does all its reading and writing, one job at a time."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

from gateway.batch import Batch, EventRow, Kept
from gateway.outbox_file import (
    OutboxError,
    OutboxFile,
    OutboxFull,
    Rejects,
    open_outbox,
    read_rejects,
)
from schemas.gate import event_id

__all__ = ["Outbox", "OutboxError", "OutboxFull", "Rejects", "read_rejects"]

_Args = ParamSpec("_Args")
_Result = TypeVar("_Result")


class Outbox:
    """Durable store-and-forward between the intake and the publisher."""

    def __init__(
        self, file: OutboxFile, kept: Kept, thread: ThreadPoolExecutor, gateway: str
    ) -> None:
        """Use `Outbox.open`."""
        self._file = file
        self._thread = thread
        #: What earlier runs left.
        self.kept = kept
        #: Set when events wait for the log ...
        self.filled = asyncio.Event()
        #: ... and when none was left at the last look.
        self.empty = asyncio.Event()
        self._gateway = gateway

    @classmethod
    async def open(cls, path: Path, gateway: str) -> "Outbox":
        """Open the file and read what it holds. Raises `OutboxError`."""
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="outbox")
        loop = asyncio.get_running_loop()
        try:
            file, kept = await loop.run_in_executor(thread, _open, path, gateway)
        except OutboxError:
            thread.shutdown(wait=False)
            raise
        outbox = cls(file, kept, thread, gateway)
        outbox.filled.set()
        return outbox

    async def store(self, batch: Batch) -> None:
        """Store a batch as one; when this returns it survives a power cut. Raises `OutboxFull`."""
        await self._do(self._file.store, batch)
        if batch.events:
            self.empty.clear()
            self.filled.set()

    async def head(self, most: int) -> list[EventRow]:
        """The oldest events that wait; clears `filled` when there are none."""
        self.filled.clear()
        rows = await self._do(self._file.head, most)
        (self.filled if rows else self.empty).set()
        return rows

    async def remove(self, last_seq: int) -> None:
        """The event log has everything up to `last_seq`."""
        await self._do(self._file.remove, last_seq)

    async def replace(self, row: EventRow) -> None:
        """Put another event in the place of one that the log refuses."""
        await self._do(self._file.replace, row)

    def event_id(self, seq: int) -> str:
        """The id of the event with this number."""
        return event_id(self._gateway, self.kept.epoch, seq)

    async def waiting(self) -> tuple[int, int | None]:
        """How many events wait, and the time of the oldest."""
        return await self._do(self._file.waiting)

    async def aclose(self) -> None:
        """Finish the job that runs and close the file."""
        await self._do(self._file.close)
        self._thread.shutdown(wait=False)

    async def _do(
        self, job: Callable[_Args, _Result], *args: _Args.args, **kwargs: _Args.kwargs
    ) -> _Result:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: job(*args, **kwargs))


def _open(path: Path, gateway: str) -> tuple[OutboxFile, Kept]:
    file = open_outbox(path, gateway)
    try:
        return file, file.load()
    except OutboxError:
        file.close()
        raise
