"""The same inputs under two sets of policies, and what differs: trips and lanes stages, record by record."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from schemas.arrival import ArrivalNotice
from schemas.policy import GatewayKey, Policy
from schemas.ports import Port
from schemas.wire import decode
from stream.lanes.step import LANES
from stream.ndjson import Line
from stream.reference import Reference
from stream.stage import Stage
from stream.straight import Straight
from stream.trips.step import TRIPS

_STAGES: Final[tuple[Stage, ...]] = (TRIPS, LANES)


class Difference(NamedTuple):
    """One field of a crossing's last notice under both sets."""

    crossing_id: str
    field: str
    left: tuple[str, ...]
    right: tuple[str, ...]


def notices_under(
    policies: Iterable[Policy], lines: Iterable[Line], ports: Mapping[str, Port]
) -> dict[str, ArrivalNotice]:
    """The last notice of each crossing. Policies in the recording itself count only as keys of gateways."""
    straight = Straight(_STAGES, Reference(ports))
    for row in policies:
        straight.reference.fold("policies", row.policy_id, row)
    notices: dict[str, ArrivalNotice] = {}
    for line in lines:
        if line.topic == "policies" and not isinstance(line.message, GatewayKey):
            continue
        for written in straight.take(line.topic, line.key, line.at_us, line.message):
            if written.topic == "arrivals":
                notice = decode(written.topic, written.value)
                if isinstance(notice, ArrivalNotice):
                    notices[notice.crossing_id] = notice
    return notices


def differences(
    left: Mapping[str, ArrivalNotice], right: Mapping[str, ArrivalNotice]
) -> Iterator[Difference]:
    """What differs, by crossing and field."""
    for crossing_id in sorted(left.keys() | right.keys()):
        one, two = _shown(left.get(crossing_id)), _shown(right.get(crossing_id))
        for field in one:
            if one[field] != two[field]:
                yield Difference(crossing_id, field, one[field], two[field])


def _shown(notice: ArrivalNotice | None) -> dict[str, tuple[str, ...]]:
    may = None if notice is None else notice.eligibility
    return {
        "lanes": () if may is None else may.lanes,
        "tier": () if may is None or may.tier is None else (may.tier,),
        "reasons": () if may is None else may.reasons,
        "missing": () if may is None else may.missing,
        "referral_causes": () if notice is None else notice.referral_causes,
        "flags": () if notice is None else notice.flags,
        "state": () if notice is None else (notice.state,),
    }


def summary(found: Sequence[Difference], crossings: int) -> str:
    """One line for people."""
    differ = len({one.crossing_id for one in found})
    return f"{crossings} crossings, {differ} differ"
