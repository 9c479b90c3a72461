"""The servers and ports that tests talk to: a real Kafka, a real mosquitto, a real pseudo-terminal.

Kafka serves the whole test run. It is started once the tests are collected, so that its start counts into no
test's time limit.
"""

import itertools
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import hypothesis
import pytest

from tests.gateway.broker import Broker as Mosquitto
from tests.gateway.broker import find_mosquitto
from tests.gateway.rig import PtyReader
from tests.kafka_broker import Broker, lacking
from tests.needs import missing

# The same examples in every run, so that a result can be had again; `--hypothesis-profile=search` looks for new ones.
hypothesis.settings.register_profile("same", derandomize=True, deadline=None)
hypothesis.settings.register_profile("search", max_examples=2_000, deadline=None)
hypothesis.settings.load_profile("same")

_broker: Final = pytest.StashKey[Broker]()
_folder: Final = pytest.StashKey[Path]()
#: Prefixes differ between runs, so that a broker that is shared never shows old topics.
_run: Final = secrets.token_hex(3)
_numbers: Final = itertools.count(1)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start the broker if a test needs it."""
    config = session.config
    if os.environ.get("GATEBOOK_TEST_KAFKA") or config.option.collectonly or lacking():
        return
    if any(_needs_kafka(item) for item in session.items):
        _start(config)


def _start(config: pytest.Config) -> Broker:
    _clear_after_the_killed()
    folder = Path(tempfile.mkdtemp(prefix=f"gatebook-kafka-{os.getpid()}-"))
    broker = Broker(folder)
    config.stash[_broker], config.stash[_folder] = broker, folder
    broker.start()
    return broker


def _clear_after_the_killed() -> None:
    """Remove what runs left that were killed, or that kept a broker's log."""
    for folder in Path(tempfile.gettempdir()).glob("gatebook-kafka-*-*"):
        pid = folder.name.split("-")[2]
        if not Path("/proc", pid).exists():
            shutil.rmtree(folder, ignore_errors=True)


def _needs_kafka(item: pytest.Item) -> bool:
    # A fixture that has "kafka" as a parameter asks for the broker by name, and only then.
    fixtures: list[str] = getattr(item, "fixturenames", [])
    call = getattr(item, "callspec", None)
    return "kafka_bootstrap" in fixtures or (call is not None and "kafka" in call.params.values())


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Stop the broker; keep what it logged when something failed."""
    broker = session.config.stash.get(_broker, None)
    if broker is None:
        return
    broker.stop()
    if exitstatus == pytest.ExitCode.OK:
        shutil.rmtree(session.config.stash[_folder], ignore_errors=True)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say where the broker's log is, if it was kept."""
    broker = config.stash.get(_broker, None)
    if broker is not None and broker.log_file.exists():
        terminalreporter.write_line(f"Kafka broker's log: {broker.log_file}")


@pytest.fixture(scope="session")
def kafka_bootstrap(pytestconfig: pytest.Config) -> str:
    """`host:port` of a broker: the one that `GATEBOOK_TEST_KAFKA` names, or one of our own."""
    given = os.environ.get("GATEBOOK_TEST_KAFKA")
    if given:
        return given
    reason = lacking()
    if reason is not None:
        missing(reason)
    broker = pytestconfig.stash.get(_broker, None) or _start(pytestconfig)
    return broker.bootstrap


@pytest.fixture
def kafka_url(kafka_bootstrap: str) -> str:
    """The URL of an empty event log on Kafka: a prefix that no other test has."""
    return f"kafka://{kafka_bootstrap}/t{_run}-{next(_numbers)}-"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A mosquitto that is not started yet."""
    program = find_mosquitto()
    if program is None:
        missing("mosquitto is not on this machine (Debian: apt-get install mosquitto)")
    folder = tmp_path / "broker"
    folder.mkdir()
    mosquitto = Mosquitto(program, folder)
    yield mosquitto
    mosquitto.stop()


@pytest.fixture
def pty_reader(tmp_path: Path) -> Iterator[PtyReader]:
    """A reader on a pseudo-terminal, plugged in as `port`."""
    reader = PtyReader(tmp_path)
    yield reader
    reader.close()
