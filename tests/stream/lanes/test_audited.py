"""What the lanes stage writes into the audit: two rows a crossing, each linked to the one before it."""

from typing import Any

import msgspec
from hypothesis import given, settings

from schemas.audit import FIRST, Audit, link_of
from schemas.message import Message
from schemas.policy import ReferralRates, TargetingPack, TargetingRule, TierRate, WatchListEdition
from stream.policy.random_checks import draw, key_hash
from tests.stream.border import PAIR, ROWS, Border, Desk, at, tick
from tests.stream.lanes.test_convergence import BORDER_ROWS, orders
from tests.stream.lanes.test_judge import TRUSTED
from tests.stream.lanes.test_step import arrive, plain

KEY = bytes(range(32))
RATES = ReferralRates(
    policy_id="rates",
    effective_from_us=0,
    accepted_at_us=0,
    direction="MX>US",
    key_sha256=key_hash(KEY),
    rates=tuple(TierRate(tier=tier, per_million=500_000) for tier in ("T0", "T1", "T2", "T3")),
)


def audit(border: Border) -> list[Audit]:
    return border.written("audit")


def pack(*rules: TargetingRule, version: int = 1) -> TargetingPack:
    return TargetingPack(
        policy_id="south",
        effective_from_us=0,
        accepted_at_us=0,
        version=version,
        directions=("MX>US",),
        owners=("CBP", "ANAM"),
        rules=rules,
    )


def test_a_crossing_has_a_row_for_the_booth_and_one_for_its_end() -> None:
    border = Border(TRUSTED).feed(*plain(), tick(100), tick(800))
    booth, end = audit(border)
    assert (booth.how, booth.decision, booth.lanes, booth.tier) == (
        None,
        None,
        ("fast", "general"),
        "T3",
    )
    assert (end.how, end.decision, end.ended_at_us) == ("entered", "released", at(30))
    assert booth.judged_as_of_us == end.judged_as_of_us == at(20)
    assert (end.trip_number, end.trip_version) == ("ABCD0001", 1)


def test_a_vehicle_that_nobody_hears_of_any_more_is_lost_in_the_audit_too() -> None:
    rows = audit(Border().feed(*arrive(Desk()), tick(60), tick(2 * 3600 + 60)))
    assert [one.how for one in rows] == [None, "lost"]
    assert rows[-1].ended_at_us == at(20.4) + 7_200_000_000


def test_before_the_booth_nothing_is_decided() -> None:
    desk = Desk()
    border = Border(TRUSTED).feed(
        *(desk.seen(one, "L01-queue", 0) for one in ("k1.truck1", "k1.ana"))
    )
    assert audit(border) == []
    assert border.written("arrivals")


def test_a_row_names_the_policies_that_counted_by_id_and_by_what_they_say() -> None:
    booth, _ = audit(Border(TRUSTED).feed(*plain()))
    names = [one.partition("@")[0] for one in booth.policies]
    assert "lane_rules:MX>US" in names or any(one.startswith("lane") for one in names)
    changed = msgspec.structs.replace(RATES, rates=())
    rates = [
        next(
            one
            for one in audit(Border((*TRUSTED, row)).feed(*plain()))[0].policies
            if "rates@" in one
        )
        for row in (RATES, changed, RATES)
    ]
    assert rates[0] == rates[2] != rates[1]


def test_a_row_names_every_event_behind_the_decision() -> None:
    story = plain()
    _, end = audit(Border().feed(*story))
    known = {getattr(one, "event_id", "") for one in story}
    assert set(end.input_event_ids) <= known
    assert "officer.e1.1" in end.input_event_ids
    assert end.input_event_ids == Border().feed(*story).notice().source_event_ids


def test_rows_are_linked_without_gaps() -> None:
    desk, officer = Desk(), Desk("officer")
    second = arrive(desk, 40, "L01", "k1.truck2", "k1.ben")
    border = Border().feed(*arrive(desk), officer.decision("released", 30))
    border.feed(*second, officer.decision("refused", 70))
    rows = audit(border)
    assert [one.seq for one in rows] == list(range(1, len(rows) + 1))
    assert [one.previous for one in rows] == [FIRST, *(one.link for one in rows[:-1])]
    assert all(link_of(one) == one.link for one in rows)
    assert {one.writer for one in rows} == {"lanes-2"}


