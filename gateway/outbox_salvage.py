"""Salvage: what can be read of a malformed outbox goes into a new one, with a new epoch.

The old events are sent first, under their old ids. Where one is missing or its value is not the one that
was linked, `Skipped` stands in its place, and the links after it are made anew. The old file is set aside
as `OUTBOX.damaged-N` before the new one takes its name; a kill at any point is gone on with.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from gateway.batch import Follows, ReaderTotals, Totals, WaitingRow
from gateway.outbox_chain import Tail
from gateway.outbox_file import Owner
from gateway.outbox_mend import Mender
from gateway.outbox_room import beside
from gateway.outbox_tables import OutboxError, make_tables
from gateway.tracker import Stay

#: Damaged files that are kept; older ones are removed.
ASIDE_KEPT: Final = 3

#: Ranges of numbers that could not be read, after which no more are tried.
_FAILURES: Final = 20_000

_PARTS: Final = ("-wal", "-shm", "")


class Witness(NamedTuple):
    """What the lock knows of the outbox: its epoch, and the next number, 0 where it does not say."""

    epoch: str | None
    next_seq: int


class _Old(NamedTuple):
    """What is known of the damaged outbox."""

    epoch: str
    tail: Tail | None


def salvage(path: Path, owner: Owner, cause: str, witness: Witness, fresh_epoch: str) -> None:
    """Put a new outbox in the place of a damaged one.

    Raises `OutboxError` when the file is another gateway's or no room is left, and `sqlite3.Error`.
    """
    with suppress(FileNotFoundError):
        os.truncate(beside(path, ".reserve"), 0)
    target = beside(path, ".salvaging")
    for suffix in ("", "-journal"):
        beside(target, suffix).unlink(missing_ok=True)
    os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    with closing(sqlite3.connect(target, isolation_level=None)) as new, closing(_old(path)) as old:
        known = _known(old, owner, witness.epoch)
        last_seq = None if known.tail is None else known.tail.next_seq - 1
        make_tables(new, [("gateway", owner.gateway), ("epoch", fresh_epoch)])
        read_seq = _events(old, new, known, owner)
        _others(old, new)
        last_seq = read_seq if last_seq is None else last_seq
        if witness.next_seq and known.epoch == witness.epoch:
            last_seq = max(last_seq or 0, witness.next_seq - 1)
        follows = Follows(known.epoch, last_seq, cause[:300])
        text = msgspec.json.encode(follows).decode()
        new.execute("INSERT INTO meta VALUES ('follows', ?)", (text,))
        new.commit()
    target.rename(beside(path, ".salvaged"))
    finish_salvage(path)


def finish_salvage(path: Path) -> None:
    """Set the damaged file aside and use the new one, if there is one that is complete."""
    new = beside(path, ".salvaged")
    if not new.exists():
        return
    taken = {number for number, _ in _aside(path)}
    number = max(taken, default=0) + 1
    for suffix in _PARTS:
        with suppress(FileNotFoundError):
            beside(path, suffix).rename(beside(path, f".damaged-{number}{suffix}"))
    new.rename(path)
    beside(path, ".suspect").unlink(missing_ok=True)
    for old, file in _aside(path):
        if old <= number - ASIDE_KEPT:
            file.unlink()
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _aside(path: Path) -> list[tuple[int, Path]]:
    found = []
    for file in path.parent.glob(f"{path.name}.damaged-*"):
        number = file.name.removeprefix(f"{path.name}.damaged-").partition("-")[0]
        if number.isdigit():
            found.append((int(number), file))
    return found


def _old(path: Path) -> sqlite3.Connection:
    """The damaged file, to be read only; an empty one where there is none."""
    if not path.exists():
        return sqlite3.connect(":memory:")
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)


def _known(old: sqlite3.Connection, owner: Owner, epoch: str | None) -> _Old:
    meta: dict[str, str] = {}
    tail = None
    with suppress(sqlite3.DatabaseError):
        meta = dict(old.execute("SELECT name, value FROM meta"))
    with suppress(sqlite3.DatabaseError, TypeError):
        tail = Tail(
            *old.execute(
                "SELECT next_seq, linked_seq, link, sent_seq, sent_link FROM tail"
            ).fetchone()
        )
    if meta.get("gateway", owner.gateway) != owner.gateway:
        raise OutboxError(f"the outbox belongs to gateway {meta['gateway']!r}")
    return _Old(meta.get("epoch") or epoch or "unknown", tail)


# ---- events


def _events(
    old: sqlite3.Connection, new: sqlite3.Connection, known: _Old, owner: Owner
) -> int | None:
    """Copy what waits, oldest epoch first; returns the greatest number that was read."""
    put = "INSERT INTO earlier VALUES (NULL, ?, ?, ?, ?, ?, ?)"
    for row in _both_ends(
        old, "SELECT number, epoch, seq, at_us, value, chain, signature FROM earlier", "number"
    ):
        new.execute(put, row[1:])
    low, high = _range(old, known.tail)
    mender = Mender(owner, known.epoch, known.tail)
    greatest = None
    for found in _between(old, low, high):
        row = WaitingRow._make((*found, known.epoch))
        if (cause := mender.unsound(row)) is None:
            greatest = row.seq
            mender.take(row)
        else:
            values = (known.epoch, row.seq, row.at_us, cause, row.value, row.chain)
            new.execute("INSERT INTO quarantine VALUES (NULL, ?, ?, ?, ?, ?, ?)", values)
        for done in mender.done():
            new.execute(put, _columns(done))
    for done in mender.end(high if known.tail is not None else None):
        new.execute(put, _columns(done))
    return greatest


def _columns(row: WaitingRow) -> tuple[Any, ...]:
    return (row.epoch, row.seq, row.at_us, row.value, row.chain, row.signature)


def _range(old: sqlite3.Connection, tail: Tail | None) -> tuple[int, int]:
    """The numbers that may wait."""
    if tail is not None:
        return tail.sent_seq + 1, tail.next_seq - 1
    ends = []
    for order in ("ASC", "DESC"):
        with suppress(sqlite3.DatabaseError, TypeError):
            ends += old.execute(f"SELECT seq FROM events ORDER BY seq {order} LIMIT 1").fetchone()  # noqa: S608
    return (min(ends), max(ends)) if ends else (1, 0)


def _between(old: sqlite3.Connection, low: int, high: int) -> Iterator[tuple[Any, ...]]:
    """The rows of a range in order; around what cannot be read, ever smaller ranges are tried."""
    ranges, failures = [(low, high)], 0
    while ranges and failures < _FAILURES:
        low, high = ranges.pop()
        select = (
            "SELECT seq, at_us, value, chain, signature FROM events "
            "WHERE seq BETWEEN ? AND ? ORDER BY seq"
        )
        try:
            for row in old.execute(select, (low, high)):
                low = row[0] + 1
                yield row
        except sqlite3.DatabaseError:
            failures += 1
            if low < high:
                middle = (low + high) // 2
                ranges += [(middle + 1, high), (low, middle)]


# ---- the rest


def _others(old: sqlite3.Connection, new: sqlite3.Connection) -> None:
    """Copy open stays, keys, rejects and quarantine; counters begin anew, for they count by epoch."""
    reads = 0
    for row in _both_ends(
        old, "SELECT read_point, epc, replayed, value FROM stays", "read_point", "epc", "replayed"
    ):
        with suppress(msgspec.MsgspecError, TypeError):
            reads += msgspec.msgpack.decode(row[3], type=Stay).reads
            new.execute("INSERT OR IGNORE INTO stays VALUES (?, ?, ?, ?)", row)
    for row in _both_ends(old, "SELECT reader, slot, number, key FROM keys", "reader", "slot"):
        new.execute("INSERT OR IGNORE INTO keys VALUES (?, ?, ?, ?)", row)
    totals = Totals(reads=reads)
    for name, value in _both_ends(old, "SELECT name, value FROM counters", "name"):
        with suppress(msgspec.MsgspecError, TypeError):
            if name == "":
                totals.covered_us = msgspec.msgpack.decode(value, type=Totals).covered_us
                continue
            reader = msgspec.msgpack.decode(value, type=ReaderTotals)
            reader.reads, reader.rejects, reader.notes = 0, {}, {}
            values = (name, msgspec.msgpack.encode(reader))
            new.execute("INSERT OR IGNORE INTO counters VALUES (?, ?)", values)
    new.execute("INSERT INTO counters VALUES ('', ?)", (msgspec.msgpack.encode(totals),))
    for table, columns in (
        ("rejects", "number, at_us, reader, reason, detail, raw"),
        ("quarantine", "number, epoch, seq, at_us, cause, value, chain"),
    ):
        marks = ", ".join("?" * (columns.count(",") + 1))
        for row in _both_ends(old, f"SELECT {columns} FROM {table}", "number"):  # noqa: S608
            new.execute(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", row)  # noqa: S608


def _both_ends(old: sqlite3.Connection, select: str, *key: str) -> list[tuple[Any, ...]]:
    """The rows of a small table in the order of its key, from both ends up to what cannot be read."""
    halves: list[list[tuple[Any, ...]]] = []
    for order in ("ASC", "DESC"):
        half: list[tuple[Any, ...]] = []
        halves.append(half)
        by = ", ".join(f"{column} {order}" for column in key)
        try:
            half.extend(row for row in old.execute(f"{select} ORDER BY {by}"))
        except sqlite3.DatabaseError:
            continue
        return half if order == "ASC" else halves[0] + half[::-1]
    seen = set(halves[0])
    return halves[0] + [row for row in reversed(halves[1]) if row not in seen]
