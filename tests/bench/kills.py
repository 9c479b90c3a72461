"""A gateway killed under load again and again: `./run bench kills [KILLS [sqlite|kafka [SEED]]]`, 50 on sqlite by default.

Real processes: seven readers of five kinds on pseudo-terminals, TCP and mosquitto with 700 reads/s, the gateway with a signed
outbox, and the event log (embedded, or a real Apache Kafka). Kills happen at seeded moments and at named points of a
commit. Printed: the balance after each kill, and where each read is at the end.
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
from tests.soak.killed import RATE, READERS, kill_again_and_again, settings
from tests.soak.yard import open_yard


@contextmanager
def event_log(folder: Path, kind: str) -> Iterator[str]:
    """The URL of an event log."""
    if kind != "kafka":
        yield f"sqlite:{folder}/log.db"
        return
    kafka = Broker(folder / "kafka")
    kafka.start()
    try:
        yield f"kafka://{kafka.bootstrap}/kills-"
    finally:
        kafka.stop()


async def run(folder: Path, log: str, kills: int, seed: int) -> None:
    """The whole run."""
    await make_topics(log)
    # Longer than it takes: the readers are told to end after the last kill.
    async with open_yard(folder, settings(30.0 + 30.0 * kills), log) as yard:
        proof = await kill_again_and_again(yard, kills, seed, say)
        show(yard, proof, say)


def say(text: str) -> None:
    """Print at once."""
    print(text, flush=True)


def main() -> None:
    """Print the counts; an error is a read or an event that is lost or doubled."""
    logging.disable(logging.WARNING)  # paho publishes before it is connected, and says so
    given = [*sys.argv[1:], *("50", "sqlite", "1")[len(sys.argv) - 1 :]]
    kills, kind, seed = int(given[0]), given[1], int(given[2])
    began = time.monotonic()
    say(
        f"{kills} kills at {len(READERS) * RATE:.0f} reads/s, event log: {kind}, seed {seed}; "
        f"{time.strftime('%H:%M', time.gmtime())} UTC, load average {os.getloadavg()[0]:.1f}"
    )
    with tempfile.TemporaryDirectory() as name, event_log(Path(name), kind) as log:
        asyncio.run(run(Path(name), log, kills, seed))
    say(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
