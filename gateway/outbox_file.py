"""The outbox file: SQLite in WAL mode with synchronous=FULL. Used from one thread only.

One transaction stores a whole `Batch`, so that after a kill the file holds all of it or nothing. The file
holds EPCs (open stays, rejects): it is made with mode 0600.

    meta     gateway, epoch              next_seq
    events   seq -> value                what waits for the event log
    stays    read point, EPC, replayed -> open stay
    keys     reader, number mod 2,000 -> message key
    counters name -> totals; '' is the gateway, else a reader
    rejects  what gave no read, the last 10,000
"""

import fcntl
import os
import secrets
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple, Self

import msgspec

from gateway.batch import (
    REJECTS_KEPT,
    Batch,
    EventRow,
    Kept,
    KeyRow,
    ReaderTotals,
    RejectRow,
    Totals,
)
from gateway.duplicates import KEYS_KEPT
from gateway.tracker import Stay

#: "gbox": tells an outbox from other SQLite files.
_APPLICATION: Final = 0x67626F78
_VERSION: Final = 1
#: Pages of a WAL file that is left over: 4 MiB.
_WAL_LIMIT: Final = 4 * 1024 * 1024

_TABLES: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID, STRICT;
CREATE TABLE events (seq INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, value BLOB NOT NULL) STRICT;
CREATE TABLE stays (
  read_point TEXT, epc BLOB, replayed INTEGER, value BLOB NOT NULL,
  PRIMARY KEY (read_point, epc, replayed)
) WITHOUT ROWID, STRICT;
CREATE TABLE keys (
  reader TEXT, slot INTEGER, number INTEGER NOT NULL, key TEXT NOT NULL, PRIMARY KEY (reader, slot)
) WITHOUT ROWID, STRICT;
CREATE TABLE counters (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID, STRICT;
CREATE TABLE rejects (
  number INTEGER PRIMARY KEY AUTOINCREMENT, at_us INTEGER NOT NULL, reader TEXT NOT NULL,
  reason TEXT NOT NULL, detail TEXT NOT NULL, raw BLOB NOT NULL
) STRICT;
"""


class OutboxError(Exception):
    """The outbox cannot be used; the text says what to do."""


class OutboxFull(OutboxError):  # noqa: N818 - named by what it means: wait, or make room
    """A transaction could not be stored now. Nothing of it is there; it may be tried again."""


class Rejects(NamedTuple):
    """The rejects that are kept, oldest first, and how many older ones were dropped."""

    rows: list[RejectRow]
    dropped: int


class OutboxFile:
    """An open outbox file; the only one of its kind that is open anywhere."""

    def __init__(self, connection: sqlite3.Connection, lock: int, gateway: str) -> None:
        """Use `open_outbox`."""
        self._db = connection
        self._lock = lock
        self._gateway = gateway
        self._next_seq = 1

    def load(self) -> Kept:
        """What earlier runs left. Raises `OutboxError` when it is another gateway's, or damaged."""
        try:
            return self._load()
        except (sqlite3.Error, msgspec.DecodeError, KeyError, ValueError) as error:
            raise OutboxError(f"the outbox is damaged ({error}): set the file aside") from error

    def _load(self) -> Kept:
        meta = dict(self._db.execute("SELECT name, value FROM meta"))
        if meta["gateway"] != self._gateway:
            raise OutboxError(
                f"the outbox belongs to gateway {meta['gateway']!r}: give {self._gateway!r} its own file"
            )
        self._next_seq = int(meta["next_seq"])
        counters = dict(self._db.execute("SELECT name, value FROM counters"))
        totals = counters.pop("", None)
        keys: defaultdict[str, list[KeyRow]] = defaultdict(list)
        for reader, number, key in self._db.execute(
            "SELECT reader, number, key FROM keys ORDER BY reader, number"
        ):
            keys[reader].append(KeyRow(reader, number, key))
        return Kept(
            epoch=meta["epoch"],
            next_seq=self._next_seq,
            stays=[
                msgspec.msgpack.decode(value, type=Stay)
                for (value,) in self._db.execute("SELECT value FROM stays")
            ],
            keys=keys,
            totals=Totals() if totals is None else msgspec.msgpack.decode(totals, type=Totals),
            readers={
                name: msgspec.msgpack.decode(value, type=ReaderTotals)
                for name, value in counters.items()
            },
        )

    def store(self, batch: Batch) -> None:
        """Store all of a batch, or nothing and raise `OutboxFull`."""
        events = batch.events
        if events and events[0].seq != self._next_seq:
            raise ValueError(f"event {events[0].seq} does not follow {self._next_seq - 1}")
        next_seq = self._next_seq + len(events)
        with self._transaction():
            self._store(batch, next_seq)
        self._next_seq = next_seq

    def head(self, most: int) -> list[EventRow]:
        """The oldest events that wait; no read transaction stays open behind them."""
        rows = self._db.execute(
            "SELECT seq, at_us, value FROM events ORDER BY seq LIMIT ?", (most,)
        )
        return [EventRow(*row) for row in rows.fetchall()]

    def remove(self, last_seq: int) -> None:
        """The event log has everything up to `last_seq`."""
        with self._transaction():
            self._db.execute("DELETE FROM events WHERE seq <= ?", (last_seq,))

    def replace(self, row: EventRow) -> None:
        """Put another event in the place of one that the log refuses."""
        with self._transaction():
            self._db.execute("UPDATE events SET value = ? WHERE seq = ?", (row.value, row.seq))

    def waiting(self) -> tuple[int, int | None]:
        """How many events wait, and the time of the oldest."""
        oldest = self._db.execute("SELECT seq, at_us FROM events ORDER BY seq LIMIT 1").fetchone()
        if oldest is None:
            return 0, None
        (last,) = self._db.execute("SELECT max(seq) FROM events").fetchone()
        return last - oldest[0] + 1, oldest[1]

    def close(self) -> None:
        """Close the file and let another process have it."""
        self._db.close()
        os.close(self._lock)

    def __enter__(self) -> Self:
        """Nothing to do: it was opened when it was made."""
        return self

    def __exit__(self, *_: object) -> None:
        """As `close`."""
        self.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing. What may pass by itself (a full disk, an I/O error) is `OutboxFull`."""
        try:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                yield
        except sqlite3.OperationalError as error:
            raise OutboxFull(f"the outbox cannot be written: {error}") from error
        except sqlite3.DatabaseError as error:
            raise OutboxError(f"the outbox is damaged ({error}): set the file aside") from error

    def _store(self, batch: Batch, next_seq: int) -> None:
        many = self._db.executemany
        many("INSERT INTO events VALUES (?, ?, ?)", batch.events)
        closed = [key for key, value in batch.stays.items() if value is None]
        changed = [(*key, value) for key, value in batch.stays.items() if value is not None]
        many("DELETE FROM stays WHERE read_point = ? AND epc = ? AND replayed = ?", closed)
        many("INSERT OR REPLACE INTO stays VALUES (?, ?, ?, ?)", changed)
        keys = [(row.reader, row.number % KEYS_KEPT, row.number, row.key) for row in batch.keys]
        many("INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?)", keys)
        counters = [("", batch.totals), *batch.readers.items()]
        many("INSERT OR REPLACE INTO counters VALUES (?, ?)", counters)
        if batch.rejects:
            many("INSERT INTO rejects VALUES (NULL, ?, ?, ?, ?, ?)", batch.rejects)
            self._db.execute(
                "DELETE FROM rejects WHERE number <= (SELECT max(number) FROM rejects) - ?",
                (REJECTS_KEPT,),
            )
        if batch.events:
            self._db.execute("UPDATE meta SET value = ? WHERE name = 'next_seq'", (str(next_seq),))


def open_outbox(path: Path, gateway: str) -> OutboxFile:
    """Open the outbox of a gateway, and make it with a new epoch when it is not there.

    Raises `OutboxError` when another process has it, when it belongs to another gateway or when it is no
    outbox.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = _lock(path)
    except OSError as error:
        raise OutboxError(f"{path}: {error.strerror}") from error
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        _prepare(connection, path, gateway)
    except (sqlite3.Error, OSError) as error:
        os.close(lock)
        raise OutboxError(f"{path}: {error}: set the file aside and start again") from error
    except OutboxError:
        os.close(lock)
        raise
    return OutboxFile(connection, lock, gateway)


def read_rejects(path: Path) -> Rejects:
    """The rejects of an outbox, also while its gateway runs. Raises `OutboxError`."""
    if not path.exists():
        raise OutboxError(f"{path}: there is no outbox yet: it is made when the gateway first runs")
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            rows = db.execute(
                "SELECT at_us, reader, reason, detail, raw FROM rejects ORDER BY number"
            ).fetchall()
            (last,) = db.execute("SELECT coalesce(max(number), 0) FROM rejects").fetchone()
        finally:
            db.close()
    except sqlite3.Error as error:
        raise OutboxError(f"{path}: {error}") from error
    return Rejects([RejectRow(*row) for row in rows], last - len(rows))


def _lock(path: Path) -> int:
    """Hold the outbox; the kernel lets go of it however the process ends."""
    descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 32).decode(errors="replace").strip()
        os.close(descriptor)
        raise OutboxError(f"{path}: another gateway uses it (process {holder or '?'})") from None
    os.truncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def _prepare(db: sqlite3.Connection, path: Path, gateway: str) -> None:
    """Set the connection up; make the tables and the epoch in an empty file."""
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute(f"PRAGMA journal_size_limit={_WAL_LIMIT}")
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    (tables,) = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if tables and (application, version) != (_APPLICATION, _VERSION):
        raise OutboxError(f"{path}: not an outbox of this version of gatebook: name another file")
    if tables:
        return
    rows: Sequence[tuple[str, str]] = (
        ("gateway", gateway),
        ("epoch", secrets.token_hex(8)),
        ("next_seq", "1"),
    )
    db.executescript(
        f"BEGIN IMMEDIATE; PRAGMA application_id={_APPLICATION}; PRAGMA user_version={_VERSION};"
        + _TABLES
    )
    db.executemany("INSERT INTO meta VALUES (?, ?)", rows)
    db.commit()
