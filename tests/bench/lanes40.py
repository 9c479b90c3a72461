"""Forty lanes at 230 reads/s each on one gateway: `./run bench lanes40 [SECONDS [NEW_EVERY]]`, ten minutes by default.

20 readers on pseudo-terminals, 10 behind TCP ports, 10 on a broker with batches of 50; a tag that was never heard before
after each NEW_EVERY reads, 5 by default. The gateway is pinned to one core, with its outbox signed
and synced and an embedded event log; simulators and broker have the other one. Printed: CPU, memory and how far
behind it is while it runs, at the end whether each read that was sent came out, once.
"""

import asyncio
import logging
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Final, NamedTuple

from tests.gateway.rig import make_topics
from tests.soak.proof import Proof, expected_sum, stored
from tests.soak.yard import Settings, Yard, ended, on_core, open_yard, readers, until

RATE: Final = 230
EACH_S: Final = 10.0
TICKS: Final = os.sysconf("SC_CLK_TCK")
MIB: Final = 1024 * 1024


class Use(NamedTuple):
    """What a process has used."""

    at_s: float
    cpu_s: float
    memory: float


def use(pid: int) -> Use:
    """CPU seconds and resident MiB up to now."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    cpu_s = (int(fields[11]) + int(fields[12])) / TICKS
    return Use(time.monotonic(), cpu_s, pages * os.sysconf("SC_PAGE_SIZE") / MIB)


def ways(yard: Yard) -> dict[str, tuple[int, int, int]]:
    """By way: reads taken, reads lost at the reader, reads that the gateway has decoded."""
    heard, counts = yard.status().get("readers"), yard.counts()
    assert isinstance(heard, dict)
    found = {}
    for way in ("pty", "tcp", "mqtt"):
        names = [reader.name for reader in yard.named(way)]
        found[way] = (
            sum(counts[name].taken for name in names),
            sum(counts[name].lost for name in names),
            sum(heard[name]["reads"] for name in names),
        )
    return found


def show(yard: Yard, pid: int, began: Use, before: Use) -> Use:
    """One line of the run."""
    now, status = use(pid), yard.status()
    share = 100 * (now.cpu_s - before.cpu_s) / (now.at_s - before.at_s)
    behind = " ".join(
        f"{way} {taken - lost - heard:6d}" for way, (taken, lost, heard) in ways(yard).items()
    )
    print(
        f"{now.at_s - began.at_s:6.0f} s | {status['reads']!s:>9} reads | CPU {share:5.1f} % | "
        f"{now.memory:6.1f} MiB | open {status['open_sightings']!s:>6} | "
        f"outbox {status['outbox_depth']!s:>7} | behind: {behind} | lost "
        f"{sum(lost for _, lost, _ in ways(yard).values())}",
        flush=True,
    )
    return now


async def load(yard: Yard, log: str) -> Proof:
    """Run the readers to their end, and the gateway until it has sent all."""
    async with yard.simulators() as process:
        with on_core(1), yard.gateway() as running:
            os.sched_setaffinity(0, {0})
            await yard.listening()
            await yard.start_mqtt()
            began = before = use(running.pid)
            memory = []
            ending = asyncio.create_task(process.wait())
            while not ending.done():
                await asyncio.wait({ending}, timeout=EACH_S)
                before = show(yard, running.pid, began, before)
                memory.append(before.memory)
            await ended(process)
            late = time.monotonic()
            await until(lambda: all_heard(yard), 300, "all messages of the broker")
            await until(lambda: yard.status()["open_sightings"] == 0, 60, "all stays over")
            await until(lambda: yard.status()["outbox_depth"] in {0, 1}, 600, "the outbox empty")
            after = show(yard, running.pid, began, before)
            print(f"all was heard and sent {time.monotonic() - late:.1f} s after the readers' end")
            share = (after.cpu_s - began.cpu_s) / (after.at_s - began.at_s)
            print(
                f"CPU {100 * share:.1f} % of one core on average, memory at most {max(memory):.1f} MiB"
            )
            assert running.terminate() == 0
    proof = Proof(log, yard.public_key, tokens=False)
    await proof.catch_up()
    return proof


def all_heard(yard: Yard) -> bool:
    """Whether what the broker took over has been decoded."""
    taken, lost, heard = ways(yard)["mqtt"]
    return heard >= taken - lost


def account(yard: Yard, proof: Proof) -> bool:
    """Print the balance; whether it closes."""
    proof.finish()
    totals = stored(yard.outbox)
    totals.check()
    counts, whole = yard.counts(), True
    print("way  | readers |    taken | no room |     came | missing | the same reads")
    for way in ("pty", "tcp", "mqtt"):
        rows = yard.named(way)
        taken = sum(counts[row.name].taken for row in rows)
        lost = sum(counts[row.name].lost for row in rows)
        came = sum(proof.lanes[row.name].reads for row in rows)
        same = sum(
            proof.lanes[row.name].sum == expected_sum(yard.load(row), counts[row.name].taken)
            for row in rows
        )
        print(
            f"{way:4} | {len(rows):7} | {taken:8} | {lost:7} | {came:8} | "
            f"{taken - lost - came:7} | {same} of {len(rows)}"
        )
        whole = whole and taken - lost == came
    beat = proof.beat
    assert beat is not None
    print(
        f"gateway: {beat.reads} decoded = {beat.reads_gone} gone + {beat.reads_open} open + "
        f"{beat.reads_duplicate} duplicate + {beat.reads_rejected} rejected; "
        f"{beat.glimpses} glimpses, {beat.overflows} overflows"
    )
    print(
        f"log: {proof.events} events without a gap, {proof.repeated} sent twice, "
        f"{proof.signatures} signatures, chain verified; waiting in the outbox: {totals.waiting}"
    )
    return whole


async def run(folder: Path, seconds: float, new_every: int) -> bool:
    """The whole run; whether every read came."""
    log = f"sqlite:{folder}/log.db"
    await make_topics(log)
    settings = Settings(
        readers(20, 10, 10, new_every=new_every),
        RATE,
        seconds,
        heartbeat_ms=1_000,
        glimpse_ms=1_000,
        lost_ms=5_000,
        quota_mb=256,
    )
    with on_core(0):
        async with open_yard(folder, settings, log) as yard:
            return account(yard, await load(yard, log))


def arguments() -> tuple[float, float]:
    """Seconds, and reads of each tag."""
    given = [float(text) for text in sys.argv[1:3]]
    return (given or [600.0])[0], given[1] if len(given) > 1 else 5.0


def main() -> int:
    """Print the figures; 1 when a read is missing."""
    logging.disable(logging.WARNING)  # paho publishes before it is connected, and says so
    seconds, new_every = arguments()
    with tempfile.TemporaryDirectory() as name:
        began = time.strftime("%H:%M:%S", time.gmtime())
        print(
            f"40 readers, {RATE} reads/s each, a new tag every {new_every:.0f} reads, "
            f"{seconds:.0f} s from {began} UTC; load average {os.getloadavg()[0]:.1f}",
            flush=True,
        )
        return 0 if asyncio.run(run(Path(name), seconds, int(new_every))) else 1


if __name__ == "__main__":
    sys.exit(main())
