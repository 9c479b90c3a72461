"""The way of vehicles past a pair of inputs."""

import pytest

from gateway.gpi import KEPT, LONGEST_US, NEAR_US, QUIET_US, PinPair

S = 1_000_000
NOW = 1_800_000_000 * S
END = NOW + 10_000 * S


def pair(*changes: tuple[int, int, float]) -> PinPair:
    """Pins 1 and 2, with changes (pin, level, seconds)."""
    pins = PinPair(1, 2)
    for pin, level, at_s in changes:
        pins.take(pin, bool(level), NOW + round(at_s * S))
    return pins


FORWARD = ((1, 1, 0), (2, 1, 1), (1, 0, 2), (2, 0, 3))
REVERSE = ((2, 1, 0), (1, 1, 1), (2, 0, 2), (1, 0, 3))


@pytest.mark.parametrize("active", [0, 1])
def test_the_pin_that_changes_first_tells_the_way_whichever_level_means_a_vehicle(
    active: int,
) -> None:
    for changes, travel in ((FORWARD, "forward"), (REVERSE, "reverse")):
        flipped = [(pin, level ^ active, at_s) for pin, level, at_s in changes]
        assert pair(*flipped).between(NOW, END) == travel


def test_a_vehicle_shorter_than_the_pins_are_apart_is_told_too() -> None:
    assert pair((1, 1, 0), (1, 0, 1), (2, 1, 5), (2, 0, 6)).between(NOW, END) == "forward"


def test_a_vehicle_that_stops_on_the_first_pin_still_goes_forward() -> None:
    stopped = pair((1, 1, 0), (2, 1, 120), (1, 0, 121), (2, 0, 122))
    assert stopped.between(NOW, END) == "forward"


def test_the_same_level_again_is_no_change_and_other_pins_do_not_count() -> None:
    assert pair((1, 1, 0), (1, 1, 1), (3, 1, 2), (2, 1, 3)).between(NOW, END) == "forward"
    assert pair((1, 1, 0), (1, 1, 1), (3, 1, 2)).between(NOW, END) == "unknown"


def test_one_vehicle_after_the_other_each_has_its_own_way() -> None:
    back = [(pin, level, at_s + 10) for pin, level, at_s in REVERSE]
    pins = pair(*FORWARD, *back)
    assert pins.between(NOW, NOW + 3 * S) == "forward"
    assert pins.between(NOW + 10 * S, NOW + 13 * S) == "reverse"
    assert pins.between(NOW, NOW + 13 * S) == "unknown"


def test_a_pin_that_nothing_follows_is_forgotten() -> None:
    quiet_s = QUIET_US / S + 1
    turned = pair((1, 1, 0), (1, 0, 1), (2, 1, 1 + quiet_s), (1, 1, 2 + quiet_s))
    assert turned.between(NOW, END) == "reverse"


def test_a_pin_whose_change_back_was_lost_does_not_begin_the_next_passage() -> None:
    late = LONGEST_US / S + 1
    later = [(pin, level, at_s + late) for pin, level, at_s in REVERSE]
    assert pair((1, 1, 0), *later).between(NOW + 600 * S, END) == "reverse"


def test_a_passage_counts_for_a_tag_that_was_heard_near_it() -> None:
    pins = pair(*FORWARD)
    past_us = NOW + S
    assert pins.between(past_us + NEAR_US, END) == "forward"
    assert pins.between(past_us + NEAR_US + 1, END) == "unknown"
    assert pins.between(NOW - S, past_us - NEAR_US) == "forward"
    assert pins.between(NOW - S, past_us - NEAR_US - 1) == "unknown"


def test_what_is_remembered_is_bounded() -> None:
    pins = PinPair(1, 2)
    for number in range(3 * KEPT):
        for pin, level, at_s in FORWARD:
            pins.take(pin, bool(level), NOW + (5 * number + at_s) * S)
    assert pins.between(NOW, NOW + 5 * S) == "unknown"
    assert pins.between(NOW, END) == "forward"
