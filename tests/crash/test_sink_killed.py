"""A sink that is killed anywhere writes each revision once."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from stream.database.engine import engine_for
from stream.database.migrate import migrate
from stream.database.tables import arrival_notices, border_records, exchange_status
from tests.crash.killing import ROOT, undisturbed

pytestmark = pytest.mark.timeout(120)


def sink(log_url: str, url: str, crash_at: str = "") -> int:
    words = [sys.executable, "-m", "gatebook", "database", "sink", "--once"]
    done = subprocess.run(
        [*words, "--url", url, "--log", log_url],
        cwd=ROOT,
        env={**os.environ, "GATEBOOK_CRASH_AT": crash_at},
        capture_output=True,
        timeout=50,
        check=False,
    )
    return done.returncode


def counts(engine: Engine) -> list[int | None]:
    with engine.connect() as connection:
        return [
            connection.scalar(select(func.count()).select_from(table))
            for table in (arrival_notices, border_records, exchange_status)
        ]


async def test_killed_around_its_transaction_the_sink_loses_and_doubles_nothing(
    tmp_path: Path,
) -> None:
    log_url, url = f"sqlite:{tmp_path / 'log.db'}", f"sqlite:///{tmp_path / 'ledger.db'}"
    wanted = await undisturbed(log_url)
    told = len(wanted["exchange-us"]) + len(wanted["exchange-mx"])
    expected = [len(wanted["arrivals"]), len(wanted["border-records"]), told]
    engine = engine_for(url)
    migrate(engine)
    assert sink(log_url, url, "sink.polled:1") == -signal.SIGKILL
    assert sink(log_url, url, "sink.before:1") == -signal.SIGKILL
    assert counts(engine) == [0, 0, 0]
    assert sink(log_url, url, "sink.after:1") == -signal.SIGKILL
    assert sum(number or 0 for number in counts(engine)) > 0
    assert sink(log_url, url) == 0
    assert counts(engine) == expected
    assert sink(log_url, url) == 0
    assert counts(engine) == expected
    engine.dispose()
