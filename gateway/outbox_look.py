"""Looking at an outbox without changing it, also beside a running gateway.

No read transaction stays open for longer than one query of a bounded number of rows: as long as one is
open, SQLite cannot empty its WAL.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple

from gateway.batch import RejectRow, WaitingRow
from gateway.outbox_tables import VERSION, OutboxError, connect_to_look

#: Rows of one query.
CHUNK: Final = 1_000


class Rejects(NamedTuple):
    """The rejects that are kept, oldest first, and how many older ones were dropped."""

    rows: list[RejectRow]
    dropped: int


class Look:
    """An outbox, open to be looked at."""

    def __init__(self, path: Path) -> None:
        """Raises `OutboxError` when there is none."""
        self.path = path
        self._db = connect_to_look(path)
        ((version,),) = self.rows("PRAGMA user_version")
        if version != VERSION:
            self.close()
            raise OutboxError(f"{path}: of an earlier version: the gateway brings it up to date")

    def rows(self, statement: str, values: Sequence[object] = ()) -> list[Any]:
        """All rows of one bounded query. Raises `OutboxError`."""
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise OutboxError(f"{self.path}: {error}") from error

    def meta(self) -> dict[str, str]:
        """Gateway and epoch."""
        return dict(self.rows("SELECT name, value FROM meta"))

    def waiting(self) -> Iterator[WaitingRow]:
        """What waits, in the order in which it will be sent; what is sent meanwhile may be missing."""
        epoch, after = self.meta()["epoch"], 0
        select = "SELECT number, seq, at_us, value, chain, signature, epoch FROM earlier"
        while rows := self.rows(
            f"{select} WHERE number > ? ORDER BY number LIMIT {CHUNK}", (after,)
        ):
            after = rows[-1][0]
            yield from (WaitingRow._make(row[1:]) for row in rows)
        after = 0
        select = "SELECT seq, at_us, value, chain, signature FROM events"
        while rows := self.rows(f"{select} WHERE seq > ? ORDER BY seq LIMIT {CHUNK}", (after,)):
            after = rows[-1][0]
            yield from (WaitingRow._make((*row, epoch)) for row in rows)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()


def read_rejects(path: Path) -> Rejects:
    """The rejects of an outbox, also while its gateway runs. Raises `OutboxError`."""
    with closing(connect_to_look(path)) as db:
        try:
            rows = db.execute(
                "SELECT at_us, reader, reason, detail, raw FROM rejects ORDER BY number"
            ).fetchall()
            (last,) = db.execute("SELECT coalesce(max(number), 0) FROM rejects").fetchone()
        except sqlite3.Error as error:
            raise OutboxError(f"{path}: {error}") from error
    return Rejects([RejectRow(*row) for row in rows], last - len(rows))
