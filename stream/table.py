"""Follows the reference topics into the one table of a process.

All partitions are read from their beginning, outside any group. A row that cannot be read is counted and
logged by its place, never by its key: keys of credentials are tokens.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import Final

import structlog

from schemas.ports import Port, parse_ports
from schemas.wire import SchemaError
from stream.catch_up import catch_up, from_beginning
from stream.log.contract import EventLog, Reader, Record
from stream.reference import Reference
from stream.stage import ReferenceChanged, read_row

_journal = structlog.get_logger(__name__)

#: Rejected rows that are logged one by one; the rest is only counted.
MAX_LOGGED: Final = 100


def port_table() -> dict[str, Port]:
    """The port table that ships with the schemas; raises `PortTableError`."""
    return parse_ports(files("schemas").joinpath("ports.csv").read_text(encoding="utf-8"))


class Table:
    """The reference topics of a process: loaded once, then followed.

    Attributes:
        reference: the rows in force. `load` folds into it; afterwards the caller does (`changes`).
        counts: rows folded at load, rows taken later, rows rejected.
    """

    def __init__(self, topics: Iterable[str], reference: Reference) -> None:
        """`topics`: names of the reference topics to follow; may be empty."""
        self.reference = reference
        self.counts: Counter[str] = Counter()
        self._topics = sorted(set(topics))
        self._reader: Reader | None = None

    async def load(self, log: EventLog) -> None:
        """Read all topics to the ends that they have now; raises `LogError`."""
        if not self._topics:
            return
        self._reader, ends = await from_beginning(log, self._topics)
        await catch_up(self._reader, ends, self._fold, _journal.bind(what="reference rows"))
        _journal.info("reference loaded", rows=len(self.reference), topics=self._topics)

    async def changes(self, max_rows: int) -> list[ReferenceChanged]:
        """Rows that came since, without waiting for any. They are not folded yet: the caller does."""
        if self._reader is None:
            return []
        rows = [self._read(record) for record in await self._reader.poll(max_rows, 0.0)]
        found = [row for row in rows if row is not None]
        if found:
            self.counts["changed"] += len(found)
        return found

    async def _fold(self, records: Sequence[Record]) -> None:
        for record in records:
            row = self._read(record)
            if row is not None:
                self.reference.fold(row.topic, row.key, row.message)
                self.counts["loaded"] += 1

    def _read(self, record: Record) -> ReferenceChanged | None:
        try:
            return read_row(record)
        except SchemaError as error:
            self.counts["rejected"] += 1
            if self.counts["rejected"] <= MAX_LOGGED:
                _journal.warning(
                    "reference row rejected",
                    topic=record.topic,
                    partition=record.partition,
                    offset=record.offset,
                    reason=error.reason,
                    path=error.path,
                )
            return None
