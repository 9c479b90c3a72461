"""What the policies in force say of a crossing: eligibility, filing limit, referral."""

from typing import Final, NamedTuple

from schemas.arrival import Eligibility
from schemas.policy import FilingLimits, LaneRules, Recognition, ReferralRates, TargetingPack
from stream.lanes.crossing import country_entered, primary_us
from stream.lanes.fees import fee_flags
from stream.lanes.join import Joined
from stream.lanes.rows import Crossing
from stream.lanes.vehicle import as_of, vehicle_of
from stream.policy.eligibility import Load, eligibility
from stream.policy.in_force import in_force, most_particular
from stream.policy.random_checks import Draw, draw, key_hash, rate_of
from stream.policy.targeting import Inputs, Targeted, targeted
from stream.reference import Reference
from stream.trips.arrival import FILING_LIMIT_MIN, entered

#: Without rules nobody is eligible for a special lane.
NO_POLICY: Final = Eligibility(reasons=("no_policy",))


class Judgement(NamedTuple):
    """What a notice shows of it."""

    eligibility: Eligibility = NO_POLICY
    #: Findings for the officer beside the joined ones.
    flags: tuple[str, ...] = ()
    #: Minutes by which the trip had to be on file; None: no limit, or no trip.
    filing_limit_min: int | None = None


def judge(crossing: Crossing, joined: Joined, reference: Reference) -> Judgement:
    """Eligibility, goods that need a look, and the filing limit: as of the first read at primary, before it of the ETA."""
    moment = as_of(crossing)
    rules = most_particular(
        reference.policies(LaneRules), crossing.pair, crossing.direction, moment
    )
    vehicle = vehicle_of(joined, reference, moment)
    may = NO_POLICY
    if rules is not None:
        recognitions = in_force(reference.policies(Recognition), moment)
        may = eligibility(vehicle, rules, recognitions)
    return Judgement(
        eligibility=may,
        flags=(*_goods_flags(joined), *fee_flags(crossing, joined, reference, moment)),
        filing_limit_min=_limit(crossing, joined, reference, vehicle.load, may),
    )


def referred(
    crossing: Crossing,
    joined: Joined,
    reference: Reference,
    judgement: Judgement,
    flags: tuple[str, ...],
) -> Targeted:
    """What targeting rules say, given everything else that the notice tells (`flags`)."""
    packs = reference.policies(TargetingPack)
    if not packs:
        return Targeted()
    moment = as_of(crossing)
    vehicle = vehicle_of(joined, reference, moment)
    shipments = joined.trip.shipments if joined.trip is not None else ()
    lines = [line for shipment in shipments for line in shipment.commodities]
    inputs = Inputs(
        pair=crossing.pair,
        direction=crossing.direction,
        load=vehicle.load,
        tier=judgement.eligibility.tier or "T0",
        lanes=judgement.eligibility.lanes,
        flags=flags,
        has_trip=joined.trip is not None,
        drivers_read=sum(
            link.basis == "read" and link.role in ("driver", "person") for link in joined.links
        ),
        shipments=len(shipments),
        hazmat=any(line.hazmat for line in lines),
        other_department=any(one.other_department for one in shipments),
        hs_codes=tuple(sorted({line.hs_code for line in lines if line.hs_code is not None})),
    )
    return targeted(packs, inputs, moment)


class Drawn(NamedTuple):
    """The cause of a random check, and what keeps one from being drawn."""

    causes: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    #: What proves it, drawn or not.
    draw: Draw | None = None


def drawn(crossing: Crossing, reference: Reference, tier: str | None) -> Drawn:
    """The random check of a vehicle at primary, by the rate of its tier then. The cause names the key by its hash."""
    if primary_us(crossing) is None or crossing.merged_into is not None:
        return Drawn()
    found = most_particular(
        reference.policies(ReferralRates), crossing.pair, crossing.direction, as_of(crossing)
    )
    if found is None:
        return Drawn()
    key = reference.random_key
    if key is None or key_hash(key) != found.key_sha256:
        return Drawn(flags=("random_key_missing",))
    result = draw(key, crossing.crossing_id, rate_of(found, tier or "T0"))
    causes = (f"random:{found.key_sha256[:16]}",) if result.drawn else ()
    return Drawn(causes, draw=result)


def referred_by_officer(crossing: Crossing) -> tuple[str, ...]:
    """The cause `officer`: an officer of the entered country wanted a closer look, whatever was decided after it."""
    here = country_entered(crossing)
    looked = any(
        one.country == here and one.outcome in ("secondary", "held") for one in crossing.rulings
    )
    return ("officer",) if looked else ()


def _goods_flags(joined: Joined) -> tuple[str, ...]:
    shipments = joined.trip.shipments if joined.trip is not None else ()
    flags = []
    if any(line.hazmat for one in shipments for line in one.commodities):
        flags.append("hazmat")
    if any(one.other_department for one in shipments):
        flags.append("other_department")
    return tuple(flags)


def _limit(
    crossing: Crossing,
    joined: Joined,
    reference: Reference,
    load: Load,
    may: Eligibility,
) -> int | None:
    if joined.trip is None:
        return None
    rows = reference.policies(FilingLimits)
    row = most_particular(rows, crossing.pair, crossing.direction, as_of(crossing))
    if row is None:
        return FILING_LIMIT_MIN.get(entered(joined.trip))
    if row.empties_exempt and load in ("empty", "bobtail"):
        return None
    if row.fast_minutes is not None and "fast" in may.lanes:
        return row.fast_minutes
    return row.minutes
