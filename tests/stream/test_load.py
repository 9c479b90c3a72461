"""Loading reference rows: all lines are good, or nothing is written."""

import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.message import Message
from schemas.reference import Credential
from schemas.topics import topic_key
from schemas.wire import decode, to_json
from stream.load import REFERENCE_TOPICS, LoadInterrupted, check_rows, write_rows
from stream.log.contract import EventLog
from stream.log.open import open_log
from stream.ndjson import MAX_LINE_BYTES
from tests.stream.counting import card, create_all, everything

AT = 1_772_460_000_000_000


def line(topic: str, message: Message) -> bytes:
    return to_json(topic, topic_key(message), AT, message) + b"\n"


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[EventLog]:
    async with await open_log(f"memory:{tmp_path}") as log:
        await create_all(log)
        yield log


def test_the_reference_topics_are_those_of_the_reference_rows() -> None:
    assert REFERENCE_TOPICS == ("credentials", "parties", "trips", "sites", "policies")


async def test_rows_are_appended_in_order_with_their_own_key_and_time(log: EventLog) -> None:
    text = b"".join(line("credentials", card("a", f"c{n}")) for n in range(2_500))
    assert check_rows(io.BytesIO(text)).rows == 2_500
    assert await write_rows(log, io.BytesIO(text)) == 2_500
    records = await everything(log, "credentials")
    found = [decode("credentials", record.value or b"") for record in records]
    assert [one.credential_id for one in found if isinstance(one, Credential)][-1] == "c2499"
    assert dict(records[-1].headers)["ce_time"] == b"2026-03-02T14:00:00.000000Z"
    assert dict(records[-1].headers)["ce_source"] == b"gatebook/reference-load"


async def test_a_null_value_deletes_and_empty_lines_are_skipped(log: EventLog) -> None:
    text = b'\n  \n{"topic":"trips","key":"T1","at_us":1,"value":null}\n\n'
    assert check_rows(io.BytesIO(text)) == (1, 0, [])
    assert await write_rows(log, io.BytesIO(text)) == 1
    (record,) = await everything(log, "trips")
    assert (record.key, record.value) == (b"T1", None)


def test_every_bad_line_is_found_with_its_number() -> None:
    good = line("credentials", card("a", "c"))
    other = b'{"topic":"unmatched","key":"x","at_us":1,"value":null}\n'
    checked = check_rows(io.BytesIO(good + b"{\n" + good + other + b"\xff\n" + good.strip()))
    assert (checked.rows, checked.bad) == (3, 3)
    assert [one.number for one in checked.findings] == [2, 4, 5]
    assert "expected one of credentials, parties, trips, sites" in str(checked.findings[1])


def test_a_line_without_end_is_refused_without_being_held_and_the_next_is_read() -> None:
    good = line("credentials", card("a", "c"))
    text = b"x" * (3 * MAX_LINE_BYTES) + b"\n" + good + b"y" * (2 * MAX_LINE_BYTES)
    checked = check_rows(io.BytesIO(text))
    assert (checked.rows, checked.bad) == (1, 2)
    assert [one.number for one in checked.findings] == [1, 3]


async def test_a_log_without_its_topics_writes_nothing_and_says_how_many_are_written(
    tmp_path: Path,
) -> None:
    async with await open_log(f"memory:{tmp_path}/empty") as log:
        with pytest.raises(LoadInterrupted) as caught:
            await write_rows(log, io.BytesIO(line("credentials", card("a", "c"))))
    assert caught.value.written == 0
