"""Fixtures of the simulators' tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.broker import Broker, find_mosquitto
from tests.needs import missing


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A mosquitto that is not started yet."""
    program = find_mosquitto()
    if program is None:
        missing("mosquitto is not on this machine (Debian: apt-get install mosquitto)")
    folder = tmp_path / "broker"
    folder.mkdir()
    found = Broker(program, folder)
    yield found
    found.stop()
