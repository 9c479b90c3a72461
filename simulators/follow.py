"""Read a world file as it grows, and keep its time."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from simulators.world_file import EndLine, WorldLine, parse_world_line

#: How often a file that has nothing new is looked at again.
LOOK_S: Final = 0.1
#: Longest line; bounds what is held of a file that is none of ours.
MAX_LINE: Final = 1 << 20


def now_us() -> int:
    """The clock of the simulated world: microseconds UTC."""
    return time.time_ns() // 1_000


async def until(at_us: int) -> None:
    """Wait until the time has come; returns at once when it has passed."""
    await asyncio.sleep(max(0, at_us - now_us()) / 1e6)


async def follow(path: Path) -> AsyncIterator[WorldLine]:
    """Every line up to the end line, as they come. Raises `WorldFileError`, `OSError`."""
    number = 0
    rest = b""
    with path.open("rb") as file:
        while True:
            piece = file.read(MAX_LINE)
            if not piece:
                await asyncio.sleep(LOOK_S)
                continue
            *lines, rest = (rest + piece).split(b"\n")
            for text in lines:
                number += 1
                line = parse_world_line(number, text)
                if isinstance(line, EndLine):
                    return
                yield line
            if len(rest) > MAX_LINE:
                parse_world_line(number + 1, rest)
