"""Look at a crossing anew and say what differs from what was last written about it.

Everything that is emitted about a crossing comes from here. It depends on the crossing, the clock and the
reference rows alone, so it does not matter in which order they came.
"""

from collections.abc import Iterator
from typing import NamedTuple

from msgspec.structs import replace

from schemas.alert import Alert
from schemas.message import Message
from schemas.trips import TripUse
from stream.lanes.arrival_time import eta_of, for_class
from stream.lanes.aside import tell
from stream.lanes.crossing import forward, lane_of
from stream.lanes.diverted import diverted
from stream.lanes.ended import crossing_ended, waiting_rows, wanted_waiting
from stream.lanes.grouping import is_group
from stream.lanes.join import NEAR, Joined, join, know
from stream.lanes.notice import arrival_notice, content
from stream.lanes.people import difference, merge, wanted_ends
from stream.lanes.rows import Crossing, Emitted, Use
from stream.lanes.statuses import card_alerts, recheck_us
from stream.lanes.turns import first_of, rules_turn_us
from stream.lanes.world import World


class Settled(NamedTuple):
    """The crossing as it is now, and what has to be written: topic and message."""

    crossing: Crossing
    outputs: list[tuple[str, Message]]


def settle(crossing: Crossing, world: World, cause: str) -> Settled:
    """Join, judge and compare. `cause` names the input for what it closes."""
    reference = world.reference
    known = know(crossing, reference)
    lane = lane_of([one.heard for one in known if one.is_truck]) or lane_of(forward(crossing))
    eta = eta_of(crossing, world.state, reference)
    now = crossing
    if eta is not crossing.eta or (lane is not None and lane != crossing.lane):
        now = replace(crossing, lane=lane or crossing.lane, eta=eta)
    joined = join(now, known, reference, lambda trip: _used(world, trip, now))
    trip = joined.trip.trip_number if joined.trip else None
    away = diverted(now, joined, reference) if now.how is None else None
    if away is not None:
        trip = away.trip
        now = replace(now, how="diverted", ended_at_us=away.at_us, eta=None)
    recheck = first_of(
        recheck_us(now, known, world.clock.now_us),
        rules_turn_us(now, joined, reference, world.clock.now_us),
    )
    if trip != now.trip or recheck != now.recheck_us:
        now = replace(now, trip=trip, recheck_us=recheck)
    outputs: list[tuple[str, Message]] = []

    noticed = arrival_notice(now, joined, reference)
    eta = for_class(now, world.state, reference, noticed.notice.eligibility)
    if eta != now.eta:
        now = replace(now, eta=eta)
        noticed = arrival_notice(now, joined, reference)
    notice = noticed.notice
    says = content(notice)
    if says != now.content:
        outputs.append(("arrivals", notice))
        now = replace(now, content=says, revision=notice.revision)
        now, beside = tell(now, noticed, joined, reference)
        outputs.extend(beside)

    ends = wanted_ends(now, joined)
    written = difference(now.emitted, ends)
    if written:
        now = replace(now, end_revision=now.end_revision + 1, emitted=merge(now.emitted, written))
        outputs.extend(
            ("crossings", crossing_ended(now, joined, reference, one, now.end_revision))
            for one in written
        )

    waiting = wanted_waiting(now, joined, ends)
    outputs.extend(("unmatched", row) for row in waiting_rows(now, waiting, cause))
    if waiting != now.waiting:
        now = replace(now, waiting=waiting)
    for alert in _alerts(now, joined, world, ends):
        if alert.alert_id not in now.alerted:
            now = replace(now, alerted=(*now.alerted, alert.alert_id))
            outputs.append(("alerts", alert))
    now, uses = _uses(now, ends, cause)
    outputs.extend(("trip-filings", use) for use in uses)
    return Settled(now, outputs)


def _used(world: World, trip: str, crossing: Crossing) -> bool:
    """Whether another crossing entered under the trip, before this one where both did."""
    return any(
        other.crossing_id != crossing.crossing_id
        and other.use is not None
        and other.use.how == "used"
        and other.use.trip == trip
        and (
            crossing.how != "entered"
            or crossing.ended_at_us is None
            or (other.use.at_us, other.number) < (crossing.ended_at_us, crossing.number)
        )
        for other in world.using(trip)
    )


def _uses(
    crossing: Crossing, ends: tuple[Emitted, ...], cause: str
) -> tuple[Crossing, list[TripUse]]:
    """What is to be said of the trips that the crossing used, or uses no more."""
    how = None
    if crossing.how == "diverted":
        how = "diverted"
    elif any(one.how == "entered" for one in ends):
        how = "used"
    wanted = None
    if how is not None and crossing.trip is not None and crossing.ended_at_us is not None:
        wanted = (crossing.trip, how, crossing.ended_at_us)
    last = crossing.use
    said = None if last is None or last.how == "released" else (last.trip, last.how, last.at_us)
    if wanted == said:
        return crossing, []
    revision = 0 if last is None else last.revision
    found = []
    if said is not None and (wanted is None or wanted[0] != said[0]):
        revision += 1
        found.append(
            _use(
                crossing, Use(trip=said[0], how="released", at_us=said[2], revision=revision), cause
            )
        )
    now = Use(trip=said[0], how="released", at_us=said[2], revision=revision) if said else last
    if wanted is not None:
        now = Use(trip=wanted[0], how=wanted[1], at_us=wanted[2], revision=revision + 1)
        found.append(_use(crossing, now, cause))
    return replace(crossing, use=now), found


def _use(crossing: Crossing, use: Use, cause: str) -> TripUse:
    how = use.how
    return TripUse(
        trip_number=use.trip,
        crossing_id=crossing.crossing_id,
        pair=crossing.pair,
        how="used" if how == "used" else "diverted" if how == "diverted" else "released",
        revision=use.revision,
        at_us=use.at_us,
        source_event_id=cause[:200],
    )


def _alerts(
    crossing: Crossing, joined: Joined, world: World, ends: tuple[Emitted, ...]
) -> Iterator[Alert]:
    if crossing.merged_into is not None:
        return
    yield from card_alerts(crossing, joined.known)
    if any(one.how == "entered" for one in ends):
        yield from _undeclared(crossing, joined, world, {one.person for one in ends})


def _undeclared(
    crossing: Crossing, joined: Joined, world: World, recorded: set[str | None]
) -> Iterator[Alert]:
    """Cards that no trip declares and that were heard only beside the truck's lane: no record, but somebody should look."""
    if joined.trip is None:
        return
    declared = {*joined.trip.drivers, *joined.trip.passengers}
    for one in joined.known:
        person = one.person
        if person is None or person in declared or person in recorded:
            continue
        elsewhere = one.heard.lane != crossing.lane or is_group(
            world.reference, crossing.pair, one.heard.lane
        )
        if elsewhere and one.heard.position in NEAR:
            yield Alert(
                alert_id=f"undeclared_card|{crossing.crossing_id}|{person}",
                kind="undeclared_card",
                severity="warning",
                subject=one.card or person,
                pair=crossing.pair,
                at_us=crossing.at_us,
                evidence=one.heard.event_ids[:1],
                what_to_do="A card that no trip declares was heard beside the vehicle's lane only: no record was made.",
            )
