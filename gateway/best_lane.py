"""Which of several lanes a tag stands in, when their antennas all hear it.

    holder -40 dBm mean ----.                 margin that another lane needs, by how long the holder has
    other  -35 dBm mean  -> 5 dB better       not heard the tag:  6 dB to 0.5 s, then falling, 0 at 1.25 s

Source of the margin: the default mobility profile of EdgeX app-rfid-llrp-inventory (threshold 6 dB, slope
-0.008 dB/ms, held back for 500 ms), there between antennas; ours never falls below 0. Only dBm are compared: the raw
signal bytes of different readers have no common scale.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

#: dBm values that a mean is made of.
WINDOW: Final = 20

#: With fewer values a lane takes nothing over: one reflection decides nothing. Ours.
LEAST: Final = 3

MARGIN_DB: Final = 6.0
SLOPE_DB_PER_MS: Final = -0.008
HELD_BACK_MS: Final = 500


class Voice(msgspec.Struct, kw_only=True, array_like=True):
    """How one read point hears the tag of a stay."""

    point: str
    lane: str
    last_us: int
    #: Reads since the stay began.
    reads: int = 0
    #: The last dBm values, oldest first.
    levels: list[float] = []


def voice_at(voices: list[Voice], point: str, lane: str, last_us: int) -> Voice:
    """The read point's voice, a new one last heard at `last_us` when there is none."""
    for voice in voices:
        if voice.point == point:
            return voice
    voices.append(Voice(point=point, lane=lane, last_us=last_us))
    return voices[-1]


def listen(voice: Voice, rssi_dbm: float | None, reads: int, at_us: int, stale_us: int) -> None:
    """Add what was heard; what is older than `stale_us` by then says nothing any more."""
    if at_us > voice.last_us + stale_us:
        voice.levels.clear()
    voice.reads += reads
    voice.last_us = max(voice.last_us, at_us)
    if rssi_dbm is not None:
        voice.levels.append(rssi_dbm)
        if len(voice.levels) > WINDOW:
            del voice.levels[0]


def margin_db(age_ms: float) -> float:
    """By how many dB another lane must be better when the holder last heard the tag so long ago."""
    return max(0.0, min(MARGIN_DB, MARGIN_DB + SLOPE_DB_PER_MS * (age_ms - HELD_BACK_MS)))


def takes_over(other: Voice, holder: Voice, at_us: int, lost_us: int) -> bool:
    """Whether the other lane, which hears the tag at `at_us`, has it from now on.

    A holder that has been quiet for `lost_us` has lost it, whatever the levels.
    """
    age_us = at_us - holder.last_us
    if age_us > lost_us:
        return True
    if len(other.levels) < LEAST or not holder.levels:
        return False
    return _mean(other) - _mean(holder) > margin_db(age_us / 1_000)


def louder(other: Voice, holder: Voice) -> bool:
    """Whether the other lane hears the tag better; nobody was told of a holder yet, so no margin."""
    return bool(other.levels and holder.levels) and _mean(other) > _mean(holder)


def other_lanes(voices: Iterable[Voice], lane: str) -> tuple[str, ...]:
    """The lanes besides `lane` that heard the tag in this stay."""
    return tuple(sorted({one.lane for one in voices if one.reads and one.lane != lane}))


def is_ambiguous(voices: Iterable[Voice], point: str, lane: str) -> bool:
    """Whether another lane heard the tag and the levels cannot be compared."""
    levels = {one.point: one.levels for one in voices if one.reads}
    others = [one.levels for one in voices if one.reads and one.lane != lane]
    return bool(others) and not (levels.get(point) and all(others))


def carried_over(voices: Iterable[Voice]) -> list[Voice]:
    """The voices at the start of the next stay: the levels remain, the reads are of the stay before."""
    return [msgspec.structs.replace(voice, reads=0, levels=list(voice.levels)) for voice in voices]


def _mean(voice: Voice) -> float:
    return sum(voice.levels) / len(voice.levels)
