"""What an SQLite log does, statement by statement. Everything here runs in the log's own thread."""

import sqlite3
import time
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from schemas.topics import Topic
from stream.log.contract import (
    CommitFailed,
    Fenced,
    Outgoing,
    PositionLost,
    Record,
    TopicMissing,
    TopicPartition,
    TopicState,
)
from stream.log.crash import passing
from stream.log.outgoing import check_sizes, partition_for
from stream.log.sqlite_file import explain, reading, translated, writing
from stream.log.tidying import compaction_due

#: A poll returns at most about this many bytes, however many records it may return.
POLL_BYTES: Final = 8_388_608

_encode_headers = msgspec.msgpack.Encoder().encode
_decode_headers = msgspec.msgpack.Decoder(tuple[tuple[str, bytes], ...]).decode
_SELECT: Final = (
    "SELECT off, at_ms, k, v, h FROM log WHERE tp = ? AND off >= ? ORDER BY off LIMIT ?"
)
_INSERT: Final = "INSERT INTO log (tp, off, at_ms, k, v, h) VALUES (?, ?, ?, ?, ?, ?)"
_ADVANCE: Final = (
    "UPDATE partitions SET next = next + ? WHERE tp = ? RETURNING next, next - cleaned, kept"
)
_MOVE: Final = "INSERT INTO positions VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET off = excluded.off"


class Slice(NamedTuple):
    """What a poll found."""

    records: list[Record]
    positions: dict[TopicPartition, int]


