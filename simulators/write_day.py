"""Writes a simulated day and its truth into a folder."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from simulators.day.build import Settings, build_day, rates_of, truth_lines
from simulators.day.odd import ODD
from simulators.day.told import TOLD
from stream.table import port_table

#: 2026-03-02 06:00 UTC: midnight in Laredo. A day is the same whenever it is made.
START_US: Final = 1_772_431_200_000_000

_HOUR_US: Final = 3_600_000_000


def list_odd() -> list[str]:
    """The odd cases, by the line of docs/simulators.md that each is of."""
    every = sorted((ODD[name] for name in TOLD), key=lambda one: (one.number, one.name))
    return [f"{one.number:3} {one.name:24} {one.what}" for one in every]


def write_day(folder: Path, scenes: int, hours: float, seed: int, odd: Sequence[str]) -> str:
    """Write both files; says what was written. Raises `RateError`."""
    settings = Settings(
        start_us=START_US, scenes=scenes, rates=rates_of(odd), for_us=round(hours * _HOUR_US)
    )
    day = build_day(settings, random.Random(seed), port_table())  # noqa: S311 - no secret
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "day.ndjson").open("wb") as file:
        file.writelines(day.recording)
    (folder / "truth.ndjson").write_bytes(truth_lines(day))
    passages = sum(len(one.crossings) for one in day.truth)
    return f"{folder}: {scenes} scenes with {passages} passages, {len(day.recording)} records"
