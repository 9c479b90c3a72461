"""The file of an SQLite log: opening it, its tables, and what its errors mean.

    topics     a row a topic: partitions, compacted, retention
    partitions a row a partition: its id `tp`, the next offset, and what compaction did last
    log        the records: partition id, offset, time, key, value, headers (msgpack list of pairs)
    positions  the committed input offset of each application and partition
    owners     the epoch of each application and partition, raised by whoever takes over

WAL mode with `synchronous=FULL`: a commit is on the disk when it returns, and readers do not block the
writer (SQLite documentation, "Write-Ahead Logging" and PRAGMA synchronous).
"""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from stream.log.contract import LogDamaged, LogError, LogUnavailable

#: "gatb" as a big-endian number: marks the file as ours (PRAGMA application_id).
APPLICATION_ID: Final = 0x67617462
VERSION: Final = 1
#: How long a write waits for another process that is writing.
BUSY_S: Final = 10.0

_SCHEMA: Final = (
    """CREATE TABLE IF NOT EXISTS topics (
        topic TEXT PRIMARY KEY, partitions INTEGER NOT NULL, compacted INTEGER NOT NULL,
        retention_ms INTEGER) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS partitions (
        tp INTEGER PRIMARY KEY, topic TEXT NOT NULL, partition INTEGER NOT NULL,
        next INTEGER NOT NULL DEFAULT 0, cleaned INTEGER NOT NULL DEFAULT 0,
        kept INTEGER NOT NULL DEFAULT 0, UNIQUE (topic, partition))""",
    """CREATE TABLE IF NOT EXISTS log (
        tp INTEGER NOT NULL, off INTEGER NOT NULL, at_ms INTEGER NOT NULL, k BLOB, v BLOB, h BLOB,
        PRIMARY KEY (tp, off)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS positions (
        app TEXT NOT NULL, tp INTEGER NOT NULL, off INTEGER NOT NULL, PRIMARY KEY (app, tp))
        WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS owners (
        app TEXT NOT NULL, tp INTEGER NOT NULL, epoch INTEGER NOT NULL, PRIMARY KEY (app, tp))
        WITHOUT ROWID""",
)

#: Result codes after which waiting does not help: a person must look at the file.
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT})
_TEXTS: Final = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_BUSY: f"another process has been writing for more than {BUSY_S:.0f} s",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened (is its folder there, and may it be written?)",
    sqlite3.SQLITE_READONLY: "the file may not be written",
    sqlite3.SQLITE_PERM: "the file may not be opened",
    sqlite3.SQLITE_NOTADB: "the file is not an SQLite database",
    sqlite3.SQLITE_CORRUPT: "the file is damaged",
}


def open_file(path: str) -> sqlite3.Connection:
    """A connection to the log of this file, made if it is not there. Raises `LogUnavailable`."""
    with translated(path):
        _reserve(path)
        connection = sqlite3.connect(
            path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
        )
        try:
            _check_kind(path, connection)
            _use_wal(connection)
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA cache_size=-16000")
            connection.execute("PRAGMA journal_size_limit=67108864")
            with writing(connection):
                for statement in _SCHEMA:
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version={VERSION}")
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """A write transaction; anything raised inside undoes it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # After some errors SQLite has rolled back by itself.
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


@contextmanager
def reading(connection: sqlite3.Connection) -> Iterator[None]:
    """One view of the file for several statements; kept short, because it holds up checkpoints."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        with suppress(sqlite3.Error):
            connection.execute("COMMIT")


@contextmanager
def translated(path: str) -> Iterator[None]:
    """Raise what SQLite raises as the errors of the contract."""
    try:
        yield
    except sqlite3.Error as error:
        raise explain(path, error) from error
    except OSError as error:
        raise LogUnavailable(f"{path} cannot be made: {error.strerror or error}") from error


def explain(path: str, error: sqlite3.Error) -> LogError:
    """The contract's error for one of SQLite's."""
    code = getattr(error, "sqlite_errorcode", None)
    primary = code & 0xFF if isinstance(code, int) else None
    text = _TEXTS.get(primary) if primary is not None else None
    kind = LogDamaged if primary in _DAMAGED else LogUnavailable
    return kind(f"{path}: {text or 'SQLite failed'} ({error})")


def _reserve(path: str) -> None:
    """Make a new file readable by its owner only: reference rows hold personal data."""
    if path != ":memory:" and not Path(path).exists():
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _check_kind(path: str, connection: sqlite3.Connection) -> None:
    # In one view: another process may make the log between two looks.
    with reading(connection):
        (kind,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if kind == APPLICATION_ID:
        if version != VERSION:
            raise LogDamaged(f"{path}: the log has version {version}, this program reads {VERSION}")
        return
    if kind or version or tables:
        raise LogDamaged(f"{path}: this is a database of something else, not an event log")


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL; two processes that do so at once are refused at once, whatever the time-out is."""
    ends_at = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > ends_at:
                raise
            time.sleep(0.005)
        else:
            return
