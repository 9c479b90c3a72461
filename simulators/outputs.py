"""Follows what the stream commits, and tells when nothing is on its way any more."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple

from schemas.message import Message
from schemas.topics import TOPICS
from schemas.wire import decode
from simulators.committed import Committed
from simulators.layout import Places
from simulators.truth import Finding
from stream.log.contract import EventLog, Reader, TopicPartition

#: What a truth is compared with.
OUTPUT_TOPICS: Final = (
    "arrivals",
    "crossings",
    "border-records",
    "unmatched",
    "alerts",
    "rejected",
)
MAX_RECORDS: Final = 500
#: Stage -> its input topic.
STAGE_INPUTS: Final = {
    "trips": "trip-filings",
    "lanes": "gate-events",
    "watch": "credential-sightings",
    "ledger": "crossings",
}


class OutputRecord(NamedTuple):
    """A committed message of an output topic."""

    topic: str
    key: str
    message: Message


def partitions(topics: Iterable[str]) -> list[TopicPartition]:
    """Every partition of some topics."""
    return [TopicPartition(one, at) for one in topics for at in range(TOPICS[one].partitions)]


class Outputs:
    """The output topics from their beginning. Made by `Outputs.open`.

    Attributes:
        committed: everything so far, folded.
    """

    def __init__(self, log: EventLog, reader: Reader, places: Places) -> None:
        """Use `open`."""
        self.committed = Committed()
        self._log = log
        self._reader = reader
        self._places = places

    @classmethod
    async def open(cls, log: EventLog, places: Places) -> "Outputs":
        """Follow the outputs of a log; raises `LogError`."""
        reader = await log.reader(dict.fromkeys(partitions(OUTPUT_TOPICS), 0))
        return cls(log, reader, places)

    async def poll(self, timeout_s: float) -> list[OutputRecord]:
        """What was committed since; raises `LogError`, `SchemaError`."""
        found = []
        for record in await self._reader.poll(MAX_RECORDS, timeout_s):
            if record.value is None:
                continue
            message = decode(record.topic, record.value)
            self.committed.take(message)
            found.append(OutputRecord(record.topic, (record.key or b"").decode(), message))
        return found

    async def behind(self) -> list[str]:
        """What is still on its way, in words; empty when there is nothing."""
        found = []
        if waiting := _waiting_in_outbox(self._places.outbox):
            found.append(f"{waiting} events in the gateway's outbox")
        for stage, topic in STAGE_INPUTS.items():
            if lag := await self._lag(stage, topic):
                found.append(f"{lag} records before the {stage} stage")
        positions = self._reader.positions()
        bounds = await self._log.bounds(partitions(OUTPUT_TOPICS))
        if unread := sum(end - positions[at] for at, (_, end) in bounds.items()):
            found.append(f"{unread} outputs that were not looked at")
        return found

    def ledger_findings(self) -> list[Finding]:
        """How the ledger database differs from what was committed."""
        records = {key: one.revision for key, one in self.committed.records.items()}
        notices = {key: one.revision for key, one in self.committed.notices.items()}
        return [
            *_rows_differ(self._places.ledger, "border_records", "record_id", records),
            *_rows_differ(self._places.ledger, "arrival_notices", "crossing_id", notices),
        ]

    async def _lag(self, stage: str, topic: str) -> int:
        lag = 0
        bounds = await self._log.bounds(partitions((topic,)))
        for at, (first, end) in bounds.items():
            lag += end - (await self._log.committed(stage, at) or first)
        return lag


def _waiting_in_outbox(outbox: Path) -> int:
    rows = _query(outbox, "SELECT count(*) FROM events")
    return int(rows[0][0]) if rows else 0


def _rows_differ(ledger: Path, table: str, column: str, committed: dict[str, int]) -> list[Finding]:
    """Compare the revisions in force."""
    query = f"SELECT {column}, max(revision) FROM {table} GROUP BY {column}"  # noqa: S608 - our own names
    rows: dict[str, int] = dict(_query(ledger, query))
    what = table.replace("_", " ")
    return [
        Finding(
            "missing", table, f"ledger {what}: {key} revision {revision}, found {rows.get(key)}"
        )
        for key, revision in committed.items()
        if rows.get(key) != revision
    ] + [Finding("extra", table, f"ledger {what}: {key}") for key in rows if key not in committed]


def _query(path: Path, query: str) -> list[tuple[Any, ...]]:
    """Rows of another process's SQLite file; none while it is not there."""
    try:
        with closing(
            sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=2)
        ) as connection:
            rows: list[tuple[Any, ...]] = connection.execute(query).fetchall()
            return rows
    except sqlite3.OperationalError:
        return []
