"""Command `gatebook replay`: a file of records straight through all stages, without a log."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, BinaryIO, Final, Literal

import orjson
import typer

from schemas.topics import TOPICS
from schemas.wire import decode, to_json
from stream.config import PolicySet
from stream.load import MAX_FINDINGS
from stream.ndjson import MAX_LINE_BYTES, Line, LineError, parse_line
from stream.policy.random_checks import parse_key
from stream.reference import Reference
from stream.shipped import fold_shipped
from stream.stages import STAGES
from stream.straight import Straight, Written
from stream.table import port_table

__all__ = ["app"]

FINDINGS: Final = 1
USAGE: Final = 2

#: What is printed when nobody names topics.
PRINTED: Final = ("arrivals", "border-records", "unmatched", "alerts", "rejected")

#: A line of progress after so many lines.
PROGRESS_LINES: Final = 100_000

#: Lines of a case that only its test reads.
_EXPECT: Final = b'"topic":"expect"'

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="NDJSON of inputs.")],
    to: Annotated[Literal["stages"], typer.Option("--to", help="Where the records go.")] = "stages",
    *,
    topics: Annotated[
        str, typer.Option(metavar="NAME,NAME", help="Topics to print, or all.")
    ] = ",".join(PRINTED),
    random_key_file: Annotated[
        Path | None, typer.Option(help="The key that draws random checks: 64 hex digits.")
    ] = None,
    policy: Annotated[
        PolicySet | None, typer.Option(help="Shipped policies beneath those of the file.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="The summary as JSON.")] = False,
) -> None:
    """Run a file's lines through all stages and print what these write, as NDJSON in order.

    Lines are {"topic":…, "key":…, "at_us":…, "value":{…}}. A file without ticks gets one whenever its
    lines' time has gone on by 10 s. The summary goes to standard error. Exit codes: 0 all lines taken,
    1 some were bad (they are named and left out), 2 usage.
    """
    del to
    wanted = _topics(topics)
    reference = fold_shipped(policy, Reference(port_table(), random_key=_key(random_key_file)))
    straight = Straight(tuple(STAGES.values()), reference)
    try:
        with ExitStack() as open_files:
            ticked = _has_ticks(open_files.enter_context(file.open("rb")))
            lines = open_files.enter_context(file.open("rb"))
            bad = _replay(straight, lines, wanted, ticked=ticked)
    except OSError as error:
        _say(f"{file}: {error.strerror or error}")
        raise typer.Exit(USAGE) from None
    sys.stdout.flush()
    _say(_summary(straight.counts, bad, json=json))
    if bad:
        raise typer.Exit(FINDINGS)


def _replay(straight: Straight, lines: BinaryIO, wanted: frozenset[str], *, ticked: bool) -> int:
    bad = 0
    for line in read_lines(lines):
        if isinstance(line, LineError):
            bad += 1
            if bad <= MAX_FINDINGS:
                _say(str(line))
            continue
        if not ticked:
            _print(straight.pass_time(line.at_us), wanted)
        _print(straight.take(*line), wanted)
        if straight.counts["records"] % PROGRESS_LINES == 0:
            _say(f"{straight.counts['records']} records")
    return bad


def read_lines(lines: BinaryIO) -> Iterator[Line | LineError]:
    """The lines of a file one by one; empty lines and those that only a case's test reads are left out."""
    number = 0
    while text := lines.readline(MAX_LINE_BYTES + 1):
        number += 1
        whole = text.endswith(b"\n") or len(text) <= MAX_LINE_BYTES
        if not text.isspace() and not is_expectation(text):
            yield parse_line(number, text)
        while not whole:
            rest = lines.readline(MAX_LINE_BYTES)
            whole = not rest or rest.endswith(b"\n")


def is_expectation(text: bytes) -> bool:
    """Whether a line of a case says what must come out, rather than what goes in."""
    return _EXPECT in text[:40].replace(b" ", b"")


def _has_ticks(lines: BinaryIO) -> bool:
    return any(isinstance(line, Line) and line.key == "tick" for line in _maybe_ticks(lines))


def _maybe_ticks(lines: BinaryIO) -> Iterator[Line | LineError]:
    while text := lines.readline(MAX_LINE_BYTES + 1):
        if b'"tick"' in text:
            yield parse_line(0, text)


def _print(written: list[Written], wanted: frozenset[str]) -> None:
    for one in written:
        if one.topic in wanted:
            line = to_json(one.topic, one.key, one.at_us, decode(one.topic, one.value))
            sys.stdout.buffer.write(line + b"\n")


def _topics(text: str) -> frozenset[str]:
    known = {name for name, topic in TOPICS.items() if topic.messages}
    if text == "all":
        return frozenset(known)
    names = frozenset(text.split(","))
    if names - known:
        _say(
            f"--topics: no topic {', '.join(sorted(names - known))}; there are {', '.join(sorted(known))}"
        )
        raise typer.Exit(USAGE)
    return names


def _key(file: Path | None) -> bytes | None:
    try:
        return None if file is None else parse_key(file.read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        _say(f"{file}: {getattr(error, 'strerror', None) or 'expected 64 hex digits'}")
        raise typer.Exit(USAGE) from None


def _summary(counts: Counter[str], bad: int, *, json: bool) -> str:
    found = {name.replace("-", "_"): count for name, count in sorted(counts.items())}
    found["bad_lines"] = bad
    if json:
        return orjson.dumps(found).decode()
    return ", ".join(f"{name} {count}" for name, count in found.items())


def _say(text: str) -> None:
    print(text, file=sys.stderr)
