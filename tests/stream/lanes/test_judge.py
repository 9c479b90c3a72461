"""Policies in the lanes stage: what a notice says with them, and when rows that change make a new one."""

from msgspec.structs import replace

from schemas.message import Message
from schemas.policy import FilingLimits, TargetingPack, TargetingRule
from schemas.reference import Commodity, Membership, Party, Shipment, TripTrailer
from stream.shipped import shipped
from tests.stream.border import ROWS, Border, Desk, card, trip


def party(name: str, programme: str = "C-TPAT", state: str = "member") -> Party:
    return Party(
        id=f"party:{name}",
        name=name,
        memberships=(
            Membership(
                programme=programme,
                country="US",
                state=state,  # type: ignore[arg-type]
                effective_from_us=0,
                accepted_at_us=0,
            ),
        ),
    )


SHIPMENT = Shipment(control_number="S1", importer="party:importer-1", manufacturer="party:maker-1")
TRUSTED: tuple[Message, ...] = (
    *ROWS,
    *shipped("today"),
    replace(card("k1.ana", "person:ana"), programme="FAST"),
    party("carrier-1"),
    party("importer-1"),
    party("maker-1"),
    trip(
        shipments=(SHIPMENT,),
        trailers=(TripTrailer(trailer="trailer:1", load="loaded", seals=("SEAL1",)),),
    ),
)


def approach(border: Border, *tokens: str) -> Border:
    desk = Desk()
    for number, token in enumerate(tokens or ("k1.truck1", "k1.ana", "k1.trailer1")):
        border.feed(desk.seen(token, "L01-queue", number * 0.1))
    return border


def test_a_trusted_vehicle_is_eligible_at_the_queue_already() -> None:
    notice = approach(Border(TRUSTED)).notice()
    assert (notice.eligibility.lanes, notice.eligibility.tier) == (("fast", "general"), "T3")


def test_a_driver_whose_card_nobody_heard_is_not_eligible() -> None:
    notice = approach(Border(TRUSTED), "k1.truck1").notice()
    assert notice.eligibility.lanes == ("general",)
    assert "fast:driver_card" in notice.eligibility.missing


def test_another_driver_than_declared_is_judged_by_the_card_that_was_read() -> None:
    notice = approach(Border(TRUSTED), "k1.truck1", "k1.ben").notice()
    assert "driver_mismatch" in notice.flags
    assert notice.eligibility.lanes == ("general",)
    assert "fast:driver_programme" in notice.eligibility.reasons


def test_a_carrier_that_is_suspended_while_the_truck_waits_makes_a_new_notice() -> None:
    border = approach(Border(TRUSTED))
    before = border.notice()
    border.change_row(party("carrier-1", state="suspended"))
    notice = border.notice()
    assert notice.revision == before.revision + 1
    assert notice.eligibility.lanes == ("general",)
    assert "fast:carrier_programme" in notice.eligibility.reasons


def test_a_party_that_no_trip_names_makes_no_notice() -> None:
    border = approach(Border(TRUSTED))
    before = border.notice()
    border.change_row(party("stranger"))
    assert border.notice() == before


def test_who_may_use_the_fast_lane_may_file_half_an_hour_before() -> None:
    rows = [row for row in TRUSTED if not isinstance(row, FilingLimits)]
    filed = trip(
        shipments=(SHIPMENT,),
        trailers=(TripTrailer(trailer="trailer:1", load="loaded", seals=("SEAL1",)),),
    )
    late = replace(filed, accepted_at_us=filed.eta_us - 45 * 60_000_000)
    assert "filed_late:15" in approach(Border((*rows, late))).notice().flags
    assert "filed_late:15" not in approach(Border((*TRUSTED, late))).notice().flags


def test_a_targeting_rule_refers_and_a_shadow_rule_does_not() -> None:
    goods = replace(SHIPMENT, commodities=(Commodity(description="paint", hazmat=True),))
    pack = TargetingPack(
        policy_id="south",
        effective_from_us=0,
        accepted_at_us=0,
        version=1,
        directions=("MX>US",),
        owners=("CBP", "ANAM"),
        rules=(
            TargetingRule(id="goods", cel="hazmat && tier != 'T3'", reason="hazmat"),
            TargetingRule(id="tried", cel="hazmat", reason="hazmat", shadow=True),
        ),
    )
    notice = approach(Border((*TRUSTED, trip(shipments=(goods,)), pack))).notice()
    assert notice.referral_causes == ("targeted:south.goods@1",)
    assert "hazmat" in notice.flags
