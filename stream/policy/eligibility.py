"""The lanes that a vehicle may use: a pure function of what is known of it and the rules in force.

Unknown is never eligible: what is not known is listed in `missing`, what is known and does not do in `reasons`,
each as `PROGRAMME:WHAT`. One shipment that does not qualify disqualifies the whole trip (68 FR 55405, FAST).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from schemas.arrival import Eligibility
from schemas.policy import LaneRules, ProgrammeLane, Recognition
from schemas.reference import FeeState

Load = Literal["loaded", "empty", "bobtail", "unknown"]
Programmes = frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Somebody in the cab. `programme` is that of the card that was read, None for a card without one."""

    #: False: no card was read, or nobody knows it.
    known: bool
    programme: str | None = None
    #: `active`, or what is wrong with the card.
    state: str = "active"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goods:
    """A shipment: the programmes of its parties, None for a party that is not named or not known."""

    importer: Programmes | None = None
    manufacturer: Programmes | None = None
    other_department: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Vehicle:
    """All that the rules look at."""

    load: Load
    holders: tuple[Holder, ...]
    #: None: no trip, or nobody knows its carrier.
    carrier: Programmes | None
    goods: tuple[Goods, ...] = ()
    #: Whether every loaded trailer has a seal declared.
    sealed: bool = False
    #: Whether a seal was heard that the trip does not declare for its trailer.
    seal_mismatch: bool = False
    #: Whether a declared seal that has a tag was not heard by the time the vehicle was at primary.
    seal_unread: bool = False
    #: Of the truck's user fee.
    fee: FeeState = "unknown"


def eligibility(
    vehicle: Vehicle, rules: LaneRules, recognitions: tuple[Recognition, ...] = ()
) -> Eligibility:
    """Lanes, tier, and for each programme what keeps it closed.

    `general` is open to everybody; it is what remains, not a right.
    """
    seen = _recognised(vehicle, recognitions)
    reasons: list[str] = []
    missing: list[str] = []
    lanes: list[str] = ["general"]
    tiers = [_driver_tier(vehicle, rules)]
    for programme in rules.programmes:
        against = list(_against(seen, programme))
        unknown = list(_unknown(seen, programme))
        reasons += [f"{programme.name}:{what}" for what in against]
        missing += [f"{programme.name}:{what}" for what in unknown]
        if not against and not unknown:
            reasons.append(f"{programme.name}:ok")
            lanes.append(programme.lane)
            tiers.append(programme.tier)
    return Eligibility(
        lanes=tuple(sorted(set(lanes))),
        tier=max(tiers),
        reasons=tuple(sorted({*reasons, *_low_risk(vehicle, recognitions)})),
        missing=tuple(sorted(set(missing))),
    )


def _against(vehicle: Vehicle, programme: ProgrammeLane) -> Iterator[str]:
    """What is known and does not do."""
    if vehicle.load not in (*programme.loads, "unknown"):
        yield f"load_{vehicle.load}"
    for holder in vehicle.holders if programme.drivers else ():
        if holder.state != "active":
            yield f"driver_card_{holder.state}"
        elif holder.known and holder.programme not in programme.drivers:
            yield "driver_programme"
    if vehicle.carrier is not None and not _does(vehicle.carrier, programme.carrier):
        yield "carrier_programme"
    if vehicle.load == "loaded" and programme.sealed and not vehicle.sealed:
        yield "not_sealed"
    if vehicle.load == "loaded" and programme.sealed and vehicle.seal_mismatch:
        yield "seal_mismatch"
    if programme.fee_paid and vehicle.fee == "not_paid":
        yield "fee_not_paid"
    for goods in vehicle.goods:
        yield from _goods_against(goods, programme)


def _goods_against(goods: Goods, programme: ProgrammeLane) -> Iterator[str]:
    if goods.importer is not None and not _does(goods.importer, programme.importer):
        yield "importer_programme"
    if goods.manufacturer is not None and not _does(goods.manufacturer, programme.manufacturer):
        yield "manufacturer_programme"
    if programme.bars_other_department and goods.other_department:
        yield "other_department"


def _unknown(vehicle: Vehicle, programme: ProgrammeLane) -> Iterator[str]:
    """What the programme asks for and nobody knows."""
    if vehicle.load == "unknown":
        yield "load"
    if programme.drivers and not (vehicle.holders and all(one.known for one in vehicle.holders)):
        yield "driver_card"
    if programme.carrier and vehicle.carrier is None:
        yield "carrier"
    if programme.fee_paid and vehicle.fee == "unknown":
        yield "fee"
    if vehicle.load != "loaded":
        return
    if programme.sealed and vehicle.seal_unread:
        yield "seal"
    if not vehicle.goods and (programme.importer or programme.manufacturer):
        yield "shipments"
    if programme.importer and any(one.importer is None for one in vehicle.goods):
        yield "importer"
    if programme.manufacturer and any(one.manufacturer is None for one in vehicle.goods):
        yield "manufacturer"


def _does(has: Programmes, asked: tuple[tuple[str, ...], ...]) -> bool:
    return not asked or any(has.issuperset(every) for every in asked)


def _driver_tier(vehicle: Vehicle, rules: LaneRules) -> str:
    """T0 with anybody unknown or a bad card, T2 when every driver was vetted, else T1."""
    holders = vehicle.holders
    if not holders or not all(one.known and one.state == "active" for one in holders):
        return "T0"
    return "T2" if all(one.programme in rules.vetted for one in holders) else "T1"


def _recognised(vehicle: Vehicle, recognitions: tuple[Recognition, ...]) -> Vehicle:
    """The vehicle with the memberships that recognitions that open lanes add."""
    opening = [one.programmes for one in recognitions if one.opens_lanes]
    if not opening:
        return vehicle
    return replace(
        vehicle,
        carrier=_with(vehicle.carrier, opening),
        goods=tuple(
            Goods(
                importer=_with(one.importer, opening),
                manufacturer=_with(one.manufacturer, opening),
                other_department=one.other_department,
            )
            for one in vehicle.goods
        ),
    )


def _with(has: Programmes | None, pairs: list[tuple[str, str]]) -> Programmes | None:
    """The memberships and what they count as. One step: recognition is between two countries."""
    if has is None:
        return None
    added = {two for one, two in pairs if one in has} | {one for one, two in pairs if two in has}
    return has | added


def _low_risk(vehicle: Vehicle, recognitions: tuple[Recognition, ...]) -> Iterator[str]:
    """Recognition opens no lane today: it lowers risk, which the officer may see."""
    for row in recognitions:
        one, two = row.programmes
        if vehicle.carrier is not None and len(vehicle.carrier & {one, two}) == 1:
            has = one if one in vehicle.carrier else two
            yield f"carrier_recognised:{has}"
