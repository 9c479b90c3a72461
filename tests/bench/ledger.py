"""What the ledger stage costs: bytes a person with an open stay, ends of crossings a second.

`./run bench ledger [PERSONS ...]` (default: 10000 500000). For each number of persons, each in a process of its own:
everybody enters once, then a tenth leaves and enters again, then all are past the horizon. Printed are the growth of the
process by each person while the records can still be revised and when only the open stay is left, CPU-bound rates of
the stage (decoding and encoding as a worker does them), and how long a restart takes to read the state back.
"""

import gc
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from schemas.gate import Tick
from schemas.topics import PARTITIONS, partition_of, topic_key
from schemas.wire import encode
from stream.ledger.step import LEDGER
from stream.log.contract import Record
from stream.reference import Reference
from stream.stage import Input, advance, encode_change
from stream.state import KeyedState
from stream.table import port_table
from tests.stream.ledger.desk import DAY, NOON, end

PERSONS = (10_000, 500_000)
CHUNK = 10_000
SECOND = 1_000_000


def records(numbers: Iterable[int], way: str, start_us: int, mark: str) -> list[Record]:
    """One end a person, a tenth of a second apart, as they stand in the topic."""
    found = []
    for number in numbers:
        message = end(
            f"{mark}{number:08d}-6a53-5c1b-9d7e-2f1c4b8a9e10",
            way,
            start_us + number * SECOND // 10,
            person=f"person:{number:012d}",
        )
        key = topic_key(message).encode()
        place = partition_of(key, PARTITIONS)
        found.append(Record("crossings", place, number, key, encode(message), (), 0))
    return found


def run(state: KeyedState, reference: Reference, taken: Iterable[Record]) -> float:
    """CPU seconds of the stage for the records, encoded as a worker encodes what it writes."""
    began = time.process_time()
    for record in taken:
        for step in advance(LEDGER, state, reference, record):
            state.apply(step.changes)
            for change in step.changes:
                encode_change(change)
            for _, message in step.outputs:
                encode(message)
    return time.process_time() - began


def resident() -> int:
    """Bytes of this process in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def measure(persons: int) -> None:
    """Print the figures for so many persons."""
    reference = Reference(port_table())
    state = LEDGER.new_state()
    before = resident()
    seconds = 0.0
    for first in range(0, persons, CHUNK):
        numbers = range(first, min(first + CHUNK, persons))
        seconds += run(state, reference, records(numbers, "MX>US", NOON, "a"))
    recorded = (resident() - before) / persons
    some = range(0, persons, 10)
    back = records(some, "US>MX", NOON + DAY, "b") + records(some, "MX>US", NOON + 2 * DAY, "c")
    later = run(state, reference, back)
    kept = [(key, msgspec.msgpack.encode(row)) for key, row in state.items()]
    restart = restored(kept)
    del kept
    print(
        f"{persons:9,} persons: {recorded:6,.0f} bytes each with a record that can be revised; "
        f"{persons / seconds:7,.0f} first ends/s, {len(back) / later:7,.0f} later ones/s; "
        f"a million records restored in {restart / persons * 1e6:4.1f} s"
    )


def measure_stays(persons: int) -> None:
    """Print what a person costs of whom only the open stay is left."""
    reference = Reference(port_table())
    state, before = LEDGER.new_state(), 0
    tick = Input(0, 0, Tick(partition=0, at_us=NOON + 60 * DAY))
    for first in range(-CHUNK, persons, CHUNK):
        numbers = range(max(first, 0), max(first, 0) + CHUNK)
        passing = LEDGER.new_state()
        run(passing, reference, records(numbers, "MX>US", NOON, "a"))
        passing.apply(LEDGER.step(passing, reference, tick).changes)
        rows = [(key, msgspec.msgpack.encode(row)) for key, row in passing.items()]
        del passing
        if first < 0:
            before = (
                resident()
            )  # what a chunk leaves behind is there before the first one that counts
            continue
        for key, row in rows:
            state.load(key, row)
        del rows
    print(
        f"{persons:9,} persons: {(resident() - before) / persons:6,.0f} bytes each with an open stay"
    )


def restored(rows: list[tuple[str, bytes]]) -> float:
    """CPU seconds that a restart needs for the rows."""
    began = time.process_time()
    state = LEDGER.new_state()
    for key, row in rows:
        state.load(key, row)
    return time.process_time() - began


def main() -> None:
    """Measure each number of persons in a process of its own, so that one's memory is not another's."""
    match sys.argv[1:]:
        case ["records", persons]:
            measure(int(persons))
        case ["stays", persons]:
            measure_stays(int(persons))
        case words:
            for persons in words or map(str, PERSONS):
                for what in ("records", "stays"):
                    subprocess.run([sys.executable, __file__, what, persons], check=True)


if __name__ == "__main__":
    main()
