"""The tables of an outbox file, how a connection to it is set up, and what can be wrong with it.

meta       gateway, epoch; `follows`: what this epoch follows, when an earlier outbox was damaged
tail       one row: the next number, up to where links are final, what the event log has
events     seq -> value, link, signature       what waits for the event log
earlier    the same of an earlier epoch: salvaged from a damaged file, sent first
quarantine values that `Skipped` stands in place of, the last 1,000
stays      read point, EPC, replayed -> open stay
keys       reader, number mod 2,000 -> message key
counters   name -> totals; '' is the gateway, else a reader
rejects    what gave no read, the last 10,000
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final

#: "gbox": tells an outbox from other SQLite files.
APPLICATION: Final = 0x67626F78
VERSION: Final = 2

#: A WAL file that is left over, and about what it holds before it is copied into the file: 4 MiB.
WAL_LIMIT: Final = 4 * 1024 * 1024

_NEW: Final = """
CREATE TABLE tail (
  one INTEGER PRIMARY KEY CHECK (one = 1), next_seq INTEGER NOT NULL, linked_seq INTEGER NOT NULL,
  link BLOB, sent_seq INTEGER NOT NULL, sent_link BLOB
) STRICT;
CREATE TABLE earlier (
  number INTEGER PRIMARY KEY, epoch TEXT NOT NULL, seq INTEGER NOT NULL, at_us INTEGER NOT NULL,
  value BLOB NOT NULL, chain BLOB, signature BLOB
) STRICT;
CREATE TABLE quarantine (
  number INTEGER PRIMARY KEY AUTOINCREMENT, epoch TEXT NOT NULL, seq INTEGER NOT NULL,
  at_us INTEGER NOT NULL, cause TEXT NOT NULL, value BLOB NOT NULL, chain BLOB
) STRICT;
"""

_TABLES: Final = (
    """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID, STRICT;
CREATE TABLE events (
  seq INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, value BLOB NOT NULL, chain BLOB, signature BLOB
) STRICT;
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
    + _NEW
)

_TAIL_OF_1: Final = """
INSERT INTO tail SELECT 1, n, n - 1, NULL, coalesce((SELECT min(seq) FROM events), n) - 1, NULL
  FROM (SELECT CAST(value AS INTEGER) AS n FROM meta WHERE name = 'next_seq');
DELETE FROM meta WHERE name = 'next_seq';
"""

#: From version 1: events had no links, and `next_seq` stood in `meta`.
_FROM_1: Final = (
    """
ALTER TABLE events ADD COLUMN chain BLOB;
ALTER TABLE events ADD COLUMN signature BLOB;
"""
    + _NEW
    + _TAIL_OF_1
)


class OutboxError(Exception):
    """The outbox cannot be used; the text says what to do."""


class OutboxFull(OutboxError):  # noqa: N818 - named by what it means: wait, or make room
    """A transaction could not be stored now. Nothing of it is there; it may be tried again."""


class OutboxDamaged(OutboxError):  # noqa: N818 - named by what happened
    """The file is malformed; the next start salvages what can be read."""


def connect(path: Path) -> sqlite3.Connection:
    """A connection that writes, for one thread at a time; raises `sqlite3.Error`."""
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute(f"PRAGMA journal_size_limit={WAL_LIMIT}")
    except sqlite3.Error:
        db.close()
        raise
    return db


def connect_to_look(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing, also beside a running gateway. Raises `OutboxError`."""
    if not path.exists():
        raise OutboxError(f"{path}: there is no outbox yet: it is made when the gateway first runs")
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        (application,) = db.execute("PRAGMA application_id").fetchone()
    except sqlite3.Error as error:
        raise OutboxError(f"{path}: {error}") from error
    if application != APPLICATION:
        db.close()
        raise OutboxError(f"{path}: not an outbox")
    return db


def version_of(db: sqlite3.Connection, path: Path) -> int:
    """The version of the tables, 0 in an empty file. Raises `OutboxError` for another program's file."""
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    (tables,) = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if not tables:
        return 0
    if application != APPLICATION or version not in {1, VERSION}:
        raise OutboxError(f"{path}: not an outbox of this version of gatebook: name another file")
    return int(version)


def make_tables(db: sqlite3.Connection, meta: Sequence[tuple[str, str]]) -> None:
    """The tables of an empty file, in a transaction that stays open for the caller's rows."""
    db.executescript(
        f"BEGIN IMMEDIATE; PRAGMA application_id={APPLICATION}; PRAGMA user_version={VERSION};"
        + _TABLES
    )
    db.executemany("INSERT INTO meta VALUES (?, ?)", meta)
    db.execute("INSERT INTO tail VALUES (1, 1, 0, NULL, 0, NULL)")


def upgrade(db: sqlite3.Connection) -> None:
    """Bring the tables of version 1 to this one, in one transaction."""
    db.executescript(f"BEGIN IMMEDIATE; PRAGMA user_version={VERSION};{_FROM_1}COMMIT;")
