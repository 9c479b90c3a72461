"""`gatebook database migrate` and `gatebook database sink` as a user types them."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from schemas.border import BorderRecord
from stream.log.open import open_log
from tests.schemas.samples import SAMPLES
from tests.stream.counting import create_all, give

GATEBOOK = (sys.executable, "-m", "gatebook", "database")
RECORD = next(one for one in SAMPLES if isinstance(one, BorderRecord))


def database(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*GATEBOOK, *words], capture_output=True, text=True, timeout=50, check=False
    )


@pytest.fixture
def log_url(tmp_path: Path) -> str:
    """A log with one border record."""
    found = f"sqlite:{tmp_path / 'log.db'}"

    async def make() -> None:
        async with await open_log(found) as log:
            await create_all(log)
            await give(log, RECORD)

    asyncio.run(make())
    return found


def test_migrate_says_what_it_did_and_once_reads_to_the_end(url: str, log_url: str) -> None:
    refused = database("sink", "--once", "--url", url, "--log", log_url)
    assert refused.returncode == 3
    assert refused.stderr == (
        f"the database is empty: run `gatebook database migrate --url {url}` first\n"
    )
    assert database("migrate", "--url", url).stdout == "at revision 0002 (was: empty)\n"
    assert database("migrate", "--url", url).stdout == "at revision 0002\n"
    for text in (
        "1 rows written, 0 were there already\n",
        "0 rows written, 0 were there already\n",
    ):
        done = database("sink", "--once", "--url", url, "--log", log_url)
        assert (done.returncode, done.stdout) == (0, text)


def test_a_running_sink_ends_with_sigterm(url: str, log_url: str) -> None:
    database("migrate", "--url", url)
    words = [*GATEBOOK, "sink", "--url", url, "--log", log_url]
    with subprocess.Popen(words, stderr=subprocess.PIPE) as running:
        assert running.stderr is not None
        assert orjson.loads(running.stderr.readline())["event"] == "sink started"
        running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=20) == 0


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("migrate", "--url", "ledger.db"), 2, "expected sqlite:///PATH"),
        (("migrate", "--url", "sqlite:////nowhere/ledger.db"), 3, "unable to open database file"),
        (
            ("sink", "--url", "sqlite:////nowhere/ledger.db", "--log", "memory:x"),
            3,
            "unable to open",
        ),
        (("sink", "--url", "sqlite:////nowhere/ledger.db", "--log", "x"), 2, "is not a log URL"),
    ],
)
def test_what_cannot_be_is_refused_in_words_and_without_a_traceback(
    words: tuple[str, ...], code: int, text: str
) -> None:
    done = database(*words)
    assert done.returncode == code
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_is_no_database_is_named_as_such(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"not a database at all " * 100)
    done = database("migrate", "--url", f"sqlite:///{tmp_path / 'ledger.db'}")
    assert (done.returncode, done.stderr) == (3, "the database: file is not a database\n")
