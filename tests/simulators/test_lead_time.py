"""How long before the booth notices came, and how far off their ETA was."""

from typing import Any

from msgspec.structs import replace

from schemas.arrival import ArrivalNotice
from schemas.wire import to_json
from simulators.lead_time import LeadTimer, LeadTimes, lead_times
from tests.schemas.samples import SAMPLES

(NOTICE,) = (one for one in SAMPLES if isinstance(one, ArrivalNotice))
START = 1_772_460_000_000_000
SECOND = 1_000_000


def notice(crossing: str, position: str, when: float, **changes: Any) -> ArrivalNotice:
    eta = changes.pop("eta", None)
    p90 = changes.pop("p90", None)
    return replace(
        NOTICE,
        crossing_id=crossing,
        position=position,
        at_us=START + round(when * SECOND),
        eta_us=None if eta is None else START + eta * SECOND,
        eta_p90_us=None if p90 is None else START + p90 * SECOND,
        **changes,
    )


def figures(*notices: ArrivalNotice) -> LeadTimes:
    timer = LeadTimer()
    for one in notices:
        timer.take(one)
    return timer.figures()


def test_the_lead_time_lasts_from_the_first_notice_to_the_first_one_at_the_booth() -> None:
    found = figures(
        notice("a", "queue", 0, eta=600, p90=700),
        notice("a", "gate", 300, eta=640, p90=660),
        notice("a", "primary", 650),
        notice("a", "secondary", 900),
    )
    assert (found.at_booth, found.noticed, found.lead_p50) == (1, 1, 650)
    assert (found.error_p50, found.with_p90, found.within_p90) == (50, 1, 1)


def test_the_eta_is_that_which_stands_after_ten_seconds() -> None:
    found = figures(
        notice("a", "queue", 0, eta=60),
        notice("a", "queue", 9, eta=600, p90=610),
        notice("a", "queue", 11, eta=900, p90=950),
        notice("a", "primary", 650),
    )
    assert (found.error_p50, found.within_p90, found.moves) == (50, 0, 1)


def test_a_truck_that_was_not_noticed_before_the_booth_and_one_that_never_came_do_not_count() -> (
    None
):
    found = figures(notice("a", "primary", 10), notice("b", "queue", 0, eta=60))
    assert (found.at_booth, found.noticed, found.lead_p50, found.error_p90) == (1, 0, None, None)
    assert "0 of 1 noticed before the booth; lead time p50 -" in str(found)


def test_a_file_of_outputs_gives_the_same_figures_and_other_lines_are_left_out() -> None:
    notices = (notice("a", "queue", 0, eta=600), notice("a", "primary", 650))
    lines = [to_json("arrivals", one.crossing_id, one.at_us, one) for one in notices]
    assert lead_times([b"{}", lines[0], b'{"topic":"arrivals"', lines[1]]) == figures(*notices)
    assert "lead time p50 11 min" in str(figures(*notices))
