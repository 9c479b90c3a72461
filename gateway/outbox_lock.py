"""The lock of an outbox, and the witness in it: the epoch and the next number, beside the database.

SQLite takes a write-ahead log for what it holds up to its first damaged frame and says nothing of the rest. Then
numbers that were given out would be given out again, for other events. So each commit leaves its next number here,
without an fsync: after a kill it is exact; after a power cut it may be some seconds old, and then it shows less, never
more than was committed.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from gateway.outbox_tables import OutboxError

#: More than the lines of a lock can be.
_BYTES: Final = 200


class OutboxLock:
    """Held by one process; the kernel lets go of it however the process ends."""

    def __init__(self, descriptor: int, epoch: str | None, next_seq: int) -> None:
        """Use `take`."""
        self._descriptor = descriptor
        #: What the last owner left: its epoch, None where it said nothing, and its next number, 0 likewise.
        self.epoch = epoch
        self.next_seq = next_seq

    @classmethod
    def take(cls, path: Path) -> Self:
        """Hold the outbox of this path. Raises `OutboxError` when another has it, and `OSError`."""
        descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        lines = os.pread(descriptor, _BYTES, 0).decode(errors="replace").split("\n")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            holder = lines[0].strip() or "?"
            raise OutboxError(f"{path}: another gateway uses it (process {holder})") from None
        epoch, number = (*lines[1:3], "", "")[:2]
        known = epoch if epoch.isalnum() else None
        lock = cls(descriptor, known, int(number) if known and _is_number(number) else 0)
        lock._write(lock.epoch or "", lock.next_seq)
        os.truncate(descriptor, len(_text(lock.epoch or "", lock.next_seq)))
        return lock

    def witness(self, epoch: str, next_seq: int) -> None:
        """This much is committed. A full disk may refuse it: then less is known after a damage."""
        with suppress(OSError):
            self._write(epoch, next_seq)

    def is_behind(self, epoch: str, next_seq: int) -> bool:
        """Whether more numbers of this epoch were given out than the outbox knows of."""
        return epoch == self.epoch and next_seq < self.next_seq

    def close(self) -> None:
        """Let another process have it."""
        os.close(self._descriptor)

    def _write(self, epoch: str, next_seq: int) -> None:
        os.pwrite(self._descriptor, _text(epoch, next_seq), 0)


def _text(epoch: str, next_seq: int) -> bytes:
    return f"{os.getpid()}\n{epoch}\n{next_seq:020d}\n".encode()


def _is_number(text: str) -> bool:
    return len(text) == 20 and text.isascii() and text.isdigit()
