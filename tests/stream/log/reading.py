"""Read a partition to its end."""

import asyncio
from collections.abc import Sequence

from stream.log.contract import EventLog, Outgoing, Record, TopicPartition

IN = TopicPartition("reads", 1)
OUT = TopicPartition("records", 0)


def out(value: bytes | None, key: bytes = b"k", partition: int = 0) -> Outgoing:
    """A record for `OUT`."""
    return Outgoing("records", key, value, (), partition)


async def append(log: EventLog, records: Sequence[Outgoing]) -> None:
    """Append with an appender of its own."""
    appender = await log.appender()
    try:
        await appender.append(records)
    finally:
        await appender.aclose()


async def everything(log: EventLog, where: TopicPartition) -> list[Record]:
    """All committed records of a partition: a last one is written, and all before it is read."""
    await append(log, [Outgoing(where.topic, b"end", b"end", (), where.partition)])
    reader = await log.reader({where: 0})
    found: list[Record] = []
    try:
        async with asyncio.timeout(40):
            while not found or found[-1].key != b"end":
                found += await reader.poll(1000, 1)
    finally:
        await reader.aclose()
    return [record for record in found if record.key != b"end"]


async def values(log: EventLog, where: TopicPartition = OUT) -> list[bytes | None]:
    """The values of a partition."""
    return [record.value for record in await everything(log, where)]
