"""The exchange from a worker on a real log into the database: told once over a restart, and acknowledged."""

import asyncio
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from schemas.exchange import ExchangeAck, ExchangeRecord
from schemas.ids import record_id
from schemas.message import Message
from stream.config import StreamTable
from stream.database.engine import engine_for
from stream.database.exchange import listed
from stream.database.migrate import migrate
from stream.database.sink import Sink
from stream.ledger.step import LEDGER
from stream.log.contract import EventLog
from stream.log.open import open_log
from stream.worker import Worker
from tests.stream.counting import append, create_all, give, messages, outgoing, work_until
from tests.stream.ledger.telling import AT, MARK, ended, person

SETTINGS = StreamTable(partitions=tuple(range(6)), commit_ms=20, tick_s=60)
ANA = record_id(f"crossing-{MARK}-1", f"person:{MARK}-ana")


async def work(log: EventLog, outputs: int) -> None:
    """A worker of its own, which leaves when it has written so much."""
    worker = await Worker.start(log, [LEDGER], SETTINGS, clock=lambda: AT)
    await work_until(worker, lambda: worker.counts["outputs"] >= outputs)


async def told(log: EventLog, country: str) -> list[Any]:
    found = await messages(log, f"exchange-{country}")
    return [(one.revision, one.s92) for one in found if isinstance(one, ExchangeRecord)]


async def write(log: EventLog, topic: str, *said: Message) -> None:
    await append(log, [outgoing(topic, one) for one in said])


async def sunk(log: EventLog, engine: Engine) -> dict[str, str]:
    """The status of Ana's latest revision by country."""
    sink = await Sink.start(log, engine)
    await sink.once(asyncio.Event())
    every = listed(engine, ("pending", "sent", "acked", "rejected", "unknown"))
    return {one.revision.country: one.fate.status for one in every}


async def test_who_becomes_known_while_nobody_works_is_told_at_the_start_and_only_once(
    tmp_path: Path,
) -> None:
    engine = engine_for(f"sqlite:///{tmp_path / 'ledger.db'}")
    migrate(engine)
    async with await open_log(f"sqlite:{tmp_path / 'log.db'}") as log:
        await create_all(log)
        await give(log, ended())
        await work(log, 3)
        await give(log, person())
        await work(log, 2)
        await give(log, ended(revision=2, at_us=AT + 1))
        await work(log, 3)
        for country in ("us", "mx"):
            expected = [(1, None), (2, b"sealed-1"), (3, b"sealed-1")]
            assert await told(log, country) == expected
        assert await messages(log, "exchange-ca") == []
        assert await sunk(log, engine) == {"US": "pending", "MX": "pending"}
        ack = ExchangeAck(event_id="a.e1.1", record_id=ANA, revision=3, outcome="acked", at_us=9)
        await write(log, "exchange-mx", ack)
        assert await sunk(log, engine) == {"US": "pending", "MX": "acked"}
    engine.dispose()
