"""`gatebook database observers`: counts out of the database by the latest revisions, and nothing with an id."""

import subprocess
import sys
from datetime import date
from typing import Any

import orjson
import pytest
from msgspec.structs import replace
from sqlalchemy import Engine, insert

from schemas.arrival import ArrivalNotice
from schemas.border import BorderRecord
from schemas.message import Country, Message
from stream.database.observers import ended_about
from stream.database.rows import row_of
from tests.schemas.samples import SAMPLES

GATEBOOK = (sys.executable, "-m", "gatebook", "database")
NOTICE = next(one for one in SAMPLES if isinstance(one, ArrivalNotice))
RECORD = next(one for one in SAMPLES if isinstance(one, BorderRecord))
#: 2026-03-02 00:00 at Detroit, UTC-5.
MIDNIGHT = 1_772_427_600_000_000
HOUR_US = 3_600_000_000


def record(number: int, hour: float, **changes: Any) -> BorderRecord:
    at_us = MIDNIGHT + round(hour * HOUR_US)
    entered: Country = changes.pop("entered", "US")
    left: Country = changes.pop("left", "CA")
    usual = replace(
        RECORD,
        record_id=f"r{number}",
        pair="det-amb",
        entry=replace(RECORD.entry, country=entered, at_us=at_us),
        exit=replace(RECORD.exit, country=left, at_us=at_us),
    )
    return replace(usual, **changes)


def notice(number: int, state: str, revision: int = 1) -> ArrivalNotice:
    return replace(
        NOTICE,
        crossing_id=f"c{number}",
        revision=revision,
        pair="det-amb",
        direction="CA>US",
        state=state,
        last_read_us=MIDNIGHT + HOUR_US,
    )


def store(ledger: Engine, *messages: Message) -> None:
    with ledger.begin() as connection:
        for message in messages:
            target, row = row_of(message)
            connection.execute(insert(target.table), row)


def run(url: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*GATEBOOK, "observers", "--url", url, *words],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def test_only_the_latest_revision_counts_and_only_ends_without_entry_beside_records(
    ledger: Engine,
) -> None:
    store(ledger, record(1, 1), record(1, 1, revision=2, state="retracted"), record(2, 30))
    store(ledger, record(3, 2), record(3, 60, revision=2), record(4, -30))
    store(ledger, notice(1, "approaching"), notice(1, "refused", 2), notice(2, "refused"))
    store(ledger, notice(2, "closed", 2), notice(3, "closed"))
    found = sorted(one.outcome for one in ended_about(ledger, date(2026, 3, 2)))
    assert found == ["entered", "refused", "taken_back"]


def test_a_day_of_a_foreign_border_is_one_line_a_direction_without_ids(
    ledger: Engine, url: str
) -> None:
    for hour in range(24):
        store(ledger, *(record(hour * 100 + n, hour + 0.5) for n in range(3)))
    store(ledger, *(record(9_000 + n, 24.5) for n in range(5)))
    done = run(url, "--country", "MX", "--day", "2026-03-02", "--k", "3")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [orjson.loads(line) for line in done.stdout.splitlines()]
    (north,) = [one for one in lines if (one["pair"], one["direction"]) == ("det-amb", "CA>US")]
    assert (north["entered"], north["hours"]) == (72, [3] * 24)
    assert (north["zone"], north["day"], north["k"]) == ("America/Detroit", "2026-03-02", 3)
    others = [one for one in lines if one is not north]
    assert {count for one in others for count in (one["entered"], *one["hours"])} == {None}
    assert not any("MX" in one["direction"] for one in lines)
    for name in ("r100", "c1", "person:0001", RECORD.crossing_id):
        assert name not in done.stdout


def test_a_country_of_every_pair_is_told_so_and_nothing_else(ledger: Engine, url: str) -> None:
    done = run(url, "--country", "US", "--day", "2026-03-02")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "US is a part of every pair\n"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--country", "MX", "--day", "yesterday"), "expected YYYY-MM-DD"),
        (("--country", "MX", "--day", "2026-03-02", "--k", "1"), "--k"),
        (("--country", "FR", "--day", "2026-03-02"), "--country"),
    ],
)
def test_wrong_words_are_refused(url: str, words: tuple[str, ...], text: str) -> None:
    done = run(url, *words)
    assert done.returncode == 2
    assert text in done.stderr
    assert "Traceback" not in done.stderr