def test_what_changes_nothing_of_the_decision_makes_no_row() -> None:
    border = Border(TRUSTED).feed(*plain())
    rows = len(audit(border))
    edition = WatchListEdition(
        policy_id="watch_list:tco", effective_from_us=0, accepted_at_us=0, list_id="tco", version=1,
        owner="US", entries=3, sha256="ab" * 32,
    )  # fmt: skip
    border.change_row(edition).take_over()
    assert len(audit(border)) == rows


def test_the_editions_of_watch_lists_stand_in_it_and_no_entry() -> None:
    edition = WatchListEdition(
        policy_id="watch_list:tco", effective_from_us=0, accepted_at_us=0, list_id="tco", version=1,
        owner="US", entries=3, sha256="ab" * 32,
    )  # fmt: skip
    booth, _ = audit(Border((*ROWS, edition)).feed(*plain()))
    assert [one.partition("@")[0] for one in booth.policies] == ["watch_list:tco"]


def test_a_rule_on_trial_is_in_the_audit_and_nowhere_else() -> None:
    trial = TargetingRule(id="trial", cel="has_trip", reason="tried", shadow=True)
    broken = TargetingRule(id="broken", cel="hs_codes[7] == '1'", reason="tried", shadow=True)
    story = [*plain(), tick(100), tick(800)]
    without = Border(TRUSTED).feed(*story)
    given_rules = Border((*TRUSTED, pack(trial, broken))).feed(*story)
    assert not_audit(given_rules) == not_audit(without)
    assert [one.shadow for one in audit(given_rules)] == [("targeted:south.trial@1",)] * 2
    assert [one.failed for one in audit(given_rules)] == [("south.broken@1",)] * 2


def not_audit(border: Border) -> list[tuple[str, Message]]:
    return [one for one in border.outputs if one[0] != "audit"]


def test_the_draw_in_a_row_is_proved_by_the_key() -> None:
    border = Border((*ROWS, RATES))
    border.reference.random_key = KEY  # type: ignore[misc]
    rows = audit(border.feed(*plain()))
    for row in rows:
        assert row.draw is not None
        again = draw(KEY, row.crossing_id, row.draw.per_million)
        assert (f"{again.value:016x}", again.drawn) == (row.draw.value, row.draw.drawn)
        assert (f"random:{key_hash(KEY)[:16]}" in row.causes) == again.drawn


def test_without_the_key_there_is_no_draw_and_the_notice_says_so() -> None:
    border = Border((*ROWS, RATES)).feed(*plain())
    assert [one.draw for one in audit(border)] == [None, None]
    assert "random_key_missing" in border.notice().flags


def test_an_officer_who_wants_a_closer_look_is_a_cause_of_its_own() -> None:
    goods = TargetingRule(id="all", cel="true", reason="everybody")
    officer = Desk("officer")
    border = Border((*ROWS, pack(goods))).feed(*arrive(Desk()), officer.decision("secondary", 25))
    causes = ("targeted:south.all@1", "officer")
    assert border.notice().referral_causes == causes
    border.feed(officer.decision("released", 900))
    assert border.notice().referral_causes == causes
    assert audit(border)[-1].causes == causes


def test_the_other_countrys_officer_refers_nobody_here() -> None:
    other = Desk("officer").decision("held", 25, country="MX", authority="ANAM")
    assert Border().feed(*arrive(Desk()), other).notice().referral_causes == ()


@settings(max_examples=60)
@given(orders())
def test_the_chain_goes_on_over_every_restart(both: tuple[list[Message], list[Message]]) -> None:
    _, mixed = both
    rows = audit(Border(rows=BORDER_ROWS, killed_everywhere=True).feed(*mixed, tick(20_000)))
    links: list[Any] = [FIRST, *(one.link for one in rows)]
    assert [one.previous for one in rows] == links[:-1]
    assert [one.seq for one in rows] == list(range(1, len(rows) + 1))
    assert all(link_of(one) == one.link for one in rows)
    assert {one.pair for one in rows} <= {PAIR}
