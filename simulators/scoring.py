"""Compare a file of outputs with a file of truth. Pure."""

from typing import NamedTuple

import msgspec

from simulators.committed import Committed
from simulators.truth import COMPARED, Expected, compare
from simulators.verdict import verdict
from stream.ndjson import LineError, parse_line


class ScoreError(ValueError):
    """A file that cannot be read; the text names the line."""


class Score(NamedTuple):
    """The result."""

    #: Every difference.
    lines: list[str]
    verdict: str


def score_lines(truth: bytes, records: bytes) -> Score:
    """The differences between two NDJSON texts; raises `ScoreError`.

    The ends of crossings are compared only where the outputs have some: a headless demo does not print them.
    """
    expected = [_expected(number, line) for number, line in _numbered(truth)]
    committed = Committed()
    topics = set(COMPARED - {"crossings"})
    for number, text in _numbered(records):
        line = parse_line(number, text)
        if isinstance(line, LineError):
            raise ScoreError(f"records, {line}")
        topics.add(line.topic)
        if line.message is not None:
            committed.take(line.message)
    findings = compare(expected, committed, topics=COMPARED & topics)
    return Score([str(one) for one in findings], verdict(expected, committed, findings, 0))


def _numbered(text: bytes) -> list[tuple[int, bytes]]:
    return [(at, line) for at, line in enumerate(text.splitlines(), start=1) if line.strip()]


def _expected(number: int, text: bytes) -> Expected:
    try:
        return msgspec.json.decode(text, type=Expected)
    except msgspec.DecodeError as error:
        raise ScoreError(f"truth, line {number}: {error}") from None
