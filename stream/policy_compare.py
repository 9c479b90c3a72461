"""The same inputs under two sets of policies, and what differs: trips and lanes stages, record by record."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from schemas.arrival import ArrivalNotice
from schemas.border import CrossingEnded, Unmatched
from schemas.policy import GatewayKey, Policy
from schemas.ports import Port
from schemas.wire import decode
from stream.lanes.step import LANES
from stream.ndjson import Line
from stream.reference import Reference
from stream.stage import Stage
from stream.straight import Straight, Written
from stream.trips.step import TRIPS

_STAGES: Final[tuple[Stage, ...]] = (TRIPS, LANES)

#: What only says why: two sets with other programmes give other reasons for the same lanes.
WHY: Final = ("reasons", "missing")

#: Values named in the summary of one field, the most frequent ones.
_MOST_NAMED: Final = 6


class Difference(NamedTuple):
    """One field of a crossing under both sets. `only`: the crossing is there under one set alone."""

    crossing_id: str
    field: str
    left: tuple[str, ...]
    right: tuple[str, ...]


@dataclass(slots=True)
class Came:
    """What came of a crossing: its last notice, how it ended for each person, and what waits for its other half."""

    notice: ArrivalNotice | None = None
    ends: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)


Outcomes = Mapping[str, Came]
"""By crossing."""


def outcomes_under(
    policies: Iterable[Policy], lines: Sequence[Line], ports: Mapping[str, Port]
) -> dict[str, Came]:
    """What comes of each crossing that stays one. Policies in the recording itself count only as keys of gateways.

    Time passes as in a replay: without ticks of its own, the recording gets them from its lines.
    """
    straight = Straight(_STAGES, Reference(ports))
    for row in policies:
        straight.reference.fold("policies", row.policy_id, row)
    came: defaultdict[str, Came] = defaultdict(Came)
    ticked = any(line.key == "tick" for line in lines)
    for line in lines:
        if line.topic == "policies" and not isinstance(line.message, GatewayKey):
            continue
        if not ticked:
            _take(straight.pass_time(line.at_us), came)
        _take(straight.take(line.topic, line.key, line.at_us, line.message), came)
    return {
        name: one
        for name, one in came.items()
        if one.notice is not None and one.notice.state != "merged"
    }


def _take(written: Iterable[Written], came: defaultdict[str, Came]) -> None:
    for one in written:
        if one.topic not in ("arrivals", "crossings", "unmatched"):
            continue
        match decode(one.topic, one.value):
            case ArrivalNotice() as notice:
                came[notice.crossing_id].notice = notice
            case CrossingEnded(crossing_id=name, person=person, how=how):
                came[name].ends[person or "nobody known"] = how
            case Unmatched(crossing_id=str() as name) as row:
                if row.closed_by is None:
                    came[name].waiting[row.unmatched_id] = row.kind
                else:
                    came[name].waiting.pop(row.unmatched_id, None)
            case _:
                pass


def differences(left: Outcomes, right: Outcomes) -> Iterator[Difference]:
    """What differs, by crossing and field; a crossing is named as it is under the first set."""
    for crossing_id, one, two in _paired(left, right):
        if one is None or two is None:
            states = [() if came is None else _shown(came)["state"] for came in (one, two)]
            yield Difference(crossing_id, "only", *states)
            continue
        first, second = _shown(one), _shown(two)
        for name in first:
            if first[name] != second[name]:
                yield Difference(crossing_id, name, first[name], second[name])


def _paired(left: Outcomes, right: Outcomes) -> Iterator[tuple[str, Came | None, Came | None]]:
    """Crossings that are the same under both: by where and when they began.

    An id may stand for another vehicle, where late sightings were told apart in another order.
    """
    by_place = {_place(name, came): (name, came) for name, came in right.items()}
    for name in sorted(left):
        found = by_place.pop(_place(name, left[name]), None)
        yield name, left[name], None if found is None else found[1]
    for name, came in sorted(by_place.values(), key=lambda pair: pair[0]):
        yield name, None, came


def _place(name: str, came: Came) -> tuple[str, str, int, str]:
    notice = came.notice
    if notice is None:
        return "", "", 0, name
    trucks = (link.id or "" for link in notice.links if link.role == "truck")
    return notice.pair, notice.direction, notice.first_read_us, next(trucks, "")


def _shown(came: Came) -> dict[str, tuple[str, ...]]:
    notice = came.notice
    if notice is None:
        return {}
    may = notice.eligibility
    ends = (f"{person} {how}" for person, how in sorted(came.ends.items()) if how != "withdrawn")
    return {
        "lanes": may.lanes,
        "tier": () if may.tier is None else (may.tier,),
        "reasons": may.reasons,
        "missing": may.missing,
        "referral_causes": notice.referral_causes,
        "flags": notice.flags,
        "state": (notice.state,),
        "ends": tuple(ends),
        "unmatched": tuple(sorted(came.waiting.values())),
    }


def summary(found: Sequence[Difference], crossings: int) -> list[str]:
    """Lines for people: how many differ, in how many more than the reasons does, and in what."""
    differ = {one.crossing_id for one in found}
    matters = {one.crossing_id for one in found if one.field not in WHY}
    head = f"{crossings} crossings: {len(differ)} differ, {len(matters)} of them in more than {' and '.join(WHY)}"
    fields = dict.fromkeys(one.field for one in found if one.field not in WHY)
    return [head, *(_field([one for one in found if one.field == name]) for name in fields)]


def _field(found: Sequence[Difference]) -> str:
    """How many crossings differ in a field, and what comes and goes with the second set."""
    name = found[0].field
    if name in ("ends", "only"):
        return f"{name}: {len(found)}"
    moves: Counter[str] = Counter()
    for one in found:
        if len(one.left) == len(one.right) == 1:
            moves[f"{one.left[0]} > {one.right[0]}"] += 1
        else:
            # `filed_late:12` is one finding, whatever the minutes.
            left, right = (
                Counter(value.partition(":")[0] if name == "flags" else value for value in side)
                for side in (one.left, one.right)
            )
            moves.update(f"+{value}" for value in (right - left).elements())
            moves.update(f"-{value}" for value in (left - right).elements())
    most = (f"{what} {count}" for what, count in moves.most_common(_MOST_NAMED))
    return f"{name}: {len(found)} ({', '.join(most)})"
