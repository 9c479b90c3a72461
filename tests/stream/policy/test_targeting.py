"""Targeting rules: what they see, what is refused, what they say."""

from typing import NamedTuple

import pytest
from msgspec.structs import replace

from schemas.message import Direction
from schemas.policy import TargetingPack, TargetingRule
from stream.policy.targeting import Inputs, Targeted, broken_rules, targeted


class AsOf(NamedTuple):
    at_us: int = 1_000
    known_by_us: int | None = None


INPUTS = Inputs(
    pair="lar-wtb",
    direction="MX>US",
    load="loaded",
    tier="T1",
    lanes=("general",),
    flags=("no_manifest",),
    has_trip=False,
    drivers_read=1,
    shipments=0,
    hazmat=True,
    other_department=False,
    hs_codes=(),
)


def pack(
    *cels: str,
    shadow: bool = False,
    directions: tuple[Direction, ...] = ("MX>US",),
    pair: str | None = None,
    since: int = 0,
) -> TargetingPack:
    return TargetingPack(
        policy_id="south",
        effective_from_us=since,
        accepted_at_us=0,
        version=2,
        directions=directions,
        pair=pair,
        owners=("CBP", "ANAM"),
        rules=tuple(
            TargetingRule(id=f"r{number}", cel=cel, reason="because", shadow=shadow)
            for number, cel in enumerate(cels)
        ),
    )


def said(*packs: TargetingPack) -> Targeted:
    return targeted(packs, INPUTS, AsOf())


def test_a_rule_that_holds_is_a_cause_with_its_pack_and_version() -> None:
    found = said(pack("hazmat && !has_trip", "tier == 'T3'"))
    assert found == Targeted(causes=("targeted:south.r0@2",))


def test_a_shadow_rule_refers_nobody() -> None:
    found = said(pack("hazmat", shadow=True))
    assert found == Targeted(shadow=("targeted:south.r0@2",))


def test_a_rule_that_fails_refers_nobody_and_is_named() -> None:
    assert said(pack("hs_codes[3] == '1'")) == Targeted(failed=("south.r0@2",))


@pytest.mark.parametrize(
    "other",
    [
        pack("hazmat", directions=("US>MX",)),
        pack("hazmat", pair="det-amb"),
        pack("hazmat", since=1_001),
    ],
)
def test_a_pack_counts_only_where_and_when_it_is_in_force(other: TargetingPack) -> None:
    assert said(other) == Targeted()


@pytest.mark.parametrize(
    ("cel", "line", "column", "why"),
    [
        ("driver_name == 'x'", 1, 1, "undeclared reference"),
        ("tier == 3", 1, 6, "no matching overload"),
        ("hazmat\n && &&", 2, 5, "Syntax error"),
        ("tier", 1, 1, "not a BOOL"),
    ],
)
def test_a_bad_rule_is_refused_with_its_line_and_column(
    cel: str, line: int, column: int, why: str
) -> None:
    (found,) = broken_rules(pack(cel))
    assert (found.rule, found.line, found.column) == ("r0", line, column)
    assert why in found.why


def test_a_rule_on_trial_that_fails_is_named_apart() -> None:
    found = said(pack("hs_codes[3] == '1'", shadow=True))
    assert found == Targeted(shadow_failed=("south.r0@2",))


def test_a_pack_that_one_country_alone_answers_for_is_refused() -> None:
    alone = replace(pack("hazmat"), owners=("CBP", "CBP"))
    assert [str(one) for one in broken_rules(alone)] == [
        "south:1:1: an owner stands twice: each country answers for it"
    ]


def test_good_rules_have_no_findings() -> None:
    assert broken_rules(pack("'no_manifest' in flags && shipments == 0")) == []
