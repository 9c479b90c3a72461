"""Cases through a real worker on a real event log, one after the other in one set of topics.

So that no case sees another one's cards, trips and times, everything that has a name gets another one, and all
times are moved on by more than crossings are remembered. What is kept by a name that stays (sites,
policies) is deleted after each case.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import msgspec
import orjson

from schemas.gate import Tick, event_id, split_event_id
from schemas.ids import crossing_id
from schemas.topics import PARTITIONS, TOPICS, topic_key
from schemas.wire import encode
from stream.config import StreamTable
from stream.log.contract import EventLog, LogUnavailable, Outgoing, Reader, TopicPartition
from stream.ndjson import Line, parse_line
from stream.stage import Stage
from stream.straight import Written
from stream.worker import Worker
from tests.cases.running import Case

DAY_US: Final = 86_400 * 1_000_000

#: Between two cases: further than anything is remembered.
APART_US: Final = 40 * DAY_US

#: Time that passes after a case.
OVER_DAYS: Final = (1, 20)

#: Inputs with ticks in them.
TICKED: Final = ("gate-events", "trip-filings")

#: Numbers from here on are moments.
MOMENTS: Final = 1_600_000_000_000_000

SETTINGS: Final = StreamTable(commit_ms=10, tick_s=3_600)

NAMED: Final = ("person:", "truck:", "trailer:", "party:", "cr-", "k1.")
TRIP: Final = "ABCD0"

#: Rounds in which nothing happens before it is taken that nothing will.
QUIET_ROUNDS: Final = 2

#: What expectations speak of.
LOOKED_AT: Final = (
    *("arrivals", "border-records", "crossings", "unmatched", "alerts", "rejected", "trips"),
)


def moved(case: Case, number: int) -> Case:
    """The case under other names and `number` times later."""
    named: dict[str, str] = {}
    pairs = {line.key for line in case.lines if line.topic == "gate-events"}
    for line in case.lines:
        parts = split_event_id(getattr(line.message, "event_id", ""))
        if parts is not None:
            before = event_id(*parts)
            after = event_id(f"{parts.writer}-{number}", parts.epoch, parts.seq)
            named[before] = after
            if not parts.writer.startswith("officer"):  # also the name of a referral's cause
                named[parts.writer] = f"{parts.writer}-{number}"
            named |= {crossing_id(pair, before): crossing_id(pair, after) for pair in pairs}
    lines: list[Line] = []
    for line in case.lines:
        value = None if line.message is None else orjson.loads(msgspec.json.encode(line.message))
        plain = {"topic": line.topic, "key": line.key, "at_us": line.at_us, "value": value}
        other = parse_line(0, orjson.dumps(_moved(plain, number, named)))
        assert isinstance(other, Line), other
        # A trip under another number is in another partition.
        everywhere = line.topic == "trip-filings" and isinstance(other.message, Tick)
        lines += _in_all_partitions(other) if everywhere else [other]
    return Case(tuple(lines), _moved(case.expect, number, named))


def _in_all_partitions(tick: Line) -> list[Line]:
    assert isinstance(tick.message, Tick)
    return [
        tick._replace(message=msgspec.structs.replace(tick.message, partition=at))
        for at in range(PARTITIONS)
    ]


def _moved(  # noqa: PLR0911 - one kind of value a case
    value: Any, number: int, named: dict[str, str]
) -> Any:
    match value:
        case dict():
            return {
                _moved(name, number, {}): _moved(inner, number, named)
                for name, inner in value.items()
            }
        case list():
            return [_moved(one, number, named) for one in value]
        case str():
            if value.startswith(NAMED):
                return f"{value}-{number}"
            if value.startswith(TRIP):
                return f"ABCD{number}{value[4:]}"
            return named.get(value, value)
        case int() if not isinstance(value, bool) and value >= MOMENTS:
            return value + number * APART_US
        case _:
            return value


class Remembering:
    """A log that remembers the readers that were made of it, to see how far these are."""

    def __init__(self, log: EventLog) -> None:
        """None yet."""
        self._log = log
        self.readers: list[Reader] = []

    async def reader(self, positions: Mapping[TopicPartition, int]) -> Reader:
        made = await self._log.reader(positions)
        if not any(at.topic.endswith("-changelog") for at in positions):
            self.readers.append(made)
        return made

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def is_read(self) -> bool:
        """Whether all readers are at the ends."""
        for reader in self.readers:
            positions = reader.positions()
            bounds = await self._log.bounds(list(positions))
            if any(positions[at] < end for at, (_, end) in bounds.items()):
                return False
        return True


class Post:
    """A worker for all stages and the log that it works on; gives it one case after the other."""

    def __init__(self, log: EventLog, stages: Sequence[Stage]) -> None:
        """The log is empty; `start` comes next."""
        self._log = log
        self._stages = stages
        self._watched = Remembering(log)
        self._inputs = [
            TopicPartition(stage.input, at) for stage in stages for at in range(PARTITIONS)
        ]
        self._outputs = [
            TopicPartition(topic, at)
            for topic in LOOKED_AT
            for at in range(TOPICS[topic].partitions)
        ]

    async def start(self) -> "Post":
        """Make the topics and the worker. No time passes but what the cases bring."""
        async with asyncio.timeout(60):
            while True:
                try:  # a broker that has just begun may need longer than a caller waits
                    await self._log.create(list(TOPICS.values()))
                    break
                except LogUnavailable:
                    continue
        log = cast("EventLog", self._watched)
        self._worker = await Worker.start(log, self._stages, SETTINGS, clock=lambda: 0)
        return self

    async def play(self, case: Case) -> list[Written]:
        """What the stages have written once they are through with the case."""
        before = {at: end for at, (_, end) in (await self._log.bounds(self._outputs)).items()}
        await self._give([_outgoing(line) for line in case.lines])
        await self._quiet()
        written = await self._read(before)
        last_us = max(line.at_us for line in case.lines)
        for days in OVER_DAYS:  # what is open closes, and then it is forgotten
            ticks = [_tick(at, last_us + days * DAY_US) for at in self._inputs]
            await self._give([one for one in ticks if one.topic in TICKED])
            await self._quiet()
        await self._give([one for line in case.lines for one in _deletion(line)])
        await self._quiet()
        return written

    async def _give(self, records: Sequence[Outgoing]) -> None:
        appender = await self._log.appender()
        try:
            await appender.append(records)
        finally:
            await appender.aclose()

    async def _quiet(self) -> None:
        """Work until all inputs and rows are taken and nothing follows any more."""
        still = 0
        while still < QUIET_ROUNDS:
            before = dict(self._worker.counts), dict(self._worker.reference_counts)
            await self._worker.round()
            now = dict(self._worker.counts), dict(self._worker.reference_counts)
            still = still + 1 if now == before and await self._watched.is_read() else 0

    async def _read(self, before: dict[TopicPartition, int]) -> list[Written]:
        ends = {at: end for at, (_, end) in (await self._log.bounds(self._outputs)).items()}
        grown = {at: first for at, first in before.items() if ends[at] > first}
        if not grown:
            return []
        reader: Reader = await self._log.reader(grown)
        found: list[Written] = []
        try:
            while any(reader.positions()[at] < ends[at] for at in grown):
                for record in await reader.poll(1_000, 1.0):
                    if record.value is not None and record.key != b"tick":
                        key = (record.key or b"").decode()
                        found.append(Written(record.topic, key, record.at_ms * 1_000, record.value))
        finally:
            await reader.aclose()
        return found


def _outgoing(line: Line) -> Outgoing:
    value = None if line.message is None else encode(line.message)
    partition = line.message.partition if isinstance(line.message, Tick) else None
    return Outgoing(line.topic, line.key.encode(), value, partition=partition)


def _tick(at: TopicPartition, at_us: int) -> Outgoing:
    tick = Tick(partition=at.partition, at_us=at_us)
    return Outgoing(at.topic, topic_key(tick).encode(), encode(tick), partition=at.partition)


def _deletion(line: Line) -> list[Outgoing]:
    """Take back a row whose key other cases use too."""
    if line.topic in ("sites", "policies") and line.message is not None:
        return [Outgoing(line.topic, line.key.encode(), None)]
    return []
