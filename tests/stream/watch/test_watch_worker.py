"""The real worker with all stages on real logs: a clone's flag goes round to the notice, and a restart goes on from it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from schemas.arrival import ArrivalNotice
from schemas.message import Message
from schemas.watch import CredentialFlag
from stream.config import STAGE_NAMES, StreamTable
from stream.log.contract import EventLog
from stream.log.open import open_log
from stream.stages import stages_named
from stream.worker import Worker
from tests.stream.border import ROWS, Desk, at, site
from tests.stream.counting import create_all, give, messages
from tests.stream.watch.sightings import DETROIT, LAREDO, status

SETTINGS = StreamTable(commit_ms=20, tick_s=0.2)
#: No filing: the worker's trips stage would write its own row.
CARDS = [row for row in ROWS if hasattr(row, "token")]


@asynccontextmanager
async def running(log: EventLog) -> AsyncIterator[Worker]:
    worker = await Worker.start(log, stages_named(STAGE_NAMES), SETTINGS, clock=lambda: at(1_000))
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(worker.run(stop))
        yield worker
        stop.set()


async def come_to(log: EventLog, topic: str, holds: Callable[[list[Message]], bool]) -> None:
    async with asyncio.timeout(40):
        while not holds(await messages(log, topic)):  # noqa: ASYNC110 - another task's work
            await asyncio.sleep(0.02)


def flagged(pair: str, count: int, *, is_flagged: bool) -> Callable[[list[Message]], bool]:
    """Whether there are so many crossings at the pair, and the last notice of one names the clone."""

    def holds(found: list[Message]) -> bool:
        mine = [one for one in found if isinstance(one, ArrivalNotice) and one.pair == pair]
        last = {one.crossing_id: "impossible_travel" in one.flags for one in mine}
        return len(last) == count and any(last.values()) is is_flagged

    return holds


@pytest.mark.parametrize("kind", ["memory", "sqlite", "kafka"])
async def test_a_flag_goes_round_to_the_notices_of_both_ports_and_back(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = {"memory": f"memory:{tmp_path}", "sqlite": f"sqlite:{tmp_path / 'log.db'}"}.get(
        kind
    ) or request.getfixturevalue("kafka_url")
    there = replace(site(), pair="det-amb", coordinates=DETROIT)
    async with await open_log(url) as log:
        await create_all(log)
        await give(log, replace(site(), coordinates=LAREDO), there, *CARDS)
        await give(log, Desk().seen("k1.ana", "L01-queue", 0))
        async with running(log):
            await come_to(log, "arrivals", flagged("lar-wtb", 1, is_flagged=False))
            await give(log, Desk("gw2").seen("k1.ana", "L01-queue", 600, pair="det-amb"))
            await come_to(log, "arrivals", flagged("lar-wtb", 1, is_flagged=True))
            await come_to(log, "arrivals", flagged("det-amb", 1, is_flagged=True))
    async with await open_log(url) as log:
        async with running(log) as worker:
            await give(log, Desk("gw3").seen("k1.ben", "L02-queue", 900))
            await come_to(log, "arrivals", flagged("lar-wtb", 2, is_flagged=True))
            assert len(await messages(log, "credential-flags")) == 1
            await give(log, status("active", 950))
            await come_to(log, "credential-flags", lambda found: len(found) == 2)
            await come_to(log, "arrivals", flagged("det-amb", 1, is_flagged=False))
            await come_to(log, "arrivals", flagged("lar-wtb", 2, is_flagged=False))
            assert worker.counts["rejected"] == 0
        rows = await messages(log, "credential-flags")
        assert [isinstance(one, CredentialFlag) and len(one.proofs) for one in rows] == [1, 0]
        assert len(await messages(log, "alerts")) == 2
