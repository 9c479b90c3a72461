"""The room of an outbox: a quota over its database and WAL, and disk that nobody else can take meanwhile.

SQLite gives up room that was allocated behind its last page with each checkpoint, so the room is kept by a
second file, `OUTBOX.reserve`, made of allocated blocks. It shrinks as the outbox grows. Its last 4 MiB are
the ballast: they are only let go so that events can be removed, since on a full disk even that needs
room (measured).
"""

import os
import sqlite3
from pathlib import Path
from typing import Final, NamedTuple, Self

MIB: Final = 1024 * 1024

#: Kept for removing events, when nothing else is left.
BALLAST: Final = 4 * MIB

#: Of the quota, what the WAL may need: it is copied into the database at 4 MiB, after the transaction.
WAL_ROOM: Final = 8 * MIB

#: The reserve changes its size by this.
STEP: Final = MIB

#: After so many bytes of events the files are looked at.
_LOOK_BYTES: Final = 64 * 1024

#: Where the disk has less room than the quota, this share of it is left to others.
_LEAVE: Final = 8

#: Above this share of its room an outbox takes no more heartbeats.
NEARLY_FULL: Final = 0.8


class Sizes(NamedTuple):
    """How an outbox uses its room; all in bytes."""

    #: Database and WAL as files.
    used: int
    #: Of the database, what holds something.
    filled: int
    #: What the database may grow to.
    limit: int
    quota: int
    reserve: int

    @property
    def share(self) -> float:
        """The share of its room that is filled."""
        return min(1.0, self.filled / self.limit) if self.limit else 1.0

    @property
    def nearly_full(self) -> bool:
        """Whether heartbeats are refused."""
        return self.share > NEARLY_FULL


def beside(path: Path, suffix: str) -> Path:
    """A file that belongs to an outbox."""
    return path.with_name(path.name + suffix)


class Room:
    """Keeps a connection within the quota. Used from the thread of its outbox only."""

    def __init__(self, db: sqlite3.Connection, path: Path, quota: int) -> None:
        """`quota`: bytes, at least 16 MiB. Raises `OSError` and `sqlite3.Error`."""
        self._db = db
        self._files = (path, beside(path, "-wal"))
        self._quota = quota
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._reserve = os.open(beside(path, ".reserve"), flags, 0o600)
        (self._page,) = db.execute("PRAGMA page_size").fetchone()
        self._limit = 0
        self._lifted = False
        self._unseen = 0
        self.settle()

    def settle(self) -> None:
        """Make the reserve what the quota leaves, as far as the disk has it, and set the limit by that."""
        used = self._used()
        target = max(BALLAST, self._quota - used) // STEP * STEP
        held = self._held()
        if held > target:
            os.ftruncate(self._reserve, target)
        elif held < target:
            self._allocate(held, target)
        held = self._held()
        room = (self._quota if held >= target else used + held) - WAL_ROOM - BALLAST
        self._limit_to(max(room // self._page, 1))

    def stored(self, size: int) -> None:
        """So many bytes of events were stored: give back, now and then, what they took of the quota."""
        self._unseen += size
        if self._unseen < _LOOK_BYTES:
            return
        self._unseen = 0
        over = self._used() + self._held() - self._quota
        if over > 0:
            self.give(over, least=BALLAST)

    def give(self, size: int = BALLAST, *, least: int) -> bool:
        """Let go of blocks of the reserve, down to `least`; False when there are none to give."""
        held = self._held()
        left = max(least, (held - size) // STEP * STEP)
        if left >= held:
            return False
        os.ftruncate(self._reserve, left)
        return True

    def at_limit(self) -> bool:
        """Whether it is the quota that stops the database from growing, not the disk."""
        (pages,) = self._db.execute("PRAGMA page_count").fetchone()
        (free,) = self._db.execute("PRAGMA freelist_count").fetchone()
        return bool(pages - free + 64 >= self._limit)

    def lift(self) -> Self:
        """Let the database grow into the ballast, to remove something; `lower` ends it."""
        self._lifted = True
        self._db.execute(f"PRAGMA max_page_count={self._limit + BALLAST // self._page}")
        return self

    def lower(self) -> None:
        """End of `lift`, if there was one."""
        if self._lifted:
            self._limit_to(self._limit)
            self._lifted = False

    def sizes(self) -> Sizes:
        """How the room is used."""
        (pages,) = self._db.execute("PRAGMA page_count").fetchone()
        (free,) = self._db.execute("PRAGMA freelist_count").fetchone()
        filled = (pages - free) * self._page
        return Sizes(self._used(), filled, self._limit * self._page, self._quota, self._held())

    def close(self) -> None:
        """The reserve stays, for the next start."""
        os.close(self._reserve)

    def _limit_to(self, pages: int) -> None:
        # SQLite takes the present size where that is more; then nothing grows until it is less.
        self._limit = pages
        self._db.execute(f"PRAGMA max_page_count={pages}")

    def _used(self) -> int:
        found = 0
        for file in self._files:
            try:
                found += file.stat().st_size
            except FileNotFoundError:
                continue
        return found

    def _held(self) -> int:
        """Bytes of the reserve that are really allocated."""
        status = os.fstat(self._reserve)
        return min(status.st_size, status.st_blocks * 512)

    def _allocate(self, held: int, target: int) -> None:
        disk = os.fstatvfs(self._reserve)
        within_reach = held + disk.f_bavail * disk.f_frsize
        size = min(target, within_reach - within_reach // _LEAVE) // STEP * STEP
        try:
            if size > held:
                os.posix_fallocate(self._reserve, 0, size)
        except OSError:
            # A file system without it, or somebody was faster: the outbox works without a reserve.
            os.ftruncate(self._reserve, held)
