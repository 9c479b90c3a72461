"""The way of a tag through a read point, by its entry and exit antennas."""

import msgspec
import pytest

from gateway.tracker import Stay, Tracker
from gateway.travel import Passage, Peak, travel_of
from tests.gateway.test_best_lane import EVENTS, gone_of
from tests.gateway.test_tracker import MS, NOW, POINT, read, restored

GATE = msgspec.structs.replace(POINT, entry=(1,), exit=(3, 4))


def passed(*heard: tuple[int, float | None, int]) -> Tracker:
    """A tag heard by antenna, dBm and milliseconds."""
    tracker = Tracker()
    for antenna, dbm, at_ms in heard:
        tracker.hear(GATE, read(NOW + at_ms * MS, antenna=antenna, rssi_dbm=dbm))
    return tracker


def only(tracker: Tracker) -> Stay:
    (stay,) = tracker.stays()
    return stay


@pytest.mark.parametrize(
    ("entry_us", "exit_us", "travel"),
    [
        (0, 300_000, "forward"),
        (300_000, 0, "reverse"),
        (0, 299_999, "unknown"),
        (299_999, 0, "unknown"),
        (0, 0, "unknown"),
        (None, 0, "unknown"),
        (0, None, "unknown"),
    ],
)
def test_peaks_300_ms_apart_tell_the_way(
    entry_us: int | None, exit_us: int | None, travel: str
) -> None:
    entry, leave = (None if at is None else Peak(-50.0, at) for at in (entry_us, exit_us))
    assert travel_of(Passage(entry=entry, exit=leave)) == travel


def test_the_strongest_read_of_each_side_counts_not_the_first() -> None:
    stay = only(passed((3, -80.0, 0), (1, -45.0, 400), (1, -70.0, 900), (4, -50.0, 1_000)))
    assert gone_of(stay).travel == "forward"


def test_a_tag_that_rolls_back_is_reverse_and_seen_did_not_know_it_yet() -> None:
    tracker = passed((3, -50.0, 0), (3, -60.0, 100), (3, -70.0, 150))
    stay = only(tracker)
    assert EVENTS.seen("gw.e.1", stay, NOW).travel == "unknown"
    tracker.hear(GATE, read(NOW + 600 * MS, antenna=1, rssi_dbm=-50.0))
    assert gone_of(stay).travel == "reverse"


@pytest.mark.parametrize("dbm", [None, -50.0])
def test_without_dbm_or_without_both_sides_the_way_is_unknown(dbm: float | None) -> None:
    antenna = 3 if dbm is None else 2
    assert gone_of(only(passed((1, -50.0, 0), (antenna, dbm, 900)))).travel == "unknown"


def test_equal_reads_of_a_tag_that_stands_leave_the_peak_where_it_was_first() -> None:
    stay = only(passed((1, -50.0, 0), (3, -50.0, 400), (1, -50.0, 900)))
    assert gone_of(stay).travel == "forward"


def test_the_way_is_remembered_over_a_restart() -> None:
    tracker = restored(passed((1, -50.0, 0)), NOW)
    tracker.hear(GATE, read(NOW + 500 * MS, antenna=4, rssi_dbm=-50.0))
    assert gone_of(only(tracker)).travel == "forward"
