"""A day follows from its seed alone, and holds as many of each odd case as its rates say."""

from collections import Counter, defaultdict

import pytest

from schemas.gate import split_event_id
from simulators.day.build import RateError, rates_of
from simulators.day.odd import ODD
from simulators.day.told import TOLD
from stream.ndjson import Line, parse_line
from tests.simulators.day.made import a_day, small_day


def test_the_same_seed_gives_the_same_bytes_and_another_one_other_bytes() -> None:
    assert a_day(5, scenes=70) == a_day(5, scenes=70)
    assert a_day(5, scenes=70).recording != a_day(6, scenes=70).recording


def test_a_rate_is_a_share_of_all_scenes_and_never_none() -> None:
    day = a_day(1, scenes=400, odd="refused=0.05")
    assert Counter(one.odd for one in day.truth) == {"refused": 20, "plain": 380}
    assert Counter(one.odd for one in a_day(1, scenes=90, odd="lost=0.001").truth)["lost"] == 1


def test_later_rates_win_and_all_names_every_odd_case() -> None:
    rates = rates_of(["all=0.01", "gap=0"])
    assert set(rates) == set(TOLD)
    assert rates["gap"] == 0
    assert rates["lost"] == 0.01


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("nonsense=0.1", "no odd case"),
        ("gap", "not NAME=RATE"),
        ("gap=x", "not NAME=RATE"),
        ("gap=2", "between 0 and 1"),
        ("gap=nan", "between 0 and 1"),
        ("all=0.5", "more than 1"),
    ],
)
def test_a_wrong_rate_is_refused_by_name(text: str, why: str) -> None:
    with pytest.raises(RateError, match=why):
        rates_of([text])


def test_every_one_of_the_28_edge_cases_has_an_odd_case() -> None:
    assert {one.number for one in ODD.values()} == set(range(1, 29))


def test_every_line_of_a_day_can_be_read_and_stands_in_the_order_of_its_time() -> None:
    lines = [parse_line(number, text) for number, text in enumerate(small_day().recording, 1)]
    assert [one for one in lines if not isinstance(one, Line)] == []
    times = [one.at_us for one in lines if isinstance(one, Line)]
    assert times == sorted(times)


def test_the_numbers_of_a_gateway_come_in_order_and_without_gaps_but_those_that_were_planted() -> (
    None
):
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    for number, text in enumerate(a_day(2, scenes=40, odd="gap=0.05").recording, 1):
        line = parse_line(number, text)
        assert isinstance(line, Line)
        name = split_event_id(getattr(line.message, "event_id", ""))
        if name is not None:
            numbers[f"{name.writer}.{name.epoch}"].append(name.seq)
    gaps = {
        writer: set(range(1, len(seqs) + 1)) - set(seqs)
        for writer, seqs in numbers.items()
        if seqs != list(range(1, len(seqs) + 1))
    }
    assert len(gaps) == 2
    assert all(len(one) == 1 for one in gaps.values())
