"""Score a day from its files: lines of truth and lines that a replay printed. Pure."""

from collections.abc import Iterable

import msgspec

from simulators.day import truth
from simulators.day.score import Different, Score, score_day, summary, table
from simulators.day.written import Written
from simulators.scoring import ScoreError
from stream.ndjson import LineError, parse_line


def is_day(line: bytes) -> bool:
    """Whether a line of truth is one of a simulated day."""
    return line.startswith(b'{"scene":')


def read_score(scenes: Iterable[bytes], records: Iterable[bytes]) -> Score:
    """Compare; raises `ScoreError` for a line that cannot be read."""
    written = Written()
    for number, text in enumerate(records, start=1):
        line = parse_line(number, text)
        if isinstance(line, LineError):
            raise ScoreError(f"records, {line}")
        written.take(line.topic, line.at_us, line.message)
    return score_day([_scene(at, line) for at, line in enumerate(scenes, start=1)], written)


def report(score: Score) -> list[str]:
    """Each difference with its scene and crossings, then the table of the odd cases."""
    found = [text for one in score.different for text in _different(one)]
    found += [f"of no scene: {one}" for one in score.strays]
    found += score.for_a_while
    return [*found, *table(score)]


def verdict(score: Score) -> str:
    """One line."""
    return summary(score)


def _different(one: Different) -> list[str]:
    head = f"{one.scene.odd} {one.scene.scene} at {one.scene.pair}: crossings {', '.join(one.crossings) or 'none'}"
    return [head, *(f"    {text}" for text in one.what)]


def _scene(number: int, text: bytes) -> truth.Scene:
    try:
        return msgspec.json.decode(text, type=truth.Scene)
    except msgspec.DecodeError as error:
        raise ScoreError(f"truth, line {number}: {error}") from None
