"""Readers, broker, event log and disk away under load: `./run bench outages [SECONDS [sqlite|kafka]]`, a minute each on sqlite.

Real processes as in `./run bench kills`, but one gateway that runs through: its outbox lies on a small file system that is
really full once. Printed: the balance after each outage, and where each read is at the end. Needs root for the file system.
"""

import asyncio
import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.gateway.rig import make_topics
from tests.kafka_broker import Broker
from tests.soak.account import show
from tests.soak.away import QUOTA_MB, LogAway, all_away, locked, small_disk
from tests.soak.killed import RATE, READERS, settings
from tests.soak.yard import open_yard


@contextmanager
def event_log(folder: Path, kind: str) -> Iterator[tuple[str, LogAway]]:
    """The URL of an event log, and how it goes away."""
    if kind != "kafka":
        path = folder / "log.db"
        yield f"sqlite:{path}", lambda: locked(path)
        return
    kafka = Broker(folder / "kafka")

    @contextmanager
    def killed() -> Iterator[None]:
        kafka.kill()
        yield
        kafka.start()

    kafka.start()
    try:
        yield f"kafka://{kafka.bootstrap}/outages-", killed
    finally:
        kafka.stop()


async def run(folder: Path, disk: Path, log: str, log_away: LogAway, seconds: float) -> None:
    """The whole run."""
    await make_topics(log)
    changed = settings(120 + 10 * seconds)._replace(quota_mb=QUOTA_MB)
    async with open_yard(folder, changed, log) as yard:
        yard.outbox = disk / "outbox.db"
        proof = await all_away(yard, seconds, log_away, disk, say)
        show(yard, proof, say)


def say(text: str) -> None:
    """Print at once."""
    print(text, flush=True)


def main() -> None:
    """Print the counts; an error is a read or an event that is lost or doubled."""
    logging.disable(logging.WARNING)  # paho publishes before it is connected, and says so
    given = [*sys.argv[1:], *("60", "sqlite")[len(sys.argv) - 1 :]]
    seconds, kind = float(given[0]), given[1]
    say(
        f"outages of {seconds:.0f} s at {len(READERS) * RATE:.0f} reads/s, event log: {kind}; "
        f"{time.strftime('%H:%M', time.gmtime())} UTC, load average {os.getloadavg()[0]:.1f}"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with small_disk(folder) as disk, event_log(folder, kind) as (log, log_away):
            asyncio.run(run(folder, disk, log, log_away, seconds))


if __name__ == "__main__":
    main()
