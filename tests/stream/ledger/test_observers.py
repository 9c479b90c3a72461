"""What a third country sees: nothing small, nothing that gives a small one away, nothing of its own border."""

from collections import defaultdict
from datetime import date
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.message import Country
from stream.ledger.observers import OUTCOMES, Ended, Shown, hidden, observed
from tests.stream.ledger.telling import AT, PORTS

DAY = date(2026, 3, 2)
HOUR_US = 3_600_000_000
#: 2026-03-02 00:00 at Houlton, which is UTC-5.
MIDNIGHT = AT - 9 * HOUR_US


def entries(number: int, hour: int = 9, **changes: object) -> list[Ended]:
    usual = Ended("hou-woo", "CA", "US", MIDNIGHT + hour * HOUR_US, "entered")
    return [usual._replace(**changes)] * number  # type: ignore[arg-type]


def test_counts_are_by_pair_direction_day_and_hour_of_the_office_that_is_entered() -> None:
    ended: list[Ended] = []
    for hour in range(24):
        ended += entries(10 + hour, hour)
    ended += entries(99, 25) + entries(99, -1)
    north, south = (one for one in observed(ended, PORTS, "MX", DAY) if one.pair == "hou-woo")
    assert (north.direction, south.direction) == ("CA>US", "US>CA")
    assert north.hours == tuple(10 + hour for hour in range(24))
    assert north.entered == sum(range(10, 34))
    assert (north.zone, south.zone) == ("America/New_York", "America/Moncton")
    assert (south.entered, set(south.hours)) == (None, {None})


def test_small_hours_are_hidden_with_the_first_other_one() -> None:
    found = hidden([50, 40, 3, 30], 10)
    assert found == Shown(123, (None, 40, None, 30))


def test_a_day_whose_hidden_hours_would_be_known_is_hidden_whole() -> None:
    assert hidden([10, 40, 0, 0], 10) == Shown(None, (None,) * 4)
    assert hidden([0, 0, 0, 0], 10) == Shown(None, (None,) * 4)
    assert hidden([5, 5, 0, 0], 10) == Shown(None, (None,) * 4)


def test_outcomes_are_hidden_one_by_one() -> None:
    ended = entries(10, outcome="refused") + entries(9, outcome="u_turn")
    (north, _) = observed(ended, PORTS, "MX", DAY)
    assert {one: count for one, count in north.outcomes.items() if count is not None} == {
        "refused": 10
    }
    assert set(north.outcomes) == set(OUTCOMES)


@pytest.mark.parametrize("k", [1, 0, -3])
def test_a_k_that_hides_nothing_is_a_wrong_call(k: int) -> None:
    with pytest.raises(ValueError, match="at least 2"):
        observed([], PORTS, "MX", DAY, k)


@pytest.mark.parametrize(
    ("country", "pairs"), [("MX", {"hou-woo"}), ("CA", {"lar-wtb"}), ("US", set())]
)
def test_a_country_sees_only_borders_that_are_not_its_own(country: str, pairs: set[str]) -> None:
    ways: list[tuple[Country, Country]] = [("US", "CA"), ("CA", "US"), ("US", "MX"), ("MX", "US")]
    ended = [
        Ended(pair, left, entered, AT, "entered")
        for pair in ("hou-woo", "lar-wtb")
        for left, entered in ways
    ] * 50  # also countries that are not those of the pair
    found = observed(ended, PORTS, country, DAY)
    assert {one.pair for one in found} == pairs


def test_a_time_without_a_date_is_left_out() -> None:
    ended = entries(50, at_us=253_402_300_799_999_999)
    assert observed(ended, PORTS, "MX", DAY)[0].entered is None


@pytest.mark.parametrize(("k", "cells", "most"), [(2, 3, 6), (2, 4, 4), (3, 3, 8), (3, 4, 5)])
def test_who_knows_the_rule_cannot_reckon_a_hidden_cell(k: int, cells: int, most: int) -> None:
    """All days there can be: those that look the same differ in every cell that is hidden."""
    seen: defaultdict[Shown, list[tuple[int, ...]]] = defaultdict(list)
    for day in product(range(most + 1), repeat=cells):
        seen[hidden(day, k)].append(day)
    for shown, days in seen.items():
        # Days at the edge of what is tried here have their doubles beyond it.
        if shown.total is not None and any(max(day) == most for day in days):
            continue
        for at, cell in enumerate(shown.cells):
            values = {day[at] for day in days}
            assert len(values) > 1 if cell is None else values == {cell}, (shown, days)
        if shown.total is None:
            assert len({sum(day) for day in days}) > 1


@settings(max_examples=500)
@given(st.lists(st.integers(0, 40), min_size=24, max_size=24), st.integers(2, 12))
def test_nothing_below_k_is_shown_and_what_is_hidden_adds_up_to_more_than_k(
    cells: list[int], k: int
) -> None:
    shown = hidden(cells, k)
    visible = [cell for cell in shown.cells if cell is not None]
    assert all(cell >= k for cell in visible)
    assert all(cell in (None, true) for cell, true in zip(shown.cells, cells, strict=True))
    gone = len(cells) - len(visible)
    if shown.total is None:
        assert gone == len(cells)
    else:
        assert shown.total == sum(cells)
        assert gone == 0 or (gone >= 2 and shown.total - sum(visible) > k)


@settings(max_examples=500)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([("hou-woo", "CA"), ("lar-wtb", "MX"), ("xxx-yyy", "CA")]),
            st.booleans(),
            st.integers(0, 47),
            st.sampled_from(["entered", "entered", *OUTCOMES]),
            st.integers(1, 15),
        ),
        max_size=12,
    ),
    st.integers(2, 12),
)
def test_no_shown_number_is_below_k(
    groups: list[tuple[tuple[str, str], bool, int, str, int]], k: int
) -> None:
    ended: list[Ended] = []
    for (pair, other), north, hour, outcome, number in groups:
        left, entered = (other, "US") if north else ("US", other)
        ended += [Ended(pair, left, entered, MIDNIGHT + hour * HOUR_US, outcome)] * number
    for one in observed(ended, PORTS, "MX", DAY, k):
        numbers = [one.entered, *one.hours, *one.outcomes.values()]
        assert all(number is None or number >= k for number in numbers)
        assert "MX" not in one.direction
