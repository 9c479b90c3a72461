"""Fixtures of the gateway's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.broker import Broker, find_mosquitto
from tests.gateway.rig import PtyReader
from tests.needs import missing


@pytest.fixture
def pty_reader(tmp_path: Path) -> Iterator[PtyReader]:
    """A reader on a pseudo-terminal, plugged in as `port`."""
    reader = PtyReader(tmp_path)
    yield reader
    reader.close()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A mosquitto that is not started yet."""
    program = find_mosquitto()
    if program is None:
        missing("mosquitto is not on this machine (Debian: apt-get install mosquitto)")
    folder = tmp_path / "broker"
    folder.mkdir()
    broker = Broker(program, folder)
    yield broker
    broker.stop()
