"""How fast `gatebook replay` is over a recording: gate events a second through all stages on one core.

`./run bench replay FILE [--profile]`. FILE is NDJSON, such as a day of the simulated border. Lines are read first, so
that JSON is not measured; then they go through the stages as the command does it. Printed is what an event costs by
its kind; with `--profile` also the functions that take the most time (under a profiler, so slower).
"""

import cProfile
import pstats
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

from schemas.gate import Sighting
from schemas.topics import TOPICS, partition_of
from schemas.wire import encode
from stream.ndjson import Line
from stream.reference import Reference
from stream.replay_cli import read_lines
from stream.stages import STAGES
from stream.straight import Straight
from stream.table import port_table

FUNCTIONS = 40


def kind_of(line: Line) -> str:
    """What a line tells, and where."""
    if line.message is None:
        return f"{line.topic} deleted"
    name = str(line.message.__struct_config__.tag)
    return f"{name} {line.message.position}" if isinstance(line.message, Sighting) else name


def lines_of(path: Path) -> list[Line]:
    """The good lines of the file."""
    with path.open("rb") as file:
        return [line for line in read_lines(file) if isinstance(line, Line)]


def replayed(lines: list[Line]) -> tuple[Counter[str], dict[str, float], Counter[str]]:
    """Counts of what was written, CPU seconds by kind, and how many there were of each."""
    straight = Straight(tuple(STAGES.values()), Reference(port_table()))
    ticked = any(line.key == "tick" for line in lines)
    spent: defaultdict[str, float] = defaultdict(float)
    seen: Counter[str] = Counter()
    taken = [
        (
            line,
            kind_of(line),
            None if line.message is None else encode(line.message),
            getattr(line.message, "partition", None),
        )
        for line in lines
    ]
    for line, kind, value, partition in taken:
        began = time.process_time()
        if not ticked:
            straight.pass_time(line.at_us)
        if partition is None:
            partition = partition_of(line.key.encode(), TOPICS[line.topic].partitions)  # noqa: PLW2901
        straight.take_raw(line.topic, partition, line.key, line.at_us, value)
        spent[kind] += time.process_time() - began
        seen[kind] += 1
    return straight.counts, spent, seen


def main() -> None:
    """Print the figures."""
    if len(sys.argv) < 2:
        print("usage: ./run bench replay FILE [--profile]", file=sys.stderr)
        raise SystemExit(2)
    lines = lines_of(Path(sys.argv[1]))
    profile = cProfile.Profile() if "--profile" in sys.argv else None
    if profile is not None:
        profile.enable()
    counts, spent, seen = replayed(lines)
    if profile is not None:
        profile.disable()
    whole = sum(spent.values())
    events = sum(line.topic == "gate-events" for line in lines)
    print(f"{len(lines)} lines, {events} gate events, {sum(counts.values())} records in and out")
    print(f"all stages                {events / whole:10,.0f} gate events/s")
    for kind in sorted(spent, key=lambda one: -spent[one]):
        print(
            f"{kind:28} {spent[kind] / seen[kind] * 1e6:8.0f} µs"
            f" {spent[kind] / whole:7.1%} {seen[kind]:8}"
        )
    if profile is not None:
        pstats.Stats(profile).sort_stats("tottime").print_stats(FUNCTIONS)


if __name__ == "__main__":
    main()
