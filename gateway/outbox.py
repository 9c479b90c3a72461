"""The outbox of a running gateway: one thread does all its reading and writing, one job at a time."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

from gateway.batch import Batch, EventRow, Kept, WaitingRow
from gateway.outbox_file import OutboxFile, Owner
from gateway.outbox_open import QUOTA, open_outbox
from gateway.outbox_room import Sizes
from gateway.outbox_tables import OutboxError, OutboxFull
from schemas.gate import event_id

__all__ = ["Outbox", "OutboxError", "OutboxFull", "Owner"]

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
    async def open(cls, path: Path, owner: Owner, quota: int = QUOTA) -> "Outbox":
        """Open the file and read what it holds. `quota` in bytes. Raises `OutboxError`."""
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="outbox")
        loop = asyncio.get_running_loop()
        try:
            file, kept = await loop.run_in_executor(thread, _open, path, owner, quota)
        except OutboxError:
            thread.shutdown(wait=False)
            raise
        outbox = cls(file, kept, thread, owner.gateway)
        outbox.filled.set()
        return outbox

    async def store(self, batch: Batch) -> None:
        """Store a batch as one; when this returns it survives a power cut. Raises `OutboxFull`."""
        await self._do(self._file.store, batch)
        if batch.events:
            self.empty.clear()
            self.filled.set()

    async def load(self) -> Kept:
        """What is stored now, for an intake that goes on in the same run."""
        return await self._do(self._file.load)

    async def head(self, most: int) -> list[WaitingRow]:
        """The oldest events that wait, all of one epoch; clears `filled` when there are none."""
        self.filled.clear()
        rows = await self._do(self._file.head, most)
        (self.filled if rows else self.empty).set()
        return rows

    async def oldest(self, most: int) -> tuple[list[WaitingRow], int | None]:
        """As `head`, and the first of them whose value is not the one that was stored, None when all are.

        One job: each waits for what is being stored.
        """
        self.filled.clear()
        rows, unsound = await self._do(_oldest, self._file, most)
        (self.filled if rows else self.empty).set()
        return rows, unsound

    async def remove(self, last_seq: int, epoch: str | None = None) -> None:
        """The event log has everything up to `last_seq` of an epoch, by default the present one."""
        await self._do(self._file.remove, last_seq, epoch)

    async def replace(self, row: EventRow, cause: str, epoch: str | None = None) -> None:
        """Put another event in the place of one that cannot be sent, which goes to quarantine."""
        await self._do(self._file.replace, row, cause, epoch)

    def event_id(self, seq: int, epoch: str | None = None) -> str:
        """The id of the event with this number, by default of the present epoch."""
        return event_id(self._gateway, epoch or self.kept.epoch, seq)

    async def waiting(self) -> tuple[int, int | None]:
        """How many events wait, and the time of the oldest."""
        return await self._do(self._file.waiting)

    async def sizes(self, *, settle: bool = False) -> Sizes:
        """How the room is used; `settle`: after the reserve was made what the quota leaves."""
        return await self._do(self._file.sizes, settle=settle)

    async def aclose(self) -> None:
        """Finish the job that runs and close the file."""
        await self._do(self._file.close)
        self._thread.shutdown(wait=False)

    async def _do(
        self, job: Callable[_Args, _Result], *args: _Args.args, **kwargs: _Args.kwargs
    ) -> _Result:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: job(*args, **kwargs))


def _oldest(file: OutboxFile, most: int) -> tuple[list[WaitingRow], int | None]:
    rows = file.head(most)
    return rows, file.unsound(rows)


def _open(path: Path, owner: Owner, quota: int) -> tuple[OutboxFile, Kept]:
    file = open_outbox(path, owner, quota)
    try:
        return file, file.load()
    except OutboxError:
        file.close()
        raise