class Rows:
    """A connection with what it knows of the topics, which never change once made."""

    def __init__(self, path: str, connection: sqlite3.Connection) -> None:
        """`connection` comes from `open_file`."""
        self.path = path
        self.connection = connection
        self.topics: dict[str, TopicState] = {}
        self._ids: dict[TopicPartition, int] = {}

    def create(self, topics: Sequence[Topic]) -> list[str]:
        """Make the topics that are not there; return their names."""
        made = []
        with translated(self.path), writing(self.connection):
            for topic in topics:
                row = (topic.name, topic.partitions, topic.compacted)
                retention = None if topic.compacted else topic.retention_ms
                done = self.connection.execute(
                    "INSERT OR IGNORE INTO topics VALUES (?, ?, ?, ?)", (*row, retention)
                )
                if done.rowcount:
                    made.append(topic.name)
                    self.connection.executemany(
                        "INSERT INTO partitions (topic, partition) VALUES (?, ?)",
                        [(topic.name, partition) for partition in range(topic.partitions)],
                    )
        return made

    def describe(self, names: Sequence[str]) -> dict[str, TopicState | None]:
        """The topics as they are."""
        with translated(self.path):
            return {name: self._topic(name) for name in names}

    def bounds(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        """First offset still there, and the end."""
        found = {}
        with translated(self.path):
            for where in partitions:
                first, end = self.connection.execute(
                    "SELECT (SELECT min(off) FROM log WHERE tp = :tp), next FROM partitions"
                    " WHERE tp = :tp",
                    {"tp": self.id_of(where)},
                ).fetchone()
                found[where] = (end if first is None else first, end)
        return found

    def committed(self, application: str, where: TopicPartition) -> int | None:
        """An application's committed position."""
        with translated(self.path):
            row = self.connection.execute(
                "SELECT off FROM positions WHERE app = ? AND tp = ?",
                (application, self.id_of(where)),
            ).fetchone()
        return None if row is None else row[0]

    def take_over(self, application: str, where: TopicPartition) -> int:
        """Raise the epoch of an owner; return the new one."""
        with translated(self.path), writing(self.connection):
            (epoch,) = self.connection.execute(
                "INSERT INTO owners VALUES (?, ?, 1)"
                " ON CONFLICT DO UPDATE SET epoch = epoch + 1 RETURNING epoch",
                (application, self.id_of(where)),
            ).fetchone()
        return int(epoch)

    def append(self, records: Sequence[Outgoing]) -> list[int]:
        """Write records; return the ids of partitions that are due for compaction."""
        check_sizes(records)
        with translated(self.path), writing(self.connection):
            return self._insert(records)

    def commit(
        self,
        application: str,
        where: TopicPartition,
        epoch: int,
        outputs: Sequence[Outgoing],
        next_offset: int | None,
    ) -> list[int]:
        """Write outputs and position if `epoch` is still the owner's, in one transaction.

        Returns the ids of partitions that are due for compaction.
        """
        check_sizes(outputs)
        # Not `writing`: an error of COMMIT itself leaves open what happened, any other does not.
        with translated(self.path):
            tp = self.id_of(where)
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                self._check_owner(application, tp, epoch)
                passing("commit.begin")
                to_compact = self._insert(outputs, crash_point="commit.sent")
                if next_offset is not None:
                    self.connection.execute(_MOVE, (application, tp, next_offset))
                passing("commit.before")
            except BaseException:
                self._roll_back()
                raise
            try:
                self.connection.execute("COMMIT")
            except sqlite3.Error as error:
                self._roll_back()
                raise CommitFailed(str(explain(self.path, error))) from error
            passing("commit.after")
        return to_compact

    def poll(self, positions: Mapping[TopicPartition, int], max_records: int) -> Slice:
        """Records from the given positions, in the order of `positions`."""
        found: list[Record] = []
        moved: dict[TopicPartition, int] = {}
        size = 0
        with translated(self.path), reading(self.connection):
            for where, position in positions.items():
                most = max_records - len(found)
                if most <= 0 or size >= POLL_BYTES:
                    break
                records, after, more = self._read(where, position, most, POLL_BYTES - size)
                size += more
                found += records
                if after != position:
                    moved[where] = after
        return Slice(found, moved)

    def _read(
        self, where: TopicPartition, position: int, most: int, most_bytes: int
    ) -> tuple[list[Record], int, int]:
        """Records, the position after them, and about how many bytes they are."""
        tp = self.id_of(where)
        (end,) = self.connection.execute(
            "SELECT next FROM partitions WHERE tp = ?", (tp,)
        ).fetchone()
        if position > end:
            raise PositionLost(f"{self.path}: {where.topic}/{where.partition}: {position} > {end}")
        found: list[Record] = []
        if position == end:
            return found, position, 0
        size = 0
        for off, at_ms, key, value, headers in self.connection.execute(
            _SELECT, (tp, position, most)
        ):
            pairs = () if headers is None else _decode_headers(headers)
            found.append(Record(*where, off, key, value, pairs, at_ms))
            size += len(value or b"") + len(headers or b"") + 64
            if size >= most_bytes:
                break
        full = len(found) == most or size >= most_bytes
        return found, found[-1].offset + 1 if full else end, size

    def id_of(self, where: TopicPartition) -> int:
        """The row id of a partition; raises `TopicMissing`."""
        tp = self._ids.get(where)
        if tp is None:
            row = self.connection.execute(
                "SELECT tp FROM partitions WHERE topic = ? AND partition = ?", where
            ).fetchone()
            if row is None:
                raise TopicMissing(f"{self.path}: no partition {where.partition} of {where.topic}")
            tp = self._ids[where] = int(row[0])
        return tp

    def _topic(self, name: str) -> TopicState | None:
        state = self.topics.get(name)
        if state is None:
            row = self.connection.execute(
                "SELECT partitions, compacted, retention_ms FROM topics WHERE topic = ?", (name,)
            ).fetchone()
            if row is None:
                return None
            state = self.topics[name] = TopicState(row[0], bool(row[1]), row[2])
        return state

    def _check_owner(self, application: str, tp: int, epoch: int) -> None:
        row = self.connection.execute(
            "SELECT epoch FROM owners WHERE app = ? AND tp = ?", (application, tp)
        ).fetchone()
        if row is None or row[0] != epoch:
            raise Fenced(f"{self.path}: another owner has taken over for {application}")

    def _insert(self, records: Sequence[Outgoing], crash_point: str = "") -> list[int]:
        at_ms = time.time_ns() // 1_000_000
        placed: dict[int, list[Outgoing]] = {}
        for record in records:
            placed.setdefault(self._place(record), []).append(record)
        to_compact = []
        for tp, batch in placed.items():
            end, added, kept = self.connection.execute(_ADVANCE, (len(batch), tp)).fetchone()
            first = end - len(batch)
            self.connection.executemany(
                _INSERT,
                [
                    (tp, first + at, at_ms, record.key, record.value, _headers(record))
                    for at, record in enumerate(batch)
                ],
            )
            if self.topics[batch[0].topic].compacted and compaction_due(added, kept):
                to_compact.append(tp)
            if crash_point:
                passing(crash_point)
        return to_compact

    def _place(self, record: Outgoing) -> int:
        topic = self._topic(record.topic)
        if topic is None:
            raise TopicMissing(f"{self.path}: no topic {record.topic}")
        partition = partition_for(record, topic.partitions)
        return self.id_of(TopicPartition(record.topic, partition))

    def _roll_back(self) -> None:
        try:
            self.connection.execute("ROLLBACK")
        except sqlite3.Error:
            return


def _headers(record: Outgoing) -> bytes | None:
    return _encode_headers(record.headers) if record.headers else None
