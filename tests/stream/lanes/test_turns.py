"""Rules that come into force while a vehicle waits, and rows that come late for crossings that are closed."""

from typing import Any

from msgspec.structs import replace

from schemas.policy import LaneRules
from schemas.reference import Membership
from tests.stream.border import PAIR, Border, Desk, at, tick
from tests.stream.lanes.test_judge import TRUSTED, approach, party

GENERAL_ONLY = LaneRules(
    policy_id="lane_rules:here",
    effective_from_us=at(300),
    accepted_at_us=at(-60),
    direction="MX>US",
    pair=PAIR,
)


def suspended(since: float, accepted: float) -> Any:
    row = party("carrier-1")
    later = Membership(
        programme="C-TPAT",
        country="US",
        state="suspended",
        effective_from_us=at(since),
        accepted_at_us=at(accepted),
    )
    return replace(row, memberships=(*row.memberships, later))


def closed() -> Border:
    """A trusted vehicle that was let go after half a minute, and closed long ago."""
    border = approach(Border(TRUSTED))
    booth = Desk("gw2")
    tokens = ("k1.truck1", "k1.ana", "k1.trailer1")
    border.feed(*[booth.seen(token, "L01-primary", 20) for token in tokens])
    border.feed(Desk("officer").decision("released", 30), tick(700), tick(10_000))
    assert border.notice().state == "closed"
    assert border.notice().eligibility.lanes == ("fast", "general")
    return border


def test_a_rule_of_the_future_takes_effect_at_its_time_for_a_vehicle_that_waits() -> None:
    border = approach(Border(TRUSTED)).change_row(GENERAL_ONLY).feed(tick(290))
    before = border.notice()
    assert before.eligibility.lanes == ("fast", "general")
    border.feed(tick(300))
    assert border.notice().eligibility.lanes == ("general",)
    assert border.notice().revision == before.revision + 1
    border.feed(tick(310), tick(320)).take_over()
    assert border.notice().revision == before.revision + 1


def test_a_rule_that_ends_while_a_vehicle_waits_counts_no_more() -> None:
    ends = replace(GENERAL_ONLY, effective_from_us=at(-60), effective_to_us=at(300))
    border = approach(Border((*TRUSTED, ends)))
    assert border.notice().eligibility.lanes == ("general",)
    assert border.feed(tick(310)).notice().eligibility.lanes == ("fast", "general")


def test_a_membership_that_is_suspended_in_the_future_takes_effect_at_its_time() -> None:
    border = approach(Border(TRUSTED)).change_row(suspended(300, -60)).feed(tick(290))
    assert border.notice().eligibility.lanes == ("fast", "general")
    assert border.feed(tick(310)).notice().eligibility.lanes == ("general",)


def test_a_vehicle_at_primary_is_judged_by_what_held_then() -> None:
    border = approach(Border(TRUSTED)).change_row(GENERAL_ONLY)
    border.feed(Desk("gw2").seen("k1.truck1", "L01-primary", 200), tick(310))
    assert border.notice().eligibility.lanes == ("fast", "general")


def test_a_policy_that_comes_late_and_was_accepted_in_time_corrects_a_closed_crossing() -> None:
    border = closed()
    late = replace(GENERAL_ONLY, effective_from_us=at(-30))
    assert border.change_row(late).notice().eligibility.lanes == ("general",)


def test_a_policy_that_was_accepted_after_the_end_changes_no_closed_crossing() -> None:
    border = closed()
    written = len(border.outputs)
    border.change_row(replace(GENERAL_ONLY, effective_from_us=at(-30), accepted_at_us=at(31)))
    border.change_row(replace(GENERAL_ONLY, accepted_at_us=at(-60)))
    assert len(border.outputs) == written


def test_a_party_that_comes_late_and_was_suspended_in_time_corrects_a_closed_crossing() -> None:
    border = closed()
    assert border.change_row(suspended(-60, -30)).notice().eligibility.lanes == ("general",)
    border = closed()
    assert border.change_row(suspended(-60, 31)).notice().eligibility.lanes == ("fast", "general")


def test_a_policy_that_supersedes_another_after_the_end_leaves_closed_crossings_as_they_were() -> (
    None
):
    border = closed()
    written = len(border.outputs)
    newer = replace(
        GENERAL_ONLY, policy_id="lane_rules:MX>US", pair=None, effective_from_us=at(-30)
    )
    border.change_row(replace(newer, accepted_at_us=at(31)))
    assert len(border.outputs) == written
