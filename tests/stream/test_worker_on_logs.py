"""The worker on every event log: late reference rows, ticks and a restart, as on memory."""

import asyncio
from pathlib import Path

import pytest

from schemas.gate import Tick
from stream.config import StreamTable
from stream.log.contract import TopicPartition
from stream.log.open import open_log
from stream.worker import Worker
from tests.stream.counting import (
    PAIRS,
    Counting,
    card,
    create_all,
    give,
    messages,
    partition,
    said,
    seen,
    until,
    work_until,
)

SETTINGS = StreamTable(partitions=(0, 1, 2), commit_ms=20, tick_s=0.2)


@pytest.mark.parametrize("kind", ["memory", "sqlite", "kafka"])
async def test_late_rows_and_ticks_are_taken_and_a_restart_goes_on(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = {"memory": f"memory:{tmp_path}", "sqlite": f"sqlite:{tmp_path / 'log.db'}"}.get(
        kind
    ) or request.getfixturevalue("kafka_url")
    stage = Counting(ticks=True)
    async with await open_log(url) as log:
        await create_all(log)
        await give(log, *[seen(n, "a", pair) for n, pair in enumerate(PAIRS)])
        first = await Worker.start(log, [stage], SETTINGS)
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(first.run(stop))
            await until(lambda: first.counts["outputs"] >= 3)
            await give(log, card("a", "c1"))
            await until(lambda: first.counts["outputs"] >= 6 and first.counts["ticks"] >= 6)
            stop.set()
    async with await open_log(url) as log:
        await give(log, seen(9, "a"))
        second = await Worker.start(log, [stage], SETTINGS)
        await work_until(second, lambda: second.counts["outputs"] >= 1)
        assert await said(log) == sorted(
            ["a: seen 1, card None"] * 3 + ["a: seen 1, card c1"] * 3 + ["a: seen 2, card c1"]
        )
        ticks = [one for one in await messages(log, "gate-events") if isinstance(one, Tick)]
        assert {one.partition for one in ticks} == {0, 1, 2}
        for pair in PAIRS:
            assert await log.committed("lanes", TopicPartition("gate-events", partition(pair)))
