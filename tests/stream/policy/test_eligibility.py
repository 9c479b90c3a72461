"""The rules that ship, one test a rule; each names where the rule comes from."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from schemas.arrival import Eligibility
from schemas.message import Direction
from schemas.policy import FilingLimits, LaneRules, Policy, Recognition
from stream.policy.eligibility import Goods, Holder, Vehicle, eligibility
from stream.policy.in_force import in_force, most_particular
from stream.shipped import SETS, shipped


class AsOf(NamedTuple):
    at_us: int
    known_by_us: int | None = None


def day(text: str) -> AsOf:
    return AsOf(round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000)


NOW = day("2026-03-02")
CTPAT = frozenset({"C-TPAT"})
PIP = frozenset({"PIP"})
CSA = frozenset({"CSA"})
OEA = frozenset({"OEA"})
FAST = Holder(known=True, programme="FAST")
CDRP = Holder(known=True, programme="CDRP")
SOUTH = Vehicle(
    load="loaded",
    holders=(FAST,),
    carrier=CTPAT,
    goods=(Goods(importer=CTPAT, manufacturer=CTPAT),),
    sealed=True,
)


def changed(vehicle: Vehicle, **changes: object) -> Vehicle:
    fields = {name: getattr(vehicle, name) for name in Vehicle.__slots__}
    return Vehicle(**{**fields, **changes})


def may(
    vehicle: Vehicle,
    direction: Direction = "MX>US",
    pair: str = "lar-wtb",
    moment: AsOf = NOW,
    policies: str = "today",
) -> Eligibility:
    rows = shipped(policies)
    rules = most_particular(
        [row for row in rows if isinstance(row, LaneRules)], pair, direction, moment
    )
    assert rules is not None
    known = in_force([row for row in rows if isinstance(row, Recognition)], moment)
    return eligibility(vehicle, rules, known)


def canada(**changes: object) -> Vehicle:
    usual = Vehicle(load="loaded", holders=(CDRP,), carrier=PIP, goods=(Goods(importer=PIP),))
    return changed(usual, **changes)


def test_a_whole_trusted_chain_opens_the_fast_lane_at_the_mexican_border() -> None:
    """68 FR 55405."""
    found = may(SOUTH)
    assert (found.lanes, found.tier, found.missing) == (("fast", "general"), "T3", ())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"holders": (CDRP,)}, "fast:driver_programme"),
        ({"holders": (FAST, CDRP)}, "fast:driver_programme"),
        (
            {"holders": (Holder(known=True, programme="FAST", state="stolen"),)},
            "fast:driver_card_stolen",
        ),
        ({"carrier": PIP}, "fast:carrier_programme"),
        ({"goods": (Goods(importer=PIP, manufacturer=CTPAT),)}, "fast:importer_programme"),
        ({"goods": (Goods(importer=CTPAT, manufacturer=OEA),)}, "fast:manufacturer_programme"),
        ({"sealed": False}, "fast:not_sealed"),
        ({"seal_mismatch": True}, "fast:seal_mismatch"),
    ],
)
def test_each_broken_link_of_the_chain_closes_the_fast_lane(
    changes: dict[str, object], reason: str
) -> None:
    """68 FR 55405: importer, carrier, driver, and at the Mexican border manufacturer and seal."""
    found = may(changed(SOUTH, **changes))
    assert found.lanes == ("general",)
    assert reason in found.reasons


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"holders": ()}, "fast:driver_card"),
        ({"holders": (FAST, Holder(known=False))}, "fast:driver_card"),
        ({"carrier": None}, "fast:carrier"),
        ({"goods": ()}, "fast:shipments"),
        ({"goods": (Goods(manufacturer=CTPAT),)}, "fast:importer"),
        ({"goods": (Goods(importer=CTPAT),)}, "fast:manufacturer"),
        ({"load": "unknown"}, "fast:load"),
    ],
)
def test_what_nobody_knows_is_never_eligible(changes: dict[str, object], missing: str) -> None:
    found = may(changed(SOUTH, **changes))
    assert "fast" not in found.lanes
    assert missing in found.missing


def test_one_shipment_that_does_not_qualify_bars_the_whole_trip() -> None:
    """68 FR 55405."""
    goods = (*SOUTH.goods, Goods(importer=frozenset(), manufacturer=CTPAT))
    assert may(changed(SOUTH, goods=goods)).lanes == ("general",)


def test_the_northern_border_asks_for_no_manufacturer_and_no_seal() -> None:
    """68 FR 55405: only the southern border adds them."""
    north = changed(SOUTH, goods=(Goods(importer=CTPAT),), sealed=False)
    assert "fast" in may(north, "CA>US", "det-amb").lanes
    assert "fast" not in may(north, "MX>US").lanes


def test_canada_has_fast_lanes_at_named_sites_only() -> None:
    """CBSA FAST page."""
    assert "fast" in may(canada(), "US>CA", "det-amb").lanes
    assert "fast" not in may(canada(), "US>CA", "lew-que").lanes


def test_canada_asked_for_pip_and_csa_until_2016_and_since_then_for_one_of_them() -> None:
    """CBSA FAST page; strtrade 2016."""
    before = day("2015-06-01")
    both = canada(carrier=PIP | CSA, goods=(Goods(importer=PIP | CSA),))
    assert "fast" not in may(canada(), "US>CA", "pth-blw", before).lanes
    assert "fast" in may(both, "US>CA", "pth-blw", before).lanes
    assert "fast" in may(canada(carrier=CSA), "US>CA", "pth-blw").lanes


def test_goods_of_other_departments_bar_the_lane_into_canada_alone() -> None:
    """The seed paper, footnote 12."""
    goods = (Goods(importer=PIP, manufacturer=CTPAT, other_department=True),)
    found = may(canada(goods=goods), "US>CA", "det-amb")
    assert found.lanes == ("general",)
    assert "fast:other_department" in found.reasons
    into_us = changed(SOUTH, goods=(replace_goods(SOUTH.goods[0]),))
    assert "fast" in may(into_us).lanes


def replace_goods(goods: Goods) -> Goods:
    return Goods(importer=goods.importer, manufacturer=goods.manufacturer, other_department=True)


@pytest.mark.parametrize("load", ["empty", "bobtail"])
def test_empties_and_bobtails_have_their_lane_whoever_drives_them(load: str) -> None:
    assert "empty" in may(Vehicle(load=load, holders=(), carrier=None)).lanes  # type: ignore[arg-type]


def test_an_empty_truck_of_a_csa_carrier_goes_on_a_csa_lead_sheet() -> None:
    """CBSA: CSA carrier and a FAST or CDRP driver."""
    found = may(Vehicle(load="empty", holders=(CDRP,), carrier=CSA), "US>CA", "lew-que")
    assert "csa_empty:ok" in found.reasons


def test_recognition_opens_no_lane_today_and_says_that_risk_is_low() -> None:
    """The three arrangements: US-CA 2008, US-MX 2014, CA-MX 2016."""
    found = may(changed(SOUTH, carrier=OEA))
    assert "fast" not in found.lanes
    assert "carrier_recognised:OEA" in found.reasons
    before = may(changed(SOUTH, carrier=OEA), moment=day("2014-10-16"))
    assert "carrier_recognised:OEA" not in before.reasons


def test_the_paper_makes_the_programmes_one_and_takes_the_lane_from_cdrp() -> None:
    """Lawson, Tello, Fox 2021."""
    oea = changed(SOUTH, carrier=OEA, goods=(Goods(importer=PIP, manufacturer=OEA),))
    assert "fast" in may(oea, policies="paper-2021").lanes
    assert "fast" not in may(canada(), "US>CA", "det-amb", policies="paper-2021").lanes
    goods = (Goods(importer=PIP, other_department=True),)
    ogd = canada(holders=(FAST,), goods=goods)
    assert "fast" in may(ogd, "US>CA", "lew-que", policies="paper-2021").lanes


def test_tiers_rise_with_what_is_known_of_the_driver() -> None:
    cards = (Holder(known=False), Holder(known=True), FAST)
    tiers = [may(changed(SOUTH, holders=(one,), carrier=None)).tier for one in cards]
    assert tiers == ["T0", "T1", "T2"]
    assert all((one or "") < (two or "") for one, two in pairwise(tiers))


def limits(name: str = "today") -> Iterator[FilingLimits]:
    return (row for row in shipped(name) if isinstance(row, FilingLimits))


@pytest.mark.parametrize(
    ("direction", "minutes", "fast"),
    [("MX>US", 60, 30), ("CA>US", 60, 30), ("US>CA", 60, None)],
)
def test_filing_limits_are_those_of_the_country_entered(
    direction: Direction, minutes: int, fast: int | None
) -> None:
    """68 FR 68139; CBSA ACI status guide."""
    row = most_particular(limits(), "lar-wtb", direction, NOW)
    assert row is not None
    assert (row.minutes, row.fast_minutes) == (minutes, fast)
    assert most_particular(limits(), "lar-wtb", "US>MX", NOW) is None


def test_a_row_accepted_after_the_crossings_end_does_not_count() -> None:
    row = next(limits())
    late = replace(row, accepted_at_us=NOW.at_us + 1)
    assert in_force([late], NOW) == (late,)
    assert in_force([late], AsOf(NOW.at_us, NOW.at_us)) == ()


def test_every_row_that_ships_says_where_it_comes_from() -> None:
    rows: list[Policy] = [row for name in SETS for row in shipped(name)]
    assert len(rows) > 20
    assert all(len(row.source) >= len("unverified") for row in rows)


@pytest.mark.parametrize(
    ("fee", "reasons", "missing"),
    [("paid", 0, 0), ("not_paid", 1, 0), ("unknown", 0, 1)],
)
def test_a_rule_that_asks_for_a_paid_fee_takes_unknown_for_neither(
    fee: str, reasons: int, missing: int
) -> None:
    rules = next(row for row in shipped("today") if row.policy_id == "lane_rules:MX>US")
    assert isinstance(rules, LaneRules)
    asks = replace(rules, programmes=(replace(rules.programmes[0], fee_paid=True),))
    found = eligibility(changed(SOUTH, fee=fee), asks)
    assert found.reasons.count("fast:fee_not_paid") == reasons
    assert found.missing.count("fast:fee") == missing
    assert ("fast" in found.lanes) == (fee == "paid")
    assert "fast" in eligibility(changed(SOUTH, fee=fee), rules).lanes


def test_an_unread_seal_is_unknown_in_the_south_and_not_asked_for_in_the_north() -> None:
    unread = changed(SOUTH, seal_unread=True)
    assert may(unread).missing == ("fast:seal",)
    assert "fast" not in may(unread).lanes
    assert "fast" in may(unread, "CA>US", "det-amb").lanes
