"""From the event log into the database: every revision once, whatever is read twice."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from msgspec.structs import replace
from sqlalchemy import Engine, delete, func, select, text

from schemas.arrival import ArrivalNotice
from schemas.border import BorderRecord
from schemas.topics import TOPICS
from schemas.wire import from_plain
from stream.database.rows import TOPICS_READ, row_of
from stream.database.sink import DatabaseFailed, Sink
from stream.database.tables import arrival_notices, border_records, sink_positions
from stream.database.write import AnotherSink, read_positions
from stream.log.contract import EventLog, Outgoing, PositionLost, TopicPartition
from stream.log.open import open_log
from stream.log.sqlite import open_sqlite
from tests.schemas.samples import SAMPLES
from tests.stream.counting import append, card, create_all, everything, give, until

NOTICE = next(one for one in SAMPLES if isinstance(one, ArrivalNotice))
RECORD = next(one for one in SAMPLES if isinstance(one, BorderRecord))
STOP = asyncio.Event


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[EventLog]:
    async with await open_log(f"memory:{tmp_path}") as log:
        await create_all(log)
        yield log


async def once(log: EventLog, ledger: Engine) -> Sink:
    sink = await Sink.start(log, ledger)
    await sink.once(STOP())
    return sink


def all_rows(ledger: Engine, table: Any) -> list[Any]:
    with ledger.connect() as connection:
        return list(connection.execute(select(table).order_by(*table.primary_key)).mappings())


async def test_every_revision_of_a_notice_and_of_a_record_is_a_row(
    log: EventLog, ledger: Engine
) -> None:
    await give(log, NOTICE, RECORD, replace(NOTICE, revision=4, state="released", eta_us=None))
    sink = await once(log, ledger)
    assert sink.counts["inserted"] == 3
    first, second = all_rows(ledger, arrival_notices)
    assert (first["revision"], first["eta_us"]) == (NOTICE.revision, NOTICE.eta_us)
    assert (second["revision"], second["state"], second["eta_us"]) == (4, "released", None)
    assert from_plain("arrivals", first["notice"]) == NOTICE
    (record,) = all_rows(ledger, border_records)
    assert record["entry_at_us"] == record["exit_at_us"] == RECORD.entry.at_us
    assert (record["entry_country"], record["exit_country"]) == ("US", "MX")
    assert from_plain("border-records", record["record"]) == RECORD


async def test_a_second_run_reads_on_and_a_repeated_message_changes_nothing(
    log: EventLog, ledger: Engine
) -> None:
    await give(log, NOTICE)
    await once(log, ledger)
    before = all_rows(ledger, arrival_notices)
    await give(log, NOTICE, RECORD, RECORD)
    sink = await once(log, ledger)
    assert (sink.counts["inserted"], sink.counts["repeated"]) == (1, 2)
    assert all_rows(ledger, arrival_notices) == before
    assert len(all_rows(ledger, border_records)) == 1
    assert (await once(log, ledger)).counts["repeated"] == 0


async def test_reading_everything_again_changes_nothing(log: EventLog, ledger: Engine) -> None:
    await give(log, *[replace(NOTICE, revision=n) for n in range(1_200)])
    await once(log, ledger)
    with ledger.begin() as connection:
        connection.execute(delete(sink_positions))
    sink = await once(log, ledger)
    assert (sink.counts["inserted"], sink.counts["repeated"]) == (0, 1_200)
    with ledger.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(arrival_notices)) == 1_200


async def test_a_known_revision_with_another_content_is_reported_and_the_first_one_stays(
    log: EventLog, ledger: Engine
) -> None:
    await give(log, NOTICE, replace(NOTICE, lane="L09"))
    with structlog.testing.capture_logs() as lines:
        sink = await once(log, ledger)
    assert sink.counts["conflicting"] == 1
    assert [one["lane"] for one in all_rows(ledger, arrival_notices)] == [NOTICE.lane]
    assert any(line["log_level"] == "error" for line in lines)


async def test_a_record_that_is_no_message_is_counted_and_passed_by(
    log: EventLog, ledger: Engine
) -> None:
    await append(
        log, [Outgoing("arrivals", b"x", b"\xc1", (), 0), Outgoing("arrivals", b"x", None, (), 0)]
    )
    await give(log, NOTICE)
    sink = await once(log, ledger)
    assert (sink.counts["rejected"], sink.counts["inserted"]) == (2, 1)


async def test_rows_and_positions_are_written_together_or_not_at_all(
    log: EventLog, ledger: Engine
) -> None:
    await give(log, NOTICE)
    sink = await Sink.start(log, ledger)
    with ledger.begin() as connection:
        connection.execute(text("DROP TABLE sink_positions"))
    with pytest.raises(DatabaseFailed, match="no such table: sink_positions"):
        await sink.once(STOP())
    assert all_rows(ledger, arrival_notices) == []


async def test_a_second_sink_on_one_database_is_noticed_and_doubles_nothing(
    log: EventLog, ledger: Engine
) -> None:
    first, second = await Sink.start(log, ledger), await Sink.start(log, ledger)
    await give(log, NOTICE)
    first_run = asyncio.create_task(first.run(stop := STOP()))
    await until(lambda: first.counts["inserted"] == 1)
    stop.set()
    await first_run
    with pytest.raises(AnotherSink, match="run only one"):
        await second.run(STOP())
    assert len(all_rows(ledger, arrival_notices)) == 1


async def test_positions_beyond_the_end_are_refused(log: EventLog, ledger: Engine) -> None:
    with ledger.begin() as connection:
        connection.execute(
            sink_positions.insert(), {"topic": "arrivals", "partition": 0, "next_offset": 9}
        )
    sink = await Sink.start(log, ledger)
    with pytest.raises(PositionLost):
        await sink.run(STOP())


async def test_records_that_were_deleted_unread_are_reported(
    tmp_path: Path, ledger: Engine
) -> None:
    async with await open_sqlite(str(tmp_path / "log.db")) as log:
        await create_all(log)
        await give(log, NOTICE)
        await once(log, ledger)
        await give(log, replace(NOTICE, revision=4), replace(NOTICE, revision=5))
        last = (await everything(log, "arrivals"))[-1].at_ms
        await log.tidy(last + (TOPICS["arrivals"].retention_ms or 0) + 1)
        await give(log, replace(NOTICE, revision=6))
        with structlog.testing.capture_logs() as lines:
            await once(log, ledger)
    assert [line["lost"] for line in lines if "lost" in line] == [2]
    assert [one["revision"] for one in all_rows(ledger, arrival_notices)] == [NOTICE.revision, 6]


async def test_the_positions_are_those_of_the_rows(log: EventLog, ledger: Engine) -> None:
    await give(log, NOTICE, RECORD, replace(NOTICE, revision=9))
    await once(log, ledger)
    ends = await log.bounds([TopicPartition(topic, n) for topic in TOPICS_READ for n in range(6)])
    assert read_positions(ledger) == {at: end for at, (_, end) in ends.items() if end}


def test_a_message_without_a_table_is_a_wrong_call() -> None:
    with pytest.raises(TypeError, match="no table for Credential"):
        row_of(card("a", "c"))
