"""Times in bins: how far a quantile that is read from them can be off."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.lanes.spread import BOUNDS, MIDDLES, added, counted, longer_than, quantile_us, total

TIMES = st.lists(st.integers(1_000_000, BOUNDS[-1] - 1), min_size=1, max_size=200)


def nearest_rank(times: list[int], per_cent: int) -> int:
    return sorted(times)[max(1, -(-len(times) * per_cent // 100)) - 1]


@given(TIMES, st.integers(1, 100))
def test_a_quantile_is_within_four_and_a_half_per_cent_of_that_of_all_times(
    times: list[int], per_cent: int
) -> None:
    exact = nearest_rank(times, per_cent)
    found = quantile_us(added((counted(times),)), per_cent)
    assert abs(found - exact) <= exact * 0.0455


@given(TIMES, TIMES)
def test_counts_of_two_sets_added_are_those_of_both(one: list[int], two: list[int]) -> None:
    assert added((counted(one), counted(two))) == added((counted([*one, *two]),))
    assert total(added((counted(one), counted(two)))) == len(one) + len(two)


@given(TIMES)
def test_the_order_of_times_does_not_matter(times: list[int]) -> None:
    assert counted(times) == counted(sorted(times))


def test_what_is_shorter_than_a_second_or_longer_than_twelve_hours_has_a_bin_too() -> None:
    assert quantile_us(added((counted([0, 0, 999_999]),)), 50) == 500_000
    assert quantile_us(added((counted([10**15]),)), 50) == BOUNDS[-1] == MIDDLES[-1]


def test_a_count_stops_at_255_and_a_row_stays_small() -> None:
    assert total(added((counted([5_000_000] * 1_000),))) == 255
    everything = counted([bound for bound in BOUNDS for _ in range(300)])
    assert len(everything) <= 2 * len(MIDDLES) <= 260


def test_a_bin_that_is_none_is_left_out() -> None:
    assert added((bytes((255, 3, 4)),)) == []


def test_only_longer_times_are_kept() -> None:
    bins = added((counted([10_000_000, 100_000_000, 1_000_000_000]),))
    assert total(longer_than(bins, 50_000_000)) == 2
    assert longer_than(bins, 2_000_000_000) == []


def test_nothing_has_no_quantile() -> None:
    with pytest.raises(ValueError, match="nothing was counted"):
        quantile_us([], 50)
