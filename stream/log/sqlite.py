"""The event log in one SQLite file: the embedded default.

Several processes may use one file at once. A handle has one connection and one thread that uses it;
`stream.log.sqlite_file` says what is in the file.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final, Self, TypeVar

from schemas.topics import Topic
from stream.log import sqlite_tidy
from stream.log.contract import (
    CommitFailed,
    LogError,
    LogUnavailable,
    Outgoing,
    Record,
    TopicPartition,
    TopicState,
)
from stream.log.sqlite_file import open_file, translated
from stream.log.sqlite_rows import Rows
from stream.log.tidying import RETENTION_EVERY_MS

#: How long a waiting reader sleeps before it looks whether another process has committed: the first time,
#: and at most. What this process writes wakes it at once.
FIRST_LOOK_S: Final = 0.002
LAST_LOOK_S: Final = 0.020

_T = TypeVar("_T")


async def open_sqlite(path: str) -> "SqliteLog":
    """The log in this file, made if it is not there; raises `LogUnavailable` or `LogDamaged`."""
    thread = ThreadPoolExecutor(1, thread_name_prefix="event-log")
    try:
        rows, watch = await asyncio.get_running_loop().run_in_executor(thread, _open, path)
    except BaseException:
        thread.shutdown(wait=False, cancel_futures=True)
        raise
    return SqliteLog(rows, watch, thread)


def _open(path: str) -> tuple[Rows, sqlite3.Connection]:
    connection = open_file(path)
    with translated(path):
        watch = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    return Rows(path, connection), watch


class SqliteLog:
    """The event log contract in one SQLite file."""

    def __init__(self, rows: Rows, watch: sqlite3.Connection, thread: ThreadPoolExecutor) -> None:
        """Made by `open_sqlite`. `watch` is a connection that only asks whether others have committed."""
        self.rows = rows
        self._watch = watch
        self._thread = thread
        self._closed = False
        self._readers: set[asyncio.Event] = set()
        self._tidying: asyncio.Task[None] | None = None
        self._to_compact: set[int] = set()
        self._retained_ms = 0

    async def run(self, call: Callable[..., _T], *args: object) -> _T:
        """Run a call in the log's thread."""
        if self._closed:
            raise LogUnavailable(f"{self.rows.path}: this handle is closed")
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *args)

    async def create(self, topics: Sequence[Topic]) -> list[str]:
        """Make the topics that are not there; return their names."""
        return await self.run(self.rows.create, topics)

    async def describe(self, names: Sequence[str]) -> dict[str, TopicState | None]:
        """The topics as they are; None for one that is not there."""
        return await self.run(self.rows.describe, names)

    async def max_record_bytes(self, name: str) -> int | None:  # noqa: ARG002 - no topic has one
        """Only the program's own limit holds here."""
        return None

    async def bounds(
        self, partitions: Sequence[TopicPartition]
    ) -> dict[TopicPartition, tuple[int, int]]:
        """First offset still there, and the end."""
        return await self.run(self.rows.bounds, partitions)

    async def committed(self, application: str, partition: TopicPartition) -> int | None:
        """An application's committed position."""
        return await self.run(self.rows.committed, application, partition)

    async def appender(self) -> "SqliteAppender":
        """A new appender."""
        return SqliteAppender(self)

    async def reader(self, positions: Mapping[TopicPartition, int]) -> "SqliteReader":
        """A new reader that starts at the given offsets."""
        for partition in positions:
            await self.run(self._known, partition)
        return SqliteReader(self, positions)

    async def take_over(self, application: str, partition: TopicPartition) -> "SqliteOwnership":
        """Become the only owner of the partition."""
        epoch = await self.run(self.rows.take_over, application, partition)
        return SqliteOwnership(self, application, partition, epoch)

    async def tidy(self, now_ms: int) -> None:
        """Compact what has grown enough and delete what is too old. Happens by itself now and then."""
        self._to_compact.update(await self.run(sqlite_tidy.due, self.rows))
        while await self.run(sqlite_tidy.expire, self.rows, now_ms):
            pass
        await self._compact(now_ms)

    async def aclose(self) -> None:
        """Let go of the file."""
        if self._closed:
            return
        if self._tidying is not None:
            self._tidying.cancel()
            await asyncio.wait([self._tidying])
        await self.run(self.rows.connection.close)
        self._closed = True
        self._watch.close()
        self._thread.shutdown(wait=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def version(self) -> int:
        """A number that changes with every commit, of whatever process.

        Asked without the thread, because waiting readers ask often: it reads shared memory and never
        waits for a writer.
        """
        if self._closed:
            raise LogUnavailable(f"{self.rows.path}: this handle is closed")
        with translated(self.rows.path):
            (version,) = self._watch.execute("PRAGMA data_version").fetchone()
        return int(version)

    def subscribe(self, written: asyncio.Event) -> None:
        """Set the event whenever this handle has written."""
        self._readers.add(written)

    def unsubscribe(self, written: asyncio.Event) -> None:
        """Set it no more."""
        self._readers.discard(written)

    def wrote(self, to_compact: list[int]) -> None:
        """Wake the readers of this handle, and tidy if it is time."""
        for written in self._readers:
            written.set()
        self._to_compact.update(to_compact)
        now_ms = time.time_ns() // 1_000_000
        too_old = now_ms - self._retained_ms >= RETENTION_EVERY_MS
        idle = self._tidying is None or self._tidying.done()
        if idle and (self._to_compact or too_old):
            self._tidying = asyncio.create_task(
                self._tidy_quietly(now_ms, too_old), name="tidy-log"
            )

    async def _tidy_quietly(self, now_ms: int, too_old: bool) -> None:
        # What fails here fails again at the next commit, which says so to somebody who can act on it.
        with suppress(LogError):
            if too_old:
                self._retained_ms = now_ms
                while await self.run(sqlite_tidy.expire, self.rows, now_ms):
                    pass
            await self._compact(now_ms)

    async def _compact(self, now_ms: int) -> None:
        while self._to_compact:
            tp = self._to_compact.pop()
            gone, end, kept = await self.run(sqlite_tidy.look, self.rows, tp, now_ms)
            for at in range(0, len(gone), sqlite_tidy.STEP):
                step = gone[at : at + sqlite_tidy.STEP]
                await self.run(sqlite_tidy.delete, self.rows, tp, step)
            await self.run(sqlite_tidy.done, self.rows, tp, end, kept)

    def _known(self, partition: TopicPartition) -> None:
        with translated(self.rows.path):
            self.rows.id_of(partition)


class SqliteAppender:
    """Writes outside any ownership; a call is one transaction."""

    def __init__(self, log: SqliteLog) -> None:
        """Made by `SqliteLog.appender`."""
        self._log = log
        self._closed = False

    async def append(self, records: Sequence[Outgoing]) -> None:
        """Write in order; after an error nothing of the batch is there."""
        if self._closed:
            raise LogUnavailable("this appender is closed")
        if records:
            self._log.wrote(await self._log.run(self._log.rows.append, records))

    async def aclose(self) -> None:
        """Take no more."""
        self._closed = True


class SqliteReader:
    """Reads given partitions from given positions."""

    def __init__(self, log: SqliteLog, positions: Mapping[TopicPartition, int]) -> None:
        """Made by `SqliteLog.reader`."""
        self._log = log
        self._positions = dict(positions)
        self._written = asyncio.Event()
        #: The log's version when nothing was left to read.
        self._read_all = -1
        self._look_s = FIRST_LOOK_S
        log.subscribe(self._written)

    async def poll(self, max_records: int, timeout_s: float) -> list[Record]:
        """The next records, at least one unless the time runs out."""
        # Also a poll that neither reads nor waits lets others run.
        await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + timeout_s
        while True:
            self._written.clear()
            # Asked before the records: a commit between the two is read later, never missed.
            version = self._log.version()
            if version != self._read_all:
                found = await self._log.run(self._log.rows.poll, dict(self._positions), max_records)
                for where, position in found.positions.items():
                    # A partition that was read goes behind the others, so that none is starved.
                    del self._positions[where]
                    self._positions[where] = position
                if found.records:
                    self._look_s = FIRST_LOOK_S
                    return found.records
                self._read_all = version
            if loop.time() >= ends_at:
                return []
            await self._wait(ends_at)

    def positions(self) -> Mapping[TopicPartition, int]:
        """The next offset of each partition."""
        return dict(self._positions)

    async def aclose(self) -> None:
        """Wait for no more."""
        self._log.unsubscribe(self._written)

    async def _wait(self, ends_at: float) -> None:
        """Wait until something was committed or the time is up."""
        loop = asyncio.get_running_loop()
        while loop.time() < ends_at and self._log.version() == self._read_all:
            try:
                async with asyncio.timeout_at(min(ends_at, loop.time() + self._look_s)):
                    await self._written.wait()
            except TimeoutError:
                self._look_s = min(2 * self._look_s, LAST_LOOK_S)
            else:
                return


class SqliteOwnership:
    """The right to commit for one input partition of one application."""

    def __init__(
        self, log: SqliteLog, application: str, partition: TopicPartition, epoch: int
    ) -> None:
        """Made by `SqliteLog.take_over`."""
        self._log = log
        self._application = application
        self._partition = partition
        self._epoch = epoch
        self._dead = False

    async def committed(self) -> int | None:
        """The committed next input offset."""
        return await self._log.committed(self._application, self._partition)

    async def commit(self, outputs: Sequence[Outgoing], next_offset: int | None) -> None:
        """Write the outputs and move the input position as one."""
        if self._dead:
            raise CommitFailed("this ownership has ended; take over again")
        owner = (self._application, self._partition, self._epoch)
        try:
            to_compact = await self._log.run(self._log.rows.commit, *owner, outputs, next_offset)
        except BaseException:
            self._dead = True
            raise
        self._log.wrote(to_compact)

    async def aclose(self) -> None:
        """Let go."""
        self._dead = True
