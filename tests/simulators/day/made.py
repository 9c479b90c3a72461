"""A small simulated day with every odd case, and what the stages make of it: run once for all tests."""

import random
from functools import cache
from typing import NamedTuple

from schemas.message import Message
from schemas.wire import decode
from simulators.day.build import Day, Settings, build_day, rates_of
from simulators.day.score import Score, score_day
from simulators.day.written import Written
from stream.ndjson import Line, parse_line
from stream.reference import Reference
from stream.stages import STAGES
from stream.straight import Straight
from stream.table import port_table

HOUR = 3_600_000_000
#: 2026-03-02 14:00 UTC; any moment would do.
NOON = 1_772_460_000_000_000


class Output(NamedTuple):
    """Something that a stage wrote, and when."""

    topic: str
    at_us: int
    message: Message


def a_day(seed: int = 3, *, scenes: int = 90, odd: str = "all=0.01") -> Day:
    settings = Settings(start_us=NOON, scenes=scenes, rates=rates_of([odd]), for_us=3 * HOUR)
    return build_day(settings, random.Random(seed), port_table())  # noqa: S311 - no secret


@cache
def small_day() -> Day:
    return a_day()


@cache
def outputs() -> tuple[Output, ...]:
    """All that the stages write for the small day."""
    straight = Straight(tuple(STAGES.values()), Reference(port_table()))
    found: list[Output] = []
    for number, text in enumerate(small_day().recording, 1):
        line = parse_line(number, text)
        assert isinstance(line, Line), line
        written = (*straight.pass_time(line.at_us), *straight.take(*line))
        found += [Output(one.topic, one.at_us, decode(one.topic, one.value)) for one in written]
    return tuple(found)


def scored(changed: tuple[Output, ...] | list[Output]) -> Score:
    """The small day's truth against these outputs."""
    written = Written()
    for one in changed:
        written.take(*one)
    return score_day(small_day().truth, written)
