"""When a tag was heard, by a reader's own clock."""

import random

import pytest

from gateway.clock import REPLAYED_US, WINDOW_US, ReaderClock, Remark, When
from gateway.facts import Ntp

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


# --- a clock that is slow, and a store that is sent again


def spoken(clock: ReaderClock, lag_us: int, seconds: int, start_s: int = 0) -> list[When]:
    """A read a second with this lag; a slow network adds up to 0.9 s."""
    return [
        clock.place(NOW + second * S - lag_us, NOW + second * S + second % 10 * 90_000)
        for second in range(start_s, start_s + seconds)
    ]


def test_a_reader_that_is_steadily_slow_is_replayed_for_half_a_minute_only() -> None:
    clock = ReaderClock()
    placed = spoken(clock, 3_600 * S, 60)
    assert all(when.replayed for when in placed[:30])
    assert not any(when.replayed for when in placed[33:])
    assert placed[40] == When(NOW + 40 * S, "estimated", 3_600 * S, False)
    assert clock.remarks == [Remark("clock_wrong", -3_600 * S)]


def test_what_a_slow_reader_stored_is_still_told_from_what_it_hears() -> None:
    clock = ReaderClock()
    spoken(clock, 3_600 * S, 40)
    old = clock.place(NOW - 3_900 * S, NOW + 41 * S)
    assert old == When(NOW - 300 * S, "estimated", 3_600 * S, True)


