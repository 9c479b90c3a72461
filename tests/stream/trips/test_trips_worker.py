"""Filings as a user files them: `gatebook reference load`, a worker of its own process, the rows of `trips`."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.message import Message
from schemas.reference import Plate, Trip, Truck
from schemas.topics import TOPICS, topic_key
from schemas.trips import DeclaredTruck
from schemas.wire import to_json
from stream.log.contract import TopicPartition
from stream.log.open import open_log
from tests.stream.counting import create_all, messages
from tests.stream.trips.filings import amended, filing

GATEBOOK = (sys.executable, "-m", "gatebook")


def load(url: str, *rows: tuple[str, Message]) -> subprocess.CompletedProcess[bytes]:
    lines = b"".join(to_json(topic, topic_key(row), 7, row) + b"\n" for topic, row in rows)
    words = [*GATEBOOK, "reference", "load", "-", "--log", url]
    return subprocess.run(words, input=lines, capture_output=True, timeout=50, check=False)


@contextmanager
def worker(url: str) -> Iterator[None]:
    words = [*GATEBOOK, "stream", "run", "--stage", "trips", "--log", url]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as running:
        try:
            yield
        finally:
            running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=20) == 0


async def written(url: str, topic: str, count: int) -> list[Message]:
    """What stands in a topic once so many messages do."""
    places = [TopicPartition(topic, number) for number in range(TOPICS[topic].partitions)]
    async with await open_log(url) as log, asyncio.timeout(30):
        while sum(end for _, end in (await log.bounds(places)).values()) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        return await messages(log, topic)


async def test_filings_become_trips_and_refused_ones_dead_letters_across_a_restart(
    tmp_path: Path,
) -> None:
    url = f"sqlite:{tmp_path / 'log.db'}"
    async with await open_log(url) as log:
        await create_all(log)
    plate = Plate(number="TX 1", country="US")
    by_plate = DeclaredTruck(plate=plate)
    known = Truck(id="truck:9", vin="1FVACXCY4FHGN3106", plates=(plate,))
    done = load(url, ("parties", known))
    assert (done.returncode, done.stdout) == (0, b"1 rows loaded\n")
    assert b"warning: line 1: $.value.vin: vin_check_digit: 1FVACXCY4FHGN3106" in done.stderr
    with worker(url):
        assert load(url, ("trip-filings", filing(truck=by_plate))).returncode == 0
        await written(url, "trips", 1)
    filings = (amended(truck=None), filing(filing_id="again"))
    with worker(url):
        assert load(url, *(("trip-filings", one) for one in filings)).returncode == 0
        await written(url, "rejected", 1)
    trips = await written(url, "trips", 2)
    # The worker's clock is today's, so each version expires as soon as it ticks: they may stand there twice.
    versions = dict.fromkeys((one.version, one.truck) for one in trips if isinstance(one, Trip))
    assert list(versions) == [(1, "truck:9"), (2, None)]
