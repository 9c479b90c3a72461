"""Ledger databases for tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from stream.database.engine import engine_for
from stream.database.migrate import migrate


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The URL of a database that is not there yet."""
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """An engine on it."""
    made = engine_for(url)
    yield made
    made.dispose()


@pytest.fixture
def ledger(engine: Engine) -> Engine:
    """An engine on a database with its tables."""
    migrate(engine)
    return engine
