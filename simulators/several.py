"""Several simulated readers in one process, from a TOML file; each as `gatebook simulate reader` runs it.

[[reader]]
name = "booth-1"
kind = "mercury"                 # `gatebook simulate kinds` lists them
on = "pty:/tmp/booth-1"
rate = 230                       # left out: its `tags` stay in its field
for_s = 600
"""

import asyncio
import tomllib
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from simulators.alone import AloneSettings, ReaderError, place_of, run_reader
from simulators.load import Load

#: Readers of one file; a process has one core.
MAX_READERS: Final = 500

_Rate = Annotated[float, msgspec.Meta(ge=0.1, le=5_000)]


class ReaderRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[reader]]`; without `rate` the tags stay, with it they are read by turns, and counted."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    kind: str
    on: str
    tags: tuple[str, ...] = ()
    antenna: Annotated[int, msgspec.Meta(ge=1, le=16)] = 1
    traps: tuple[str, ...] = ()
    rate: _Rate | None = None
    for_s: Annotated[float, msgspec.Meta(ge=0.1)] | None = None
    new_every: Annotated[int, msgspec.Meta(ge=1)] = 1
    #: Left out: its place in the file, so that no two readers have the same tags.
    seed: int | None = None
    batch: Annotated[int, msgspec.Meta(ge=0, le=500)] = 0
    stopped: bool = False


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    reader: Annotated[tuple[ReaderRow, ...], msgspec.Meta(min_length=1, max_length=MAX_READERS)]


def read_rows(text: str) -> tuple[ReaderRow, ...]:
    """The readers of a file; raises `ReaderError`."""
    try:
        rows = msgspec.convert(tomllib.loads(text), _File).reader
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ReaderError(f"not a file of readers: {error}") from error
    if len({row.name for row in rows}) < len(rows):
        raise ReaderError("two readers have the same name")
    return rows


def run_readers(
    rows: tuple[ReaderRow, ...], counts: Path | None = None
) -> Coroutine[Any, Any, None]:
    """What runs them all until cancelled, or their loads are sent; raises `ReaderError`.

    `counts`: a folder, with a count file `NAME.json` for each that has a rate.
    """
    works: list[Coroutine[Any, Any, None]] = []
    try:
        for number, row in enumerate(rows):
            works.append(run_reader(row.kind, place_of(row.on), settings_of(row, number, counts)))
    except ReaderError:
        for work in works:
            work.close()
        raise
    return _all(works)


def settings_of(row: ReaderRow, number: int, counts: Path | None) -> AloneSettings:
    """A row as its reader takes it."""
    load = None
    if row.rate is not None:
        total = None if row.for_s is None else round(row.rate * row.for_s)
        seed = number if row.seed is None else row.seed
        load = Load(rate=row.rate, total=total, seed=seed, new_every=row.new_every)
    return AloneSettings(
        name=row.name,
        tags=row.tags,
        antenna=row.antenna,
        traps=frozenset(row.traps),
        load=load,
        batch=row.batch,
        stopped=row.stopped,
        count_file=None if counts is None or load is None else counts / f"{row.name}.json",
    )


async def _all(works: list[Coroutine[Any, Any, None]]) -> None:
    async with asyncio.TaskGroup() as group:
        for work in works:
            group.create_task(work)
