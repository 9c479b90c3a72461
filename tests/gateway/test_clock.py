"""When a tag was heard, by a reader's own clock."""

import random

import pytest

from gateway.clock import REPLAYED_US, WINDOW_US, ReaderClock, When

S = 1_000_000
NOW = 1_800_000_000 * S


def test_the_smallest_delay_of_the_last_five_minutes_is_the_offset() -> None:
    clock = ReaderClock()
    assert clock.place(NOW, NOW + 80_000) == When(NOW + 80_000, "estimated", 80_000, False)
    assert clock.place(NOW + S, NOW + S + 30_000).offset_us == 30_000
    assert clock.place(NOW + 2 * S, NOW + 2 * S + 90_000).offset_us == 30_000


def test_a_delay_that_is_older_than_five_minutes_is_forgotten() -> None:
    clock = ReaderClock()
    clock.place(NOW, NOW + 10_000)
    late = NOW + WINDOW_US + S
    assert clock.place(late, late + 50_000).offset_us == 50_000


def test_a_reader_that_is_an_hour_fast_is_set_right() -> None:
    clock = ReaderClock()
    placed = clock.place(NOW + 3_600 * S, NOW + 20_000)
    assert placed == When(NOW + 20_000, "estimated", 20_000 - 3_600 * S, False)


def test_a_read_that_was_stored_keeps_its_own_time_and_is_marked() -> None:
    clock = ReaderClock()
    clock.place(NOW, NOW + 40_000)
    old = NOW - 600 * S
    assert clock.place(old, NOW + S) == When(old, "estimated", 0, True)


def test_a_stored_read_does_not_move_the_offset() -> None:
    clock = ReaderClock()
    clock.place(NOW - 600 * S, NOW)
    assert clock.place(NOW, NOW + 40_000).offset_us == 40_000


def test_ten_seconds_late_is_live_and_more_is_replayed() -> None:
    assert not ReaderClock().place(NOW, NOW + REPLAYED_US).replayed
    assert ReaderClock().place(NOW, NOW + REPLAYED_US + 1).replayed


def test_a_stored_read_of_a_fast_reader_is_marked_too() -> None:
    clock = ReaderClock()
    clock.place(NOW + 3_600 * S, NOW)
    placed = clock.place(NOW + 3_000 * S, NOW + S)
    assert placed.replayed
    assert placed.at_us == NOW - 600 * S


def test_a_reader_whose_clock_is_set_right_is_believed_at_once() -> None:
    clock = ReaderClock()
    clock.place(NOW + 3_600 * S, NOW)
    placed = clock.place(NOW + S, NOW + S + 40_000)
    assert placed == When(NOW + S + 40_000, "estimated", 40_000, False)


@pytest.mark.parametrize("reader_at_us", [-(10**15), 0, 946_684_800 * S, 250_000_000_000 * S])
def test_a_reader_whose_clock_was_never_set_has_no_time(reader_at_us: int) -> None:
    assert ReaderClock().place(reader_at_us, NOW) == When(NOW, "received", 0, False)


def test_the_window_is_bounded_and_equals_a_plain_minimum() -> None:
    clock, chance = ReaderClock(), random.Random(7)  # noqa: S311 - repeatable
    seen: list[tuple[int, int]] = []
    for number in range(800):
        at_us = NOW + number * 900_000
        late_us = chance.randrange(1_000, 900_000)
        seen.append((at_us // S, late_us))
        oldest = at_us // S - WINDOW_US // S
        smallest = min(late for second, late in seen if second > oldest)
        assert clock.place(at_us - late_us, at_us).offset_us == smallest
    assert len(clock._smallest) <= WINDOW_US // S + 1
