"""How many events a second the outbox makes durable and signs: `./run bench outbox`.

Real events of a sighting's size, 10 and 50 a commit, each commit synced to the disk as a running gateway does it, then taken out
as the publisher does it. Beside them: the same without a key, the same without syncing, and what the disk
itself can do, for that is the limit of small commits. Ratios are what another machine does not change.
"""

import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from gateway.batch import Batch, EventRow, Totals
from gateway.outbox_file import Owner
from gateway.outbox_open import open_outbox
from gateway.outbox_room import MIB
from gateway.signing import Signer
from schemas.gate import SightingSeen, event_id
from schemas.wire import encode

SIGNER = Signer.from_seed(bytes(range(32)))
SECONDS = 3.0
PAGE = 4_096


class Rates(NamedTuple):
    """Events a second."""

    stored: float
    taken: float
    #: CPU time of a stored event, microseconds.
    cpu_us: float


def rows(epoch: str, first: int, count: int) -> list[EventRow]:
    """Sightings with other numbers each."""
    found = []
    for seq in range(first, first + count):
        event = SightingSeen(
            event_id=event_id("gw-lar-1", epoch, seq),
            pair="lar-wtb",
            lane="L01",
            read_point="L01-primary",
            position="primary",
            to_booth_s=0,
            direction="MX>US",
            token=f"k1.{seq:032x}",
            scheme="opaque",
            first_us=1_772_460_000_000_000 + seq,
            last_us=1_772_460_000_200_000 + seq,
            at_us=1_772_460_000_200_100 + seq,
            reads=3,
            peak_rssi_dbm=-55.5,
            antennas=(1,),
            clock_source="received",
        )
        found.append(EventRow(seq, event.at_us, encode(event)))
    return found


def measure(folder: Path, commit: int, signer: Signer | None, *, sync: bool = True) -> Rates:
    """Store for some seconds, then take everything out in batches of 500."""
    path = folder / "outbox.db"
    for old in folder.iterdir():
        old.unlink()
    with open_outbox(path, Owner("gw-lar-1", "lar-wtb", signer), 1024 * MIB) as file:
        if not sync:
            file._db.execute("PRAGMA synchronous=OFF")
        epoch, seq, totals = file.load().epoch, 1, msgspec.msgpack.encode(Totals())
        spent = cpu = 0.0
        while spent < SECONDS:
            # Made outside of the measured time: encoding is the intake's work.
            batches = [
                Batch(rows(epoch, seq + n * commit, commit), {}, [], [], totals, {})
                for n in range(200)
            ]
            start, start_cpu = time.perf_counter(), time.process_time()
            for batch in batches:
                file.store(batch)
            spent += time.perf_counter() - start
            cpu += time.process_time() - start_cpu
            seq += 200 * commit
        start = time.perf_counter()
        while found := file.head(500):
            file.unsound(found)
            file.remove(found[-1].seq)
        taken = time.perf_counter() - start
    stored = seq - 1
    return Rates(stored / spent, stored / taken, 1e6 * cpu / stored)


def syncs(folder: Path, size: int) -> float:
    """How often a second the disk takes `size` bytes behind each other, each time synced."""
    with (folder / "raw").open("wb", buffering=0) as file:
        os.posix_fallocate(file.fileno(), 0, 64 * MIB)
        start, count = time.perf_counter(), 0
        while time.perf_counter() - start < 1:
            os.pwrite(file.fileno(), b"x" * size, (count * size) % (32 * MIB))
            os.fdatasync(file.fileno())
            count += 1
        return count / (time.perf_counter() - start)


def bare(folder: Path, commit: int) -> float:
    """Events a second of SQLite alone: the same rows into one table, WAL and FULL, nothing else."""
    db = sqlite3.connect(folder / "bare.db", isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("CREATE TABLE events (seq INTEGER PRIMARY KEY, at_us INTEGER, value BLOB)")
    seq, spent = 1, 0.0
    while spent < SECONDS / 2:
        many: Sequence[list[EventRow]] = [rows("e", seq + n * commit, commit) for n in range(200)]
        start = time.perf_counter()
        for batch in many:
            db.execute("BEGIN IMMEDIATE")
            db.executemany("INSERT INTO events VALUES (?, ?, ?)", batch)
            db.execute("COMMIT")
        spent += time.perf_counter() - start
        seq += 200 * commit
    db.close()
    return (seq - 1) / spent


def main() -> None:
    """Print the figures."""
    place = sys.argv[1] if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory(dir=place) as name:
        folder = Path(name)
        size = len(rows("e" * 16, 1, 1)[0].value)
        print(
            f"events of {size} bytes in {name}; the disk syncs {syncs(folder, PAGE):,.0f} writes a second"
        )
        print(
            "a commit |    signed | unsigned | ratio | not synced | SQLite alone | signed CPU | taken out"
        )
        for commit in (1, 10, 50, 500):
            alone = bare(folder, commit)
            plain = measure(folder, commit, None)
            quick = measure(folder, commit, SIGNER, sync=False)
            signed = measure(folder, commit, SIGNER)
            print(
                f"{commit:>8} | {signed.stored:>7,.0f}/s | {plain.stored:>6,.0f}/s | "
                f"{signed.stored / plain.stored:>5.2f} | {quick.stored:>8,.0f}/s | {alone:>10,.0f}/s | "
                f"{signed.cpu_us:>7.1f} us | {signed.taken:>7,.0f}/s"
            )


if __name__ == "__main__":
    main()
