"""Loading reference rows: all lines are good, or nothing is written."""

import io
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from schemas.message import Message
from schemas.policy import TargetingPack, TargetingRule
from schemas.reference import Credential, Plate, SiteOffice, Trailer, Truck
from schemas.topics import topic_key
from schemas.trips import DeclaredPerson, DeclaredTruck, TripFiling
from schemas.wire import decode, to_json
from stream.load import REFERENCE_TOPICS, Checked, LoadInterrupted, check_rows, write_rows
from stream.log.contract import EventLog
from stream.log.open import open_log
from stream.ndjson import MAX_LINE_BYTES
from stream.trips.resolve import Register
from tests.stream.border import PORTS, site, trip
from tests.stream.counting import card, create_all, everything
from tests.stream.trips.filings import amended, filing, used

AT = 1_772_460_000_000_000


def line(topic: str, message: Message) -> bytes:
    return to_json(topic, topic_key(message), AT, message) + b"\n"


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[EventLog]:
    async with await open_log(f"memory:{tmp_path}") as log:
        await create_all(log)
        yield log


def test_the_reference_topics_are_those_of_the_reference_rows() -> None:
    assert REFERENCE_TOPICS == ("credentials", "parties", "sites", "policies", "watch-lists")


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
    text = b'\n  \n{"topic":"sites","key":"T1","at_us":1,"value":null}\n\n'
    assert check_rows(io.BytesIO(text)) == Checked(1, 0, [])
    assert await write_rows(log, io.BytesIO(text)) == 1
    (record,) = await everything(log, "sites")
    assert (record.key, record.value) == (b"T1", None)


def test_every_bad_line_is_found_with_its_number() -> None:
    good = line("credentials", card("a", "c"))
    other = b'{"topic":"unmatched","key":"x","at_us":1,"value":null}\n'
    checked = check_rows(io.BytesIO(good + b"{\n" + good + other + b"\xff\n" + good.strip()))
    assert (checked.rows, checked.bad) == (3, 3)
    assert [one.number for one in checked.findings] == [2, 4, 5]
    assert (
        "expected one of credentials, parties, sites, policies, watch-lists, trip-filings"
        in str(checked.findings[1])
    )


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


async def test_filings_go_to_their_topic_with_the_ids_that_the_same_file_tells(
    log: EventLog,
) -> None:
    by_plate = DeclaredTruck(plate=Plate(number="TX 1", country="US"))
    wanted = filing(truck=by_plate, drivers=(DeclaredPerson(credential_id="c7"),))
    truck = Truck(id="truck:7", plates=(Plate(number="TX1", country="US"),))
    text = b"".join(
        (line("trip-filings", wanted), line("parties", truck), line("credentials", card("a", "c7")))
    )
    register = Register()
    checked = check_rows(io.BytesIO(text), PORTS, register)
    assert (checked.rows, checked.filings, checked.bad) == (3, 1, 0)
    await write_rows(log, io.BytesIO(text), register.resolve)
    (record,) = await everything(log, "trip-filings")
    found = decode("trip-filings", record.value or b"")
    assert isinstance(found, TripFiling)
    assert found.truck == DeclaredTruck(id="truck:7", plate=by_plate.plate)
    assert found.drivers == (DeclaredPerson(id="person:7", credential_id="c7"),)


def test_odd_identifiers_are_warnings_and_wrong_ones_refuse() -> None:
    wrong_site = msgspec.structs.replace(
        site(),
        offices=(SiteOffice(country="US", office_code="23", authority="CBP", timezone="UTC"),),
    )
    text = b"".join(
        (
            line("parties", Truck(id="truck:1", vin="1FVACXCY4FHGN3106")),
            line("parties", Trailer(id="trailer:1", plate=Plate(number="A-1", country="MX"))),
            line("trip-filings", amended(truck=None)),
            line("trip-filings", filing(port_code="23")),
            line("sites", wrong_site),
        )
    )
    checked = check_rows(io.BytesIO(text), PORTS)
    assert (checked.rows, checked.bad, checked.odd) == (3, 2, 3)
    assert [str(one).partition(": ")[2][:40] for one in checked.warnings] == [
        "$.value.vin: vin_check_digit: 1FVACXCY4F",
        "$.value.plate.number: plate_form: 'A-1':",
        "$.value.truck: no_truck: no truck is dec",
    ]
    assert [str(one) for one in checked.findings] == [
        "line 4: $.value: port_form: port_code: '23': expected 4 digits",
        "line 5: $.value.offices[0].office_code: port_form: '23': expected 4 digits",
    ]


def test_a_bad_targeting_rule_is_refused_with_its_position() -> None:
    pack = TargetingPack(
        policy_id="south",
        effective_from_us=0,
        accepted_at_us=0,
        version=1,
        directions=("MX>US",),
        owners=("CBP", "ANAM"),
        rules=(TargetingRule(id="odd", cel="hazmat &&\n  weight > 3", reason="because"),),
    )
    checked = check_rows(io.BytesIO(line("policies", pack)))
    assert (checked.rows, checked.bad) == (0, 1)
    assert "odd:2:3: undeclared reference to 'weight'" in str(checked.findings[0])


def test_only_filings_are_loaded_into_their_topic() -> None:
    text = (
        line("trip-filings", used()) + b'{"topic":"trip-filings","key":"x","at_us":1,"value":null}'
    )
    assert [str(one) for one in check_rows(io.BytesIO(text)).findings] == [
        "line 1: $.value.type: the stages write it; expected trip_filing",
        "line 2: $.value: null, but nothing is ever deleted from trip-filings",
    ]


def test_a_row_of_trips_is_refused_with_what_to_do() -> None:
    row = line("trips", trip())
    assert [str(one) for one in check_rows(io.BytesIO(row)).findings] == [
        "line 1: $.topic: the trips stage writes it; load a trip_filing into trip-filings instead"
    ]
