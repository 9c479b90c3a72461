"""Which way a tag moved through a read point: by the order in which its antennas heard it best.

    entry antennas   ..:|:..                 peaks >= 300 ms apart: forward, the other way round reverse
    exit antennas         ..:|:..            else, or without dBm: unknown

The rule and its 300 ms are ours.
"""

from typing import Final

import msgspec

from schemas.gate import Travel

#: Peaks that are closer than this say nothing.
APART_US: Final = 300_000


class Peak(msgspec.Struct, frozen=True, array_like=True):
    """The strongest read of a side so far; of equal ones the first to come."""

    dbm: float
    at_us: int


class Passage(msgspec.Struct, kw_only=True, array_like=True):
    """The peaks of both sides of a read point."""

    entry: Peak | None = None
    exit: Peak | None = None


def follow(passage: Passage, dbm: float, at_us: int, *, entry: bool) -> None:
    """Add a read of an entry antenna, or else of an exit antenna."""
    peak = passage.entry if entry else passage.exit
    if peak is not None and dbm <= peak.dbm:
        return
    if entry:
        passage.entry = Peak(dbm, at_us)
    else:
        passage.exit = Peak(dbm, at_us)


def travel_of(passage: Passage | None) -> Travel:
    """The way as far as it is known."""
    if passage is None or passage.entry is None or passage.exit is None:
        return "unknown"
    later_us = passage.exit.at_us - passage.entry.at_us
    if abs(later_us) < APART_US:
        return "unknown"
    return "forward" if later_us > 0 else "reverse"
