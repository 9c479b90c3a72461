"""The table of the exchange: filled by the sink, whatever comes first, and listed by the latest revision."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
from msgspec.structs import replace
from sqlalchemy import Engine, delete, select

from schemas.exchange import AckOutcome, ExchangeAck, ExchangeRecord, ExchangeRetraction
from schemas.message import Message
from stream.database.exchange import counts, listed
from stream.database.sink import Sink
from stream.database.tables import exchange_status, sink_positions
from stream.log.contract import EventLog
from stream.log.open import open_log
from tests.schemas.exchange_samples import EXCHANGE_SAMPLES
from tests.stream.counting import append, create_all, outgoing

RECORD = next(one for one in EXCHANGE_SAMPLES if isinstance(one, ExchangeRecord))
GATEBOOK = (sys.executable, "-m", "gatebook", "database")
OPEN = ("pending", "sent", "rejected", "unknown")


def record(record_id: str, revision: int = 1) -> ExchangeRecord:
    return replace(RECORD, record_id=record_id, revision=revision)


def ack(record_id: str, outcome: AckOutcome, revision: int = 1, at_us: int = 5) -> ExchangeAck:
    return ExchangeAck(
        event_id=f"adapter.e1.{at_us}",
        record_id=record_id,
        revision=revision,
        outcome=outcome,
        reason="E17" if outcome == "rejected" else None,
        at_us=at_us,
    )


async def write(log: EventLog, country: str, *messages: Message) -> None:
    await append(log, [outgoing(f"exchange-{country.lower()}", one) for one in messages])


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[EventLog]:
    async with await open_log(f"sqlite:{tmp_path / 'log.db'}") as log:
        await create_all(log)
        yield log


async def sunk(log: EventLog, ledger: Engine) -> Sink:
    sink = await Sink.start(log, ledger)
    await sink.once(asyncio.Event())
    return sink


def found(ledger: Engine, *statuses: str) -> list[tuple[str, str, int, str]]:
    return [(*one.revision, one.fate.status) for one in listed(ledger, statuses or OPEN)]


async def test_statuses_are_kept_by_country_record_and_revision(
    log: EventLog, ledger: Engine
) -> None:
    await write(log, "US", record("r1"), record("r2"), ack("r1", "sent"))
    await write(log, "MX", record("r1"), ack("r1", "rejected"), record("r2"), ack("r2", "acked"))
    await sunk(log, ledger)
    assert set(found(ledger)) == {
        ("US", "r1", 1, "sent"),
        ("US", "r2", 1, "pending"),
        ("MX", "r1", 1, "rejected"),
    }
    assert counts(ledger)["MX", "acked"] == 1
    assert counts(ledger, "US") == {("US", "sent"): 1, ("US", "pending"): 1}


async def test_an_ack_that_comes_before_its_record_waits_as_unknown(
    log: EventLog, ledger: Engine
) -> None:
    await write(log, "MX", ack("r1", "acked"))
    await sunk(log, ledger)
    assert found(ledger) == [("MX", "r1", 1, "unknown")]
    await write(log, "MX", record("r1"))
    await sunk(log, ledger)
    assert found(ledger) == []
    assert found(ledger, "acked") == [("MX", "r1", 1, "acked")]


async def test_a_newer_revision_stands_for_the_older_ones_and_a_made_up_one_for_none(
    log: EventLog, ledger: Engine
) -> None:
    retraction = ExchangeRetraction(record_id="r1", revision=3, reason="no_entry")
    await write(log, "MX", record("r1"), record("r1", 2), ack("r1", "acked", 2), retraction)
    await write(log, "MX", ack("r1", "acked", 9))
    await sunk(log, ledger)
    assert set(found(ledger)) == {("MX", "r1", 3, "pending"), ("MX", "r1", 9, "unknown")}


async def test_reading_everything_again_changes_nothing(log: EventLog, ledger: Engine) -> None:
    many = [record(f"r{n}") for n in range(700)]
    await write(log, "CA", *many, *(ack(f"r{n}", "acked") for n in range(0, 700, 2)))
    await sunk(log, ledger)
    with ledger.begin() as connection:
        before = connection.execute(select(exchange_status)).all()
        connection.execute(delete(sink_positions))
    await sunk(log, ledger)
    with ledger.connect() as connection:
        assert set(connection.execute(select(exchange_status)).all()) == set(before)
    assert counts(ledger) == {("CA", "acked"): 350, ("CA", "pending"): 350}


async def test_a_list_that_somebody_reads_slowly_does_not_stop_the_sink(
    log: EventLog, ledger: Engine
) -> None:
    await write(log, "MX", *(record(f"r{n}") for n in range(1_500)))
    await sunk(log, ledger)
    slow = listed(ledger, OPEN)
    first = next(slow)
    await write(log, "MX", ack("r1499", "acked"))
    sink = await sunk(log, ledger)
    assert sink.counts["rejected"] == 0
    rest = {one.revision.record_id for one in slow}
    assert len(rest | {first.revision.record_id}) == 1_500
    assert len(found(ledger)) == 1_499


async def test_nothing_personal_is_in_the_table(log: EventLog, ledger: Engine) -> None:
    await write(log, "MX", replace(record("r1"), s92=b"SEALED-MARK", key_id="KEY-MARK"))
    await sunk(log, ledger)
    with ledger.connect() as connection:
        assert "MARK" not in str(connection.execute(select(exchange_status)).all())


async def test_the_command_lists_what_is_open_and_ends_with_1_when_something_was_refused(
    log: EventLog, ledger: Engine, url: str
) -> None:
    await write(log, "US", record("r1"))
    await write(log, "MX", record("r1"), record("r2", 2), ack("r2", "rejected", 2))
    await sunk(log, ledger)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*GATEBOOK, "exchange", "--url", url, *words],
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )

    whole = await asyncio.to_thread(run)
    assert (whole.returncode, whole.stderr) == (1, "")
    assert "MX: 1 pending, 0 sent, 0 acked, 1 rejected, 0 unknown\n" in whole.stdout
    assert "MX rejected r2 revision 2 (record) since 20" in whole.stdout
    assert ": E17\n" in whole.stdout
    lines = await asyncio.to_thread(run, "--json", "--country", "US")
    (line,) = [orjson.loads(text) for text in lines.stdout.splitlines()]
    assert lines.returncode == 0
    assert (line["country"], line["record_id"], line["status"]) == ("US", "r1", "pending")
    none = await asyncio.to_thread(run, "--json", "--status", "acked")
    assert none.stdout == ""
