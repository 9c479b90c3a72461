"""The arrival notice of a crossing, and the hash that tells whether it says anything new."""

import hashlib
from typing import NamedTuple

import msgspec

from schemas.arrival import ArrivalNotice
from schemas.reference import Trip
from stream.lanes.crossing import (
    country_entered,
    export_cleared,
    forward,
    overall_ruling,
    position_of,
    state_of,
)
from stream.lanes.hours import is_closed
from stream.lanes.join import Joined, everything_read
from stream.lanes.judge import Drawn, Judgement, drawn, judge, referred, referred_by_officer
from stream.lanes.rows import Crossing
from stream.lanes.statuses import status_flags
from stream.policy.targeting import Targeted
from stream.reference import Reference
from stream.trips.arrival import late_minutes, port_flag, vin_differs


class Noticed(NamedTuple):
    """A notice, and what it was referred by."""

    notice: ArrivalNotice
    targeted: Targeted
    random: Drawn


def arrival_notice(crossing: Crossing, joined: Joined, reference: Reference) -> Noticed:
    """The next revision of the crossing's notice."""
    ruling = overall_ruling(crossing)
    judgement = judge(crossing, joined, reference)
    flags = _flags(crossing, joined, reference, judgement)
    targeted = referred(crossing, joined, reference, judgement, flags)
    random = drawn(crossing, reference, judgement.eligibility.tier)
    failed = [f"targeting_failed:{name}" for name in targeted.failed]
    ended = crossing.ended_at_us is not None or crossing.lost_at_us is not None
    notice = ArrivalNotice(
        crossing_id=crossing.crossing_id,
        revision=crossing.revision + 1,
        pair=crossing.pair,
        direction=crossing.direction,
        state=state_of(crossing),
        lane=crossing.lane,
        position=position_of(crossing),
        first_read_us=crossing.first_us,
        last_read_us=crossing.last_us,
        eta_us=None if crossing.eta is None else crossing.eta.p50_us,
        eta_p90_us=None if crossing.eta is None else crossing.eta.p90_us,
        links=joined.links,
        shipments=joined.trip.shipments if joined.trip else (),
        eligibility=judgement.eligibility,
        referral_causes=(*random.causes, *targeted.causes, *referred_by_officer(crossing)),
        flags=(*flags, *random.flags, *failed),
        decision=None if ruling is None else ruling.outcome,
        provisional=not ended and not everything_read(joined),
        merged_into=crossing.merged_into,
        split_from=crossing.split_from,
        continues=_continues(crossing, joined),
        source_event_ids=source_event_ids(crossing),
        at_us=crossing.at_us,
    )
    return Noticed(notice, targeted, random)


def content(notice: ArrivalNotice) -> bytes:
    """Hash of what a reader of the notice sees: without revision, source ids and running times."""
    same = msgspec.structs.replace(notice, revision=0, last_read_us=0, at_us=0, source_event_ids=())
    return hashlib.blake2b(msgspec.msgpack.encode(same), digest_size=16).digest()


def source_event_ids(crossing: Crossing) -> tuple[str, ...]:
    """The events behind the crossing as it stands, each once, sightings first."""
    sightings = (event_id for heard in crossing.heard for event_id in heard.event_ids)
    words = (word.event_id for word in crossing.words())
    return tuple(dict.fromkeys((*sightings, *words)))


def _continues(crossing: Crossing, joined: Joined) -> str | None:
    """The crossing at another pair that was diverted with the trip of this one."""
    for use in reversed(joined.trip.uses if joined.trip is not None else ()):
        if use.how == "diverted" and use.pair != crossing.pair:
            return use.crossing_id
    return None


def _flags(
    crossing: Crossing, joined: Joined, reference: Reference, judgement: Judgement
) -> tuple[str, ...]:
    """Everything that the officer should know beside the links, each once, by name."""
    if crossing.merged_into is not None:
        return ()
    flags = {*joined.flags, *status_flags(crossing, joined.known, reference)}
    flags.update(judgement.flags)
    flags.update(_site_flags(crossing, joined, reference, judgement))
    if any(one.is_odd for one in joined.known):
        flags.add("card_holder_no_person")
    if crossing.held:
        flags.add("waiting_for_gateway")
    if any(one.untrusted for one in crossing.heard):
        flags.add("untrusted_clock")
    if any(one.direction != crossing.direction for one in crossing.heard):
        flags.add("return_leg")
    if export_cleared(crossing):
        flags.add("export_cleared")
    trucks = [one.heard for one in joined.known if one.is_truck] or forward(crossing)
    if trucks and max(trucks, key=lambda one: one.first_us).ambiguous:
        flags.add("ambiguous_lane")
    if crossing.how == "entered" and overall_ruling(crossing) is None:
        flags.add("released_in_motion")
    return tuple(sorted(flags))


def _trip_flags(
    crossing: Crossing, trip: Trip, reference: Reference, limit: int | None
) -> list[str]:
    """What arriving here and now says of the trip, and what is odd about its identifiers."""
    port = port_flag(trip, crossing.pair, reference.ports)
    flags = [finding.code for finding in trip.findings]
    flags += [] if port is None else [port]
    truck = reference.truck(trip.truck or "")
    if truck is not None and vin_differs(trip, truck):
        flags.append("vin_mismatch")
    at_gate = [heard.first_us for heard in crossing.heard if heard.position != "queue"]
    minutes = 0 if limit is None else late_minutes(trip, min(at_gate, default=None), limit)
    return [*flags, f"filed_late:{minutes}"] if minutes else flags


def _site_flags(
    crossing: Crossing, joined: Joined, reference: Reference, judgement: Judgement
) -> list[str]:
    flags = ["too_many_cards"] if crossing.crowded else []
    if joined.trip is not None:
        flags += _trip_flags(crossing, joined.trip, reference, judgement.filing_limit_min)
    site = reference.site(crossing.pair)
    if site is not None and is_closed(site, country_entered(crossing), crossing.first_us):
        flags.append("unexpected_activity")
    if crossing.closed and crossing.how == "entered" and site is not None:
        expects = any(
            point.position == "exit" and point.lane == crossing.lane for point in site.read_points
        )
        if expects and not any(heard.position == "exit" for heard in crossing.heard):
            flags.append("exit_read_missing")
    return flags
