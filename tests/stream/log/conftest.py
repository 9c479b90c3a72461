"""The event logs that the contract is tested on."""

import gc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from schemas.topics import Topic
from stream.log.contract import EventLog
from stream.log.open import open_log

#: Topics of these tests. The first is kept for a while, the second for ever, the third is a table.
TOPICS = (
    Topic("reads", "lane", (), partitions=3),
    Topic("records", "person", (), partitions=2, retention_ms=None),
    Topic("table", "id", (), compacted=True, partitions=2),
)


@pytest.fixture(params=["memory", "sqlite", "kafka"])
def log_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty event log."""
    if request.param == "memory":
        return f"memory:{tmp_path}"
    if request.param == "sqlite":
        return f"sqlite:{tmp_path}/log.db"
    url: str = request.getfixturevalue("kafka_url")
    return url


@pytest.fixture
async def log(log_url: str) -> AsyncIterator[EventLog]:
    """An event log with `TOPICS`."""
    async with await open_log(log_url) as log:
        await log.create(TOPICS)
        yield log


@pytest.fixture(autouse=True)
def _no_error_was_left_unlooked_at(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A future or task whose error nobody retrieved is reported by asyncio when it is collected."""
    yield
    gc.collect()
    records = [*caplog.get_records("call"), *caplog.get_records("teardown")]
    assert [record.getMessage() for record in records if record.name == "asyncio"] == []