@pytest.mark.parametrize("heard_a_second", [1, 50, 230, 450])
def test_150000_stored_reads_sent_at_500_a_second_never_look_like_a_slow_clock(
    heard_a_second: int,
) -> None:
    clock = ReaderClock()
    first_us = NOW - (150_000 // heard_a_second + 60) * S
    for number in range(150_000):
        heard_us = first_us + number * S // heard_a_second
        at_us = NOW + number * S // 500
        placed = clock.place(heard_us, at_us)
        assert placed == When(heard_us, "estimated", 0, at_us - heard_us > REPLAYED_US) or (
            not placed.replayed and at_us - heard_us <= REPLAYED_US
        )
    assert not clock.remarks


def test_a_store_that_is_sent_between_live_reads_is_no_slow_clock_at_any_pace() -> None:
    clock = ReaderClock()
    for second in range(120):
        at_us = NOW + second * S
        assert clock.place(at_us - 600 * S, at_us).replayed
        assert not clock.place(at_us, at_us + 20_000).replayed


def test_a_slow_clock_takes_four_seconds_that_agree_however_far_apart() -> None:
    clock = ReaderClock()
    times = range(0, 120, 20)
    placed = [clock.place(NOW + s * S - 60 * S, NOW + s * S).replayed for s in times]
    assert placed == [True, True, True, True, False, False]


def test_the_older_reads_of_a_batch_do_not_hide_that_a_clock_is_slow() -> None:
    clock = ReaderClock()
    placed = [
        clock.place(NOW + second * S - 60 * S - age_s * S, NOW + second * S)
        for second in range(0, 60, 5)
        for age_s in range(second % 4 * 2, -1, -1)
    ]
    assert not placed[-1].replayed


def test_a_slow_clock_that_was_known_before_a_restart_is_known_at_once() -> None:
    before = ReaderClock()
    spoken(before, 3_600 * S, 40)
    clock = ReaderClock(before.lag_us)
    assert not clock.place(NOW + 50 * S - 3_600 * S, NOW + 50 * S).replayed
    assert clock.remarks == []


def test_a_slow_reader_that_is_set_right_is_right_and_forgets_that_it_was_slow() -> None:
    clock = ReaderClock()
    spoken(clock, 3_600 * S, 40)
    assert clock.place(NOW + 50 * S, NOW + 50 * S).at_us == NOW + 50 * S
    assert clock.lag_us == 0
    assert clock.remarks[-1] == Remark("clock_right", 0)
    assert clock.place(NOW - 3_500 * S, NOW + 51 * S).replayed


# --- heartbeats

GOOD = Ntp(True, -1.5)
MINUTE = 60 * S


def beats(clock: ReaderClock, *lags_s: float, ntp: Ntp | None = GOOD, start: int = 0) -> None:
    """A heartbeat a minute."""
    for number, lag_s in enumerate(lags_s, start):
        at_us = NOW + number * MINUTE
        clock.beat(at_us - round(lag_s * S), at_us, ntp)


def test_the_time_of_a_reader_with_a_time_server_is_taken_as_it_is() -> None:
    clock = ReaderClock()
    beats(clock, 0.02)
    assert clock.place(NOW + S, NOW + 2 * S) == When(NOW + S, "ntp", 0, False)


@pytest.mark.parametrize(
    ("ntp", "source"),
    [
        (Ntp(True, 500.0), "ntp"),
        (Ntp(True, -500.0), "ntp"),
        (Ntp(True, None), "ntp"),
        (Ntp(True, 500.1), "estimated"),
        (Ntp(True, -500.1), "estimated"),
        (Ntp(False, 0.0), "estimated"),
        (None, "estimated"),
    ],
)
def test_a_time_server_counts_if_it_was_reached_and_the_clock_is_off_by_500_ms_at_most(
    ntp: Ntp | None, source: str
) -> None:
    clock = ReaderClock()
    beats(clock, 0.0)
    beats(clock, 0.0, ntp=ntp, start=1)
    assert clock.place(NOW + MINUTE, NOW + MINUTE).source == source


def test_a_heartbeat_counts_for_three_intervals() -> None:
    clock = ReaderClock()
    clock.beat(NOW, NOW, GOOD)
    clock.beat(NOW + 10 * S, NOW + 10 * S, GOOD)
    for after_s, source in ((30, "ntp"), (31, "estimated")):
        at_us = NOW + (10 + after_s) * S
        assert clock.place(at_us, at_us).source == source


def test_a_reader_that_claims_a_time_server_and_is_an_hour_off_is_not_believed() -> None:
    clock = ReaderClock()
    beats(clock, -3_600.0, -3_600.0)
    at_us = NOW + MINUTE + S
    assert clock.place(at_us + 3_600 * S, at_us).source == "estimated"
    assert clock.remarks == [Remark("clock_wrong", 3_600 * S)]
    assert clock.claim_us(at_us) == -3_600 * S


def test_two_heartbeats_that_agree_show_a_slow_clock_at_once() -> None:
    clock = ReaderClock()
    beats(clock, 3_600.0)
    assert clock.place(NOW + S - 3_600 * S, NOW + S).replayed
    beats(clock, 3_600.0, start=1)
    assert not clock.place(NOW + 61 * S - 3_600 * S, NOW + 61 * S).replayed


def test_a_clock_that_was_set_back_before_its_first_heartbeat_is_slow_after_the_second() -> None:
    clock = ReaderClock()
    clock.place(NOW - S, NOW - S)
    beats(clock, 3_600.0, 3_600.0)
    assert not clock.place(NOW + 61 * S - 3_600 * S, NOW + 61 * S).replayed


@pytest.mark.parametrize(("lag_s", "size_s"), [(-3_600.0, 3_600), (-2.1, 2.1)])
def test_a_clock_that_is_set_forward_is_a_step_at_once(lag_s: float, size_s: float) -> None:
    clock = ReaderClock()
    beats(clock, 0.0, 0.0, lag_s)
    assert clock.remarks[0] == Remark("clock_step", round(size_s * S))


def test_a_clock_that_is_set_back_is_a_step_when_the_next_heartbeat_agrees() -> None:
    clock = ReaderClock()
    beats(clock, 0.0, 0.0, 30.0)
    assert clock.remarks == []
    beats(clock, 30.0, start=3)
    assert Remark("clock_step", -30 * S) in clock.remarks
    at_us = NOW + 4 * MINUTE
    assert clock.place(at_us - 30 * S, at_us) == When(at_us, "estimated", 30 * S, False)


def test_offsets_that_differ_by_two_seconds_or_less_are_no_step() -> None:
    clock = ReaderClock()
    beats(clock, 0.0, 2.0, 0.0, -2.0, -4.0)
    assert clock.remarks == []


def test_heartbeats_that_a_broker_kept_are_no_steps_and_no_time_server() -> None:
    clock = ReaderClock()
    beats(clock, 0.0, 0.0)
    at_us = NOW + 10 * MINUTE
    for number in range(2, 10):
        clock.beat(NOW + number * MINUTE, at_us + number, GOOD)
    assert clock.place(at_us, at_us).source == "estimated"
    beats(clock, 0.0, start=10)
    assert clock.remarks == []


def test_frequent_heartbeats_that_a_broker_kept_do_not_confirm_each_other() -> None:
    clock = ReaderClock()
    for second in range(300):
        sent_us = NOW + second * S
        clock.beat(sent_us, max(sent_us, NOW + 200 * S), GOOD)
    assert clock.remarks == []


def test_a_heartbeat_without_a_sane_time_says_nothing() -> None:
    clock = ReaderClock()
    clock.beat(0, NOW, GOOD)
    assert clock.place(NOW, NOW).source == "estimated"


def test_what_is_known_of_a_reader_stays_true_when_the_gateways_clock_jumps() -> None:
    clock = ReaderClock()
    clock.place(NOW + 3_600 * S, NOW)
    beats(clock, -3_600.0, -3_600.0)
    clock.remarks.clear()
    clock.shift(3_600 * S)
    at_us = NOW + 3_700 * S
    assert clock.place(at_us - 20_000, at_us) == When(at_us - 20_000, "estimated", 0, False)
    clock.beat(at_us + S, at_us + S, GOOD)
    assert clock.remarks == [Remark("clock_right", 0)]


def test_a_jump_to_a_wrong_time_makes_no_reader_replay() -> None:
    clock = ReaderClock()
    clock.place(NOW, NOW)
    clock.shift(3_600 * S)
    at_us = NOW + 3_601 * S
    assert clock.place(NOW + S, at_us) == When(at_us, "estimated", 3_600 * S, False)
