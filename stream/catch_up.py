"""Read partitions up to an end that was known before: a changelog into a state, topics into a table."""

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final

from structlog.typing import FilteringBoundLogger

from schemas.topics import TOPICS
from stream.log.contract import EventLog, LogUnavailable, Reader, Record, TopicPartition

#: Records asked for at once; bounds the memory of one poll.
MAX_POLL: Final = 5_000

#: Without any progress for so long, the reading is given up.
STALLED_S: Final = 60.0

#: A line of progress at most so often.
PROGRESS_S: Final = 5.0


async def from_beginning(
    log: EventLog, topics: Iterable[str]
) -> tuple[Reader, dict[TopicPartition, int]]:
    """A reader at the first records of whole topics, and where they end now."""
    places = [
        TopicPartition(topic, number)
        for topic in topics
        for number in range(TOPICS[topic].partitions)
    ]
    bounds = await log.bounds(places)
    reader = await log.reader({place: first for place, (first, _) in bounds.items()})
    return reader, {place: end for place, (_, end) in bounds.items()}


async def catch_up(
    reader: Reader,
    ends: Mapping[TopicPartition, int],
    take: Callable[[Sequence[Record]], Awaitable[None]],
    journal: FilteringBoundLogger,
    *,
    stalled_s: float = STALLED_S,
) -> int:
    """Give all records to `take` until the reader's position is at the ends; return how many.

    The position counts, not the last record seen: the last offset may hold none (on Kafka it is usually
    a transaction's marker). Raises `LogUnavailable` when nothing moves for `stalled_s`.
    """
    taken = 0
    before = _left(reader, ends)
    moved_at = said_at = time.monotonic()
    while left := _left(reader, ends):
        records = await reader.poll(MAX_POLL, min(1.0, stalled_s))
        if records:
            await take(records)
            taken += len(records)
        now = time.monotonic()
        if _left(reader, ends) != left:
            moved_at = now
        elif now - moved_at > stalled_s:
            raise LogUnavailable(f"nothing came for {stalled_s:g} s, {_most_left(left)}")
        if now - said_at > PROGRESS_S:
            said_at = now
            journal.info("reading", rows=taken, left=sum(left.values()), of=sum(before.values()))
    return taken


def _left(reader: Reader, ends: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
    positions = reader.positions()
    return {at: end - positions[at] for at, end in ends.items() if positions[at] < end}


def _most_left(left: Mapping[TopicPartition, int]) -> str:
    at = max(left, key=lambda one: left[one])
    return f"{at.topic}/{at.partition} has {left[at]} offsets left"
