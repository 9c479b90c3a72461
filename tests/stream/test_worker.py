"""The worker's loop on the memory log."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.alert import Alert, Rejected
from schemas.gate import Tick
from schemas.message import Message
from schemas.policy import TargetingPack, TargetingRule
from schemas.topics import MAX_VALUE_BYTES
from schemas.wire import decode, encode
from stream.config import StreamTable
from stream.lanes.step import LANES
from stream.lifetime import telling
from stream.log.contract import EventLog, Fenced, Outgoing, TopicPartition
from stream.log.open import open_log
from stream.worker import Worker
from tests.stream.border import ROWS
from tests.stream.counting import (
    PAIRS,
    Counting,
    append,
    card,
    create_all,
    everything,
    give,
    messages,
    outgoing,
    partition,
    said,
    seen,
    until,
    work_until,
)
from tests.stream.lanes.test_step import plain

SETTINGS = StreamTable(commit_ms=20, tick_s=3_600)


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[EventLog]:
    async with await open_log(f"memory:{tmp_path}") as log:
        await create_all(log)
        yield log


def three(worker: Worker) -> bool:
    return worker.counts["records"] >= 3


async def test_each_record_is_stepped_and_its_outputs_rows_and_position_are_committed(
    log: EventLog,
) -> None:
    await give(log, seen(1, "a"), seen(2, "b"), seen(3, "a"))
    worker = await Worker.start(log, [Counting()], SETTINGS)
    await work_until(worker, lambda: three(worker))
    assert await said(log) == [
        "a: seen 1, card None",
        "a: seen 2, card None",
        "b: seen 1, card None",
    ]
    place = TopicPartition("gate-events", partition(PAIRS[0]))
    assert await log.committed("lanes", place) == 3
    rows = await everything(log, "lanes-changelog")
    assert {(row.partition, row.key) for row in rows} == {
        (place.partition, b"a"),
        (place.partition, b"b"),
    }


async def test_a_new_worker_goes_on_from_the_committed_position_with_the_restored_state(
    log: EventLog,
) -> None:
    await give(log, seen(1, "a"), seen(2, "a", PAIRS[1]))
    first = await Worker.start(log, [Counting()], SETTINGS)
    await work_until(first, lambda: first.counts["records"] >= 2)
    await give(log, seen(3, "a"), seen(4, "a", PAIRS[1]), seen(5, "a", PAIRS[1]))
    second = await Worker.start(log, [Counting()], SETTINGS)
    await work_until(second, lambda: three(second))
    assert second.counts["records"] == 3
    assert await said(log) == [
        "a: seen 1, card None",
        "a: seen 1, card None",
        "a: seen 2, card None",
        "a: seen 2, card None",
        "a: seen 3, card None",
    ]


@pytest.mark.parametrize("batch", [1, 2, 7, 500])
async def test_any_batch_size_gives_the_same_outputs_in_the_same_order(
    tmp_path: Path, batch: int
) -> None:
    assert await outputs_of_sixty(tmp_path, batch) == await outputs_of_sixty(tmp_path, 10_000)


async def outputs_of_sixty(tmp_path: Path, batch: int) -> dict[str, list[Message]]:
    """What sixty sightings give, by the pair that they come from: the order that is promised."""
    async with await open_log(f"memory:{tmp_path}/{batch}") as log:
        await create_all(log)
        await give(log, *[seen(n, f"t{n % 5}", PAIRS[n % 3]) for n in range(60)])
        worker = await Worker.start(log, [Counting()], StreamTable(batch=batch, commit_ms=20))
        await work_until(worker, lambda: worker.counts["records"] >= 60)
        found: dict[str, list[Message]] = {}
        for alert in await messages(log, "alerts"):
            assert isinstance(alert, Alert)
            found.setdefault(f"{alert.pair} {alert.subject}", []).append(alert)
        return found


async def test_changelog_rows_of_a_batch_are_merged_and_the_last_one_wins(log: EventLog) -> None:
    await give(log, seen(1, "a"), seen(2, "b"), seen(3, "a"))
    worker = await Worker.start(log, [Counting()], SETTINGS)
    await work_until(worker, lambda: three(worker))
    rows = await everything(log, "lanes-changelog")
    assert [row.key for row in rows] == [b"a", b"b"]


async def test_a_record_that_is_no_message_becomes_a_dead_letter_and_the_next_is_taken(
    log: EventLog,
) -> None:
    place = partition(PAIRS[0])
    bad = [
        Outgoing("gate-events", b"x", b"\xc1 no msgpack", (), place),
        Outgoing("gate-events", b"x", None, (), place),
        Outgoing("gate-events", b"x" * 3_000, b"\x00" * MAX_VALUE_BYTES, (), place),
        outgoing("gate-events", seen(1, "a")),
    ]
    await append(log, bad)
    worker = await Worker.start(log, [Counting()], SETTINGS)
    await work_until(worker, lambda: worker.counts["records"] >= 4)
    dead = [one for one in await messages(log, "rejected") if isinstance(one, Rejected)]
    assert [(one.offset, one.reason) for one in dead] == [(n, "malformed") for n in range(3)]
    assert dead[2].raw == b"\x00" * (MAX_VALUE_BYTES - 8_192)
    assert f"{MAX_VALUE_BYTES} bytes as it came" in dead[2].detail
    assert await said(log) == ["a: seen 1, card None"]
    assert worker.counts["rejected"] == 3


async def test_a_step_whose_output_is_too_large_becomes_a_dead_letter_and_changes_nothing(
    log: EventLog,
) -> None:
    await give(log, seen(1, "huge"), seen(2, "a"), seen(3, "a"))
    worker = await Worker.start(log, [Counting(fill=MAX_VALUE_BYTES)], SETTINGS)
    await work_until(worker, lambda: three(worker))
    (dead,) = await messages(log, "rejected")
    assert isinstance(dead, Rejected)
    assert dead.reason == "invalid"
    assert {row.key for row in await everything(log, "lanes-changelog")} == {b"a"}


async def test_reference_rows_are_there_before_the_first_record_is_stepped(log: EventLog) -> None:
    await give(log, seen(1, "a"), card("a", "c1"))
    worker = await Worker.start(log, [Counting()], SETTINGS)
    await work_until(worker, lambda: worker.counts["records"] >= 1)
    assert await said(log) == ["a: seen 1, card c1"]


async def test_a_late_reference_row_is_stepped_for_every_owned_partition_and_moves_no_position(
    log: EventLog,
) -> None:
    await give(log, *[seen(n, "a", pair) for n, pair in enumerate(PAIRS)])
    worker = await Worker.start(log, [Counting()], SETTINGS)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(worker.run(stop))
        await until(lambda: three(worker))
        await give(log, card("a", "c1"))
        await append(log, [Outgoing("credentials", b"a", None)])
        await give(log, card("a", "c2"))
        await until(lambda: worker.counts["outputs"] >= 12)
        stop.set()
    assert await said(log) == sorted(
        ["a: seen 1, card None"] * 6 + ["a: seen 1, card c1"] * 3 + ["a: seen 1, card c2"] * 3
    )
    for pair in PAIRS:
        place = TopicPartition("gate-events", partition(pair))
        assert await log.committed("lanes", place) == 1


async def test_rows_that_changed_while_nobody_worked_are_looked_at_once_after_the_take_over(
    log: EventLog,
) -> None:
    await give(log, seen(1, "a"))
    first = await Worker.start(log, [Counting()], SETTINGS)
    await work_until(first, lambda: first.counts["records"] >= 1)
    await give(log, card("a", "c1"))
    for _ in range(2):
        later = await Worker.start(log, [Counting()], SETTINGS)
        await work_until(later, lambda: True)
    assert await said(log) == ["a: seen 1, card None", "a: seen 1, card c1"]


async def test_a_reference_row_that_cannot_be_read_is_counted_and_stops_nothing(
    log: EventLog,
) -> None:
    await append(
        log,
        [
            Outgoing("credentials", b"a", b"\xc1"),
            Outgoing("credentials", b"b", encode(card("a", "wrong key"))),
            Outgoing("credentials", None, encode(card("a", "no key")), (), 0),
            outgoing("credentials", card("a", "c1")),
        ],
    )
    await give(log, seen(1, "a"))
    worker = await Worker.start(log, [Counting()], SETTINGS)
    await work_until(worker, lambda: worker.counts["records"] >= 1)
    assert await said(log) == ["a: seen 1, card c1"]
    assert worker.reference_counts == {"loaded": 1, "rejected": 3}


async def test_the_owner_writes_the_time_into_each_of_its_partitions(log: EventLog) -> None:
    settings = StreamTable(partitions=(1, 4), commit_ms=10, tick_s=0.05)
    times = iter(range(1_000, 2_000))
    worker = await Worker.start(log, [Counting(ticks=True)], settings, lambda: next(times))
    await work_until(worker, lambda: worker.counts["ticks"] >= 4)
    records = await everything(log, "gate-events")
    ticks = [decode("gate-events", record.value or b"") for record in records]
    assert {record.partition for record in records} == {1, 4}
    assert all(isinstance(tick, Tick) for tick in ticks)
    assert [tick.partition for tick in ticks if isinstance(tick, Tick)] == [
        record.partition for record in records
    ]
    first = [tick.at_us for tick in ticks if isinstance(tick, Tick) and tick.partition == 1]
    assert first == sorted(set(first))


async def test_no_ticks_are_written_for_a_stage_without_timers(log: EventLog) -> None:
    worker = await Worker.start(log, [Counting(ticks=False)], StreamTable(tick_s=0.05))
    await give(log, seen(1, "a"))
    await work_until(worker, lambda: worker.counts["records"] >= 1)
    assert len(await everything(log, "gate-events")) == 1


async def test_a_worker_reads_only_the_partitions_that_it_is_given(log: EventLog) -> None:
    await give(log, *[seen(n, "a", pair) for n, pair in enumerate(PAIRS)])
    mine = StreamTable(partitions=(partition(PAIRS[1]),), commit_ms=20)
    worker = await Worker.start(log, [Counting()], mine)
    await work_until(worker, lambda: worker.counts["records"] >= 1)
    assert [one.partition for one in await everything(log, "lanes-changelog")] == [1]
    assert worker.counts["records"] == 1


async def test_an_old_worker_can_commit_nothing_once_a_new_one_has_started(log: EventLog) -> None:
    old = await Worker.start(log, [Counting()], SETTINGS)
    await work_until(old, lambda: True)
    new = await Worker.start(log, [Counting()], SETTINGS)
    await give(log, seen(1, "a"))
    with pytest.raises(Exception) as caught:  # noqa: PT011 - a group or the fence itself
        await old.round()
    assert isinstance(telling(caught.value), Fenced)
    await work_until(new, lambda: new.counts["records"] >= 1)
    assert await said(log) == ["a: seen 1, card None"]


async def test_rules_on_trial_are_counted_where_they_would_have_referred_somebody(
    log: EventLog,
) -> None:
    rule = TargetingRule(id="trial", cel="true", reason="tried", shadow=True)
    pack = TargetingPack(
        policy_id="south",
        effective_from_us=0,
        accepted_at_us=0,
        version=1,
        directions=("MX>US",),
        owners=("CBP", "ANAM"),
        rules=(rule,),
    )
    await give(log, *ROWS, pack, *plain())
    worker = await Worker.start(log, [LANES], SETTINGS)
    await work_until(worker, lambda: worker.counts["records"] >= len(plain()))
    assert worker.counts["shadow_hits"] == 2
    assert worker.counts["rejected"] == 0


async def test_outputs_carry_the_trace_of_the_record_that_made_them(log: EventLog) -> None:
    trace = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    record = outgoing("gate-events", seen(1, "a"))
    await append(log, [record._replace(headers=(("traceparent", trace),))])
    worker = await Worker.start(log, [Counting()], SETTINGS)
    await work_until(worker, lambda: worker.counts["records"] >= 1)
    (alert,) = await everything(log, "alerts")
    headers = dict(alert.headers)
    assert headers["traceparent"] == trace
    assert headers["ce_source"] == b"gatebook/lanes"
    assert headers["ce_time"] == b"1970-01-01T00:00:00.000001Z"
