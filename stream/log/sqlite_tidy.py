"""Compaction and retention of an SQLite log, in short steps so that writers wait little.

Two processes may tidy one file at once: every step deletes only what may go, and a second time nothing.
"""

import sqlite3
from typing import Final

from stream.log.sqlite_file import translated, writing
from stream.log.sqlite_rows import Rows
from stream.log.tidying import Kept, compaction_due, superseded

#: Most rows that one write transaction deletes.
STEP: Final = 2000


def due(rows: Rows) -> list[int]:
    """Every partition that should be compacted now."""
    with translated(rows.path):
        found = rows.connection.execute(
            "SELECT tp, next - cleaned, kept FROM partitions NATURAL JOIN topics WHERE compacted"
        ).fetchall()
    return [tp for tp, added, kept in found if compaction_due(added, kept)]


def look(rows: Rows, tp: int, now_ms: int) -> tuple[list[int], int, int]:
    """What compaction of a partition deletes, the end up to which it looked, and what is kept then."""
    with translated(rows.path):
        connection = rows.connection
        (end,) = connection.execute("SELECT next FROM partitions WHERE tp = ?", (tp,)).fetchone()
        seen = 0

        def kept(row: tuple[int, bytes | None, int, int]) -> Kept:
            nonlocal seen
            seen += 1
            return Kept(row[0], row[1], bool(row[2]), row[3])

        gone = superseded(
            map(
                kept,
                connection.execute(
                    "SELECT off, k, v IS NULL, at_ms FROM log WHERE tp = ? AND off < ? ORDER BY off",
                    (tp, end),
                ),
            ),
            now_ms,
        )
    return gone, end, seen - len(gone)


def delete(rows: Rows, tp: int, offsets: list[int]) -> None:
    """Delete records; at most `STEP` of them, so that the write lock is held for a moment only."""
    with translated(rows.path), writing(rows.connection):
        rows.connection.executemany(
            "DELETE FROM log WHERE tp = ? AND off = ?", [(tp, off) for off in offsets]
        )


def done(rows: Rows, tp: int, end: int, kept: int) -> None:
    """Note that a partition was compacted up to `end`."""
    with translated(rows.path), writing(rows.connection):
        rows.connection.execute(
            "UPDATE partitions SET cleaned = max(cleaned, ?), kept = ? WHERE tp = ?",
            (end, kept, tp),
        )


def expire(rows: Rows, now_ms: int) -> bool:
    """Delete some of what its topic no longer keeps; return whether there may be more."""
    with translated(rows.path):
        limits = rows.connection.execute(
            "SELECT tp, retention_ms FROM partitions NATURAL JOIN topics"
            " WHERE NOT compacted AND retention_ms IS NOT NULL"
        ).fetchall()
        return any(_expire_one(rows.connection, tp, now_ms - kept_ms) for tp, kept_ms in limits)


def _expire_one(connection: sqlite3.Connection, tp: int, oldest_ms: int) -> bool:
    last = None
    count = 0
    for off, at_ms in connection.execute(
        "SELECT off, at_ms FROM log WHERE tp = ? ORDER BY off LIMIT ?", (tp, STEP)
    ):
        if at_ms >= oldest_ms:
            break
        last = off
        count += 1
    if last is None:
        return False
    with writing(connection):
        connection.execute("DELETE FROM log WHERE tp = ? AND off <= ?", (tp, last))
    return count == STEP
