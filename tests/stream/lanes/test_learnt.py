"""What is said of the way to the booth, by how many vehicles and how long the queue is."""

from collections.abc import Sequence

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from stream.lanes.learnt import (
    ENOUGH,
    QUARTER_US,
    QUARTERS,
    QUEUES,
    Passages,
    Queue,
    estimate,
    with_times,
)

MINUTE = 60_000_000


def row(
    times: Sequence[Sequence[int]], queues: Sequence[int] | None = None, lane_class: str = "general"
) -> Passages:
    """A quarter for each list of minutes, closed two minutes after its end."""
    found = Passages()
    for quarter, minutes in enumerate(times, start=100):
        queue = Queue(
            at_us=(quarter + 1) * QUARTER_US + 2 * MINUTE,
            vehicles=20 if queues is None else queues[quarter - 100],
        )
        by_class = {lane_class: [one * MINUTE for one in minutes]} if minutes else {}
        found = with_times(found, quarter, by_class, queue)
    return found


def minutes(row: Passages, lane_class: str | None = None, elapsed: int = 0) -> tuple[float, float]:
    """The estimate right after the last quarter was closed."""
    now = row.queues[-1].at_us
    found = estimate(row, lane_class, now - elapsed * MINUTE, now)
    assert found is not None
    return found.p50_us / MINUTE, found.p90_us / MINUTE


def test_half_of_the_vehicles_need_the_p50_and_nine_in_ten_the_p90() -> None:
    p50, p90 = minutes(row([[10] * 11 + [20] * 8 + [30]]))
    assert 9.5 < p50 < 10.5
    assert 19 < p90 < 21


def test_too_few_vehicles_say_nothing() -> None:
    few = row([[10] * (ENOUGH - 1)])
    assert estimate(few, None, few.queues[-1].at_us, few.queues[-1].at_us) is None


def test_a_quiet_quarter_is_eked_out_by_the_ones_before_and_a_busy_one_is_not() -> None:
    assert minutes(row([[10] * 40, [30] * 5]))[0] < 11
    assert minutes(row([[10] * 40, [30] * 25]))[0] > 28


def test_what_is_older_than_two_hours_is_forgotten() -> None:
    old = row([[10] * 40, *([[]] * QUARTERS)])
    assert old.took == ()
    assert len(row([[10]] * 30).took) == QUARTERS
    assert len(row([[10]] * 30).queues) == QUEUES


def test_a_tenth_that_parks_for_hours_does_not_move_the_p50() -> None:
    plain, parked = row([[10] * 40]), row([[10] * 36 + [300] * 4])
    assert minutes(parked)[0] == minutes(plain)[0]


def test_lanes_of_a_class_are_looked_at_alone_and_together_where_the_class_is_not_known() -> None:
    both = with_times(
        Passages(),
        100,
        {"fast": [5 * MINUTE] * 30, "general": [40 * MINUTE] * 70},
        Queue(at_us=101 * QUARTER_US, vehicles=20),
    )
    assert minutes(both, "fast")[0] < 6
    assert minutes(both, "general")[0] > 38
    assert minutes(both)[0] > 38
    assert minutes(both, "fast")[1] < 7 < minutes(both)[1]


def test_a_vehicle_that_is_under_way_for_long_is_compared_with_those_that_took_longer() -> None:
    mixed = row([[10] * 30 + [40] * 10])
    assert minutes(mixed)[0] < 11
    assert minutes(mixed, elapsed=20)[0] > 38


def test_nothing_is_said_of_a_vehicle_that_takes_longer_than_nearly_all() -> None:
    usual = row([[10] * 40])
    now = usual.queues[-1].at_us
    assert estimate(usual, None, now - 60 * MINUTE, now) is None


def test_a_queue_that_has_doubled_since_those_at_the_booth_came_nearly_doubles_the_way() -> None:
    steady = row([[30] * 30] * 4, [100, 100, 100, 100])
    doubled = row([[30] * 30] * 4, [100, 100, 200, 200])
    assert 28 < minutes(steady)[0] < 32
    assert 50 < minutes(doubled)[0] < 62


def test_a_queue_that_grows_is_taken_to_grow_on_and_the_p90_more_than_the_p50() -> None:
    growing = row([[30] * 30] * 4, [40, 60, 80, 100])
    standing = row([[30] * 30] * 4, [100, 100, 100, 100])
    p50, p90 = minutes(growing)
    assert p50 > 1.4 * minutes(standing)[0]
    assert p90 > p50 * 1.15


def test_the_ups_and_downs_of_a_quiet_hour_move_little() -> None:
    p50, _ = minutes(row([[5] * 30] * 4, [4, 6, 4, 6]))
    assert 4 < p50 < 6.5


def test_a_queue_scales_by_three_at_most() -> None:
    assert minutes(row([[30] * 30] * 4, [0, 0, 0, 2_000]))[0] < 92
    assert minutes(row([[30] * 30] * 4, [2_000, 2_000, 2_000, 0]))[0] > 9.5


def test_a_row_has_a_few_hundred_bytes() -> None:
    usual = [[minutes + at for at in range(30)] for minutes in range(8)]
    assert len(msgspec.msgpack.encode(row(usual))) < 700


TIMES = st.lists(st.lists(st.integers(0, 10**12), max_size=60), max_size=10)


@given(
    TIMES,
    st.lists(st.integers(0, 10**6), min_size=10, max_size=10),
    st.integers(0, 10**16),
    st.integers(-(10**9), 10**16),
)
def test_an_estimate_is_never_negative_whatever_was_heard(
    times: list[list[int]], queues: list[int], base_us: int, elapsed_us: int
) -> None:
    found = row(times, queues)
    said = estimate(found, None, base_us, base_us + elapsed_us)
    assert said is None or 0 <= said.p50_us <= said.p90_us
    assert len(msgspec.msgpack.encode(found)) < 8_000
