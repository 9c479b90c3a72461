"""From the event log into the ledger database: notices and border records, each revision once, and the exchange.

The positions stand in the database itself, in the transaction of the rows. A sink that is killed anywhere
goes on from the last transaction; what it reads twice changes nothing.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from schemas.exchange import ExchangeAck, ExchangeRecord, ExchangeRetraction
from schemas.topics import TOPICS
from schemas.wire import SchemaError, decode
from stream.catch_up import catch_up
from stream.database.engine import plain
from stream.database.rows import TOPICS_READ, Row, Target, row_of
from stream.database.write import read_positions, write
from stream.ledger.acknowledged import TOPIC_COUNTRY, Told, fates
from stream.lifetime import GiveUp, unless_stopped
from stream.log.contract import EventLog, Reader, Record, TopicPartition
from stream.log.crash import passing

_journal = structlog.get_logger(__name__)

MAX_RECORDS = 500
WAIT_S = 0.5


class DatabaseFailed(GiveUp):
    """The database could not be read or written; nothing of the batch is in it."""


class Sink:
    """Writes what comes. Made by `Sink.start`.

    Attributes:
        counts: inserted, repeated, conflicting, rejected since the start.
    """

    def __init__(
        self,
        engine: Engine,
        reader: Reader,
        stored: dict[TopicPartition, int],
        ends: Mapping[TopicPartition, int],
    ) -> None:
        """`stored`: the positions as they stand in the database; `ends`: those of the log at the start."""
        self.counts: Counter[str] = Counter()
        self._engine = engine
        self._reader = reader
        self._stored = stored
        self._ends = ends

    @classmethod
    async def start(cls, log: EventLog, engine: Engine) -> "Sink":
        """Find where to go on. Raises `LogError`, `DatabaseFailed`."""
        try:
            stored = await asyncio.to_thread(read_positions, engine)
        except SQLAlchemyError as error:
            raise DatabaseFailed(plain(error)) from error
        places = [
            TopicPartition(topic, partition)
            for topic in TOPICS_READ
            for partition in range(TOPICS[topic].partitions)
        ]
        bounds = await log.bounds(places)
        positions = {}
        for place, (first, _) in bounds.items():
            positions[place] = max(stored.get(place, first), first)
            if positions[place] > stored.get(place, first):
                _journal.error(
                    "records were deleted before they were read",
                    topic=place.topic,
                    partition=place.partition,
                    lost=first - stored[place],
                )
        reader = await log.reader(positions)
        _journal.info("sink started", topics=TOPICS_READ)
        return cls(engine, reader, stored, {place: end for place, (_, end) in bounds.items()})

    async def run(self, stop: asyncio.Event) -> None:
        """Write what comes until `stop` is set."""
        while not stop.is_set():
            records = await self._reader.poll(MAX_RECORDS, WAIT_S)
            if records:
                await self._write(records)

    async def once(self, stop: asyncio.Event) -> None:
        """Write what was there at the start."""
        what = _journal.bind(what="ledger rows")
        await unless_stopped(catch_up(self._reader, self._ends, self._write, what), stop)

    async def _write(self, records: Sequence[Record]) -> None:
        passing("sink.polled")
        rows: list[tuple[Target, Row]] = []
        told: list[Told] = []
        for record in records:
            match self._taken(record):
                case Told() as one:
                    told.append(one)
                case (Target() as target, row):
                    rows.append((target, row))
                case None:
                    pass
        ends = {TopicPartition(one.topic, one.partition): one.offset + 1 for one in records}
        moved = {place: (self._stored.get(place), end) for place, end in ends.items()}
        try:
            done = await asyncio.to_thread(write, self._engine, rows, moved, fates(told))
        except SQLAlchemyError as error:
            raise DatabaseFailed(plain(error)) from error
        self._stored.update(ends)
        self.counts.update(done._asdict())
        if done.conflicting:
            _journal.error(
                "rows with a known id and revision, but different: left as they were",
                count=done.conflicting,
            )

    def _taken(self, record: Record) -> tuple[Target, Row] | Told | None:
        try:
            if record.value is None:
                raise SchemaError("malformed", "$", "a record without a value")  # noqa: TRY301
            message = decode(record.topic, record.value)
            if isinstance(message, ExchangeRecord | ExchangeRetraction | ExchangeAck):
                return Told(TOPIC_COUNTRY[record.topic], message, record.at_ms * 1_000)
            return row_of(message)
        except SchemaError as error:
            self.counts["rejected"] += 1
            _journal.warning(
                "record rejected",
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                reason=error.reason,
                path=error.path,
            )
            return None
