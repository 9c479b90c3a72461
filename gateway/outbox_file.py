"""The outbox file: SQLite in WAL mode with synchronous=FULL. Used from one thread only.

One transaction stores a whole `Batch`, so that after a kill the file holds all of it or nothing. The file
holds EPCs (open stays, rejects): it is made with mode 0600. Its tables: `gateway.outbox_tables`.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import msgspec

from gateway.batch import (
    REJECTS_KEPT,
    Batch,
    EventRow,
    Follows,
    Kept,
    KeyRow,
    ReaderTotals,
    Totals,
    WaitingRow,
)
from gateway.duplicates import KEYS_KEPT
from gateway.outbox_chain import StoredRow, Tail, first_unsound, relinked, stored_rows
from gateway.outbox_lock import OutboxLock
from gateway.outbox_room import BALLAST, Room, Sizes
from gateway.outbox_tables import OutboxDamaged, OutboxError, OutboxFull
from gateway.signing import Signer
from gateway.tracker import Stay

#: Values in quarantine; older ones are dropped.
QUARANTINE_KEPT: Final = 1_000

_COLUMNS: Final = "seq, at_us, value, chain, signature"


class Owner(NamedTuple):
    """Whose outbox it is."""

    gateway: str
    pair: str
    #: None: events go out without links.
    signer: Signer | None = None


class OutboxFile:
    """An open outbox file; the only one of its kind that is open anywhere."""

    def __init__(
        self,
        db: sqlite3.Connection,
        lock: OutboxLock,
        owner: Owner,
        room: Room,
        suspect: Path,
    ) -> None:
        """Use `gateway.outbox_open.open_outbox`. `suspect` is made when the file proves to be damaged."""
        self._db = db
        self._lock = lock
        self._gateway, _, self._signer = owner
        self._room = room
        self._suspect = suspect
        self._epoch = ""
        self._tail = Tail(1, 0, None, 0, None)
        self._has_earlier = True

    def load(self) -> Kept:
        """What earlier runs left. Raises `OutboxDamaged`, or `OutboxError` when it is another gateway's."""
        try:
            return self._load()
        except (sqlite3.Error, msgspec.MsgspecError, KeyError, ValueError, TypeError) as error:
            raise OutboxDamaged(f"the outbox is damaged: {error}") from error

    def _load(self) -> Kept:
        meta = dict(self._db.execute("SELECT name, value FROM meta"))
        if meta["gateway"] != self._gateway:
            raise OutboxError(
                f"the outbox belongs to gateway {meta['gateway']!r}: give {self._gateway!r} its own file"
            )
        self._epoch = meta["epoch"]
        row = self._db.execute(
            "SELECT next_seq, linked_seq, link, sent_seq, sent_link FROM tail"
        ).fetchone()
        self._tail = Tail(*row)
        counters = dict(self._db.execute("SELECT name, value FROM counters"))
        totals = counters.pop("", None)
        keys: defaultdict[str, list[KeyRow]] = defaultdict(list)
        for reader, number, key in self._db.execute(
            "SELECT reader, number, key FROM keys ORDER BY reader, number"
        ):
            keys[reader].append(KeyRow(reader, number, key))
        follows = meta.get("follows") if self._tail.next_seq == 1 else None
        return Kept(
            epoch=meta["epoch"],
            next_seq=self._tail.next_seq,
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
            follows=None if follows is None else msgspec.json.decode(follows, type=Follows),
        )

    def store(self, batch: Batch) -> None:
        """Store all of a batch, or nothing and raise `OutboxFull`."""
        events = batch.events
        if events and events[0].seq != self._tail.next_seq:
            raise ValueError(f"event {events[0].seq} does not follow {self._tail.next_seq - 1}")
        rows, tail = stored_rows(self._tail, events, self._signer, self._gateway, self._epoch)
        self._write(lambda: self._store(batch, rows, tail), least=BALLAST)
        self._tail = tail
        if events:
            self._lock.witness(self._epoch, tail.next_seq)
        self._room.stored(sum(len(event.value) for event in events))

    def head(self, most: int) -> list[WaitingRow]:
        """The oldest events that wait, all of one epoch; no read transaction stays open behind them."""
        if rows := self._earlier(most):
            return rows
        rows = self._waiting_rows(most)
        if rows and rows[-1].seq > self._tail.linked_seq:
            rows = self._link(rows)
        return rows

    def unsound(self, rows: list[WaitingRow]) -> int | None:
        """The first of the oldest rows whose value is not the one that was stored, None when all are."""
        if not rows or rows[0].epoch != self._epoch:
            return None
        return first_unsound(self._tail.sent_link, rows)

    def remove(self, last_seq: int, epoch: str | None = None) -> None:
        """The event log has everything up to `last_seq` of an epoch, by default the present one."""
        if epoch not in {None, self._epoch}:
            statement = (
                "DELETE FROM earlier WHERE number <= "
                "(SELECT number FROM earlier WHERE epoch = ? AND seq = ?)"
            )
            self._write(lambda: self._db.execute(statement, (epoch, last_seq)), least=0)
            return
        link = self._link_before(last_seq + 1)
        tail = self._tail
        tail = tail._replace(sent_seq=max(last_seq, tail.sent_seq), sent_link=link)

        def job() -> None:
            self._db.execute("DELETE FROM events WHERE seq <= ?", (last_seq,))
            self._put_tail(tail)

        self._write(job, least=0)
        self._tail = tail

    def replace(self, row: EventRow, cause: str = "", epoch: str | None = None) -> None:
        """Put another event in the place of one, which goes to quarantine.

        The links after it are made anew before they are sent.
        """
        table = "events" if epoch in {None, self._epoch} else "earlier"
        found = self._one(table, row.seq, epoch or self._epoch)
        tail = self._tail
        if table == "events" and found.chain is not None and row.seq <= tail.linked_seq:
            tail = tail._replace(linked_seq=row.seq - 1, link=self._link_before(row.seq))
        self._write(lambda: self._replace(table, found, row, cause, tail), least=0)
        self._tail = tail

    def waiting(self) -> tuple[int, int | None]:
        """How many events wait, and the time of the oldest."""
        ((earlier, first_us),) = self._read("SELECT count(*), min(at_us) FROM earlier")
        oldest = self._read("SELECT seq, at_us FROM events ORDER BY seq LIMIT 1")
        if not oldest:
            return earlier, first_us
        ((last,),) = self._read("SELECT max(seq) FROM events")
        ((seq, at_us),) = oldest
        return earlier + last - seq + 1, at_us if first_us is None else first_us

    def sizes(self, *, settle: bool = False) -> Sizes:
        """How the room is used; `settle`: after the reserve was made what the quota leaves.

        Raises `OutboxFull` for what may pass by itself.
        """
        try:
            if settle:
                self._room.settle()
            return self._room.sizes()
        except (sqlite3.Error, OSError) as error:
            raise OutboxFull(f"the outbox cannot be looked at: {error}") from error

    def close(self) -> None:
        """Close the file and let another process have it."""
        self._db.close()
        self._room.close()
        self._lock.close()

    def __enter__(self) -> Self:
        """Nothing to do: it was opened when it was made."""
        return self

    def __exit__(self, *_: object) -> None:
        """As `close`."""
        self.close()

    # ---- transactions

    def _write(self, job: Callable[[], object], *, least: int) -> None:
        """Do a job as one transaction, all or nothing.

        Where the disk is full, the reserve gives room, down to `least` bytes. What may pass by itself (a
        full disk, an I/O error) is `OutboxFull` in the end.
        """
        try:
            while not self._tried(job, least=least):
                pass
        finally:
            if least == 0:
                self._room.lower()

    def _tried(self, job: Callable[[], object], *, least: int) -> bool:
        """Whether the job is done; False when there is more room for it now."""
        try:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                job()
        except sqlite3.OperationalError as error:
            if not self._make_room(least):
                raise OutboxFull(f"the outbox cannot be written: {error}") from error
            return False
        except sqlite3.DatabaseError as error:
            raise self._damaged(error) from error
        return True

    def _read(self, statement: str, values: Sequence[object] = ()) -> list[Any]:
        """All rows of a query. Raises `OutboxDamaged`, and `OutboxFull` for what may pass by itself."""
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.OperationalError as error:
            raise OutboxFull(f"the outbox cannot be read: {error}") from error
        except sqlite3.DatabaseError as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> OutboxDamaged:
        """Remember it for the next start, which salvages."""
        self._suspect.touch(0o600)
        return OutboxDamaged(
            f"the outbox is damaged ({error}): what can be read is salvaged at the next start"
        )

    def _make_room(self, least: int) -> bool:
        """Whether a job that failed may be tried at once again."""
        try:
            if least == 0:
                return self._room.lift().give(least=least)
            return not self._room.at_limit() and self._room.give(least=least)
        except sqlite3.Error:
            return False

    def _store(self, batch: Batch, rows: list[StoredRow], tail: Tail) -> None:
        many = self._db.executemany
        if rows:
            many("INSERT INTO events VALUES (?, ?, ?, ?, ?)", rows)
            self._put_tail(tail)
        if batch.stays:
            closed = [key for key, value in batch.stays.items() if value is None]
            changed = [(*key, value) for key, value in batch.stays.items() if value is not None]
            many("DELETE FROM stays WHERE read_point = ? AND epc = ? AND replayed = ?", closed)
            many("INSERT OR REPLACE INTO stays VALUES (?, ?, ?, ?)", changed)
        if batch.keys:
            keys = [(row.reader, row.number % KEYS_KEPT, row.number, row.key) for row in batch.keys]
            many("INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?)", keys)
        counters = [("", batch.totals), *batch.readers.items()]
        many("INSERT OR REPLACE INTO counters VALUES (?, ?)", counters)
        if batch.rejects:
            many("INSERT INTO rejects VALUES (NULL, ?, ?, ?, ?, ?)", batch.rejects)
            self._trim("rejects", REJECTS_KEPT)

    def _trim(self, table: str, most: int) -> None:
        self._db.execute(
            f"DELETE FROM {table} WHERE number <= (SELECT max(number) FROM {table}) - ?",  # noqa: S608
            (most,),
        )

    def _put_tail(self, tail: Tail) -> None:
        self._db.execute(
            "UPDATE tail SET next_seq = ?, linked_seq = ?, link = ?, sent_seq = ?, sent_link = ?",
            tail,
        )

    # ---- links

    def _link(self, rows: list[WaitingRow]) -> list[WaitingRow]:
        """Give links to waiting rows that have none that are final."""
        tail = self._tail
        final = [row for row in rows if row.seq <= tail.linked_seq]
        last_seq = tail.next_seq - 1
        fresh = relinked(tail.link, rows[len(final) :], self._signer, last_seq)
        link = fresh[-1].chain or tail.link
        tail = tail._replace(linked_seq=fresh[-1].seq, link=link)
        changes = [(row.chain, row.signature, row.seq) for row in fresh]

        def job() -> None:
            self._db.executemany(
                "UPDATE events SET chain = ?, signature = ? WHERE seq = ?", changes
            )
            self._put_tail(tail)

        self._write(job, least=0)
        self._tail = tail
        return final + fresh

    def _link_before(self, seq: int) -> bytes | None:
        """The last link before this number."""
        found = self._read(
            "SELECT chain FROM events WHERE seq < ? AND chain IS NOT NULL ORDER BY seq DESC LIMIT 1",
            (seq,),
        )
        return found[0][0] if found else self._tail.sent_link

    def _replace(self, table: str, old: WaitingRow, row: EventRow, cause: str, tail: Tail) -> None:
        self._db.execute(
            "INSERT INTO quarantine VALUES (NULL, ?, ?, ?, ?, ?, ?)",
            (old.epoch, old.seq, old.at_us, cause, old.value, old.chain),
        )
        self._trim("quarantine", QUARANTINE_KEPT)
        if table == "earlier":
            # What came before it is gone, so its link cannot be made anew.
            statement = "UPDATE earlier SET value = ?, chain = NULL, signature = NULL WHERE "
            self._db.execute(statement + "epoch = ? AND seq = ?", (row.value, old.epoch, row.seq))
            return
        self._db.execute("UPDATE events SET value = ? WHERE seq = ?", (row.value, row.seq))
        self._put_tail(tail)

    # ---- rows

    def _one(self, table: str, seq: int, epoch: str) -> WaitingRow:
        which = "epoch = ? AND seq = ?" if table == "earlier" else "? <> '' AND seq = ?"
        (row,) = self._read(f"SELECT {_COLUMNS} FROM {table} WHERE {which}", (epoch, seq))  # noqa: S608
        return WaitingRow._make((*row, epoch))

    def _waiting_rows(self, most: int) -> list[WaitingRow]:
        rows = self._read(f"SELECT {_COLUMNS} FROM events ORDER BY seq LIMIT ?", (most,))  # noqa: S608
        return [WaitingRow._make((*row, self._epoch)) for row in rows]

    def _earlier(self, most: int) -> list[WaitingRow]:
        if not self._has_earlier:
            return []
        rows = self._read(
            f"SELECT {_COLUMNS}, epoch FROM earlier ORDER BY number LIMIT ?",  # noqa: S608
            (most,),
        )
        self._has_earlier = bool(rows)
        found = [WaitingRow(*row) for row in rows]
        return [row for row in found if row.epoch == found[0].epoch]
