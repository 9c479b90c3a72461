"""The arrival notice of a crossing, and the hash that tells whether it says anything new."""

import hashlib

import msgspec

from schemas.arrival import ArrivalNotice, Eligibility
from stream.lanes.crossing import expected_us, furthest, overall_ruling, state_of
from stream.lanes.heard import MAX_HEARD
from stream.lanes.join import Joined, everything_read
from stream.lanes.rows import Crossing
from stream.reference import Reference

#: Until lane policies exist nobody is eligible for a special lane.
NO_POLICY = Eligibility(reasons=("no_policy",))


def arrival_notice(crossing: Crossing, joined: Joined, reference: Reference) -> ArrivalNotice:
    """The next revision of the crossing's notice."""
    ruling = overall_ruling(crossing)
    ended = crossing.ended_at_us is not None or crossing.lost_at_us is not None
    return ArrivalNotice(
        crossing_id=crossing.crossing_id,
        revision=crossing.revision + 1,
        pair=crossing.pair,
        direction=crossing.direction,
        state=state_of(crossing),
        lane=crossing.lane,
        position=furthest(crossing).position,
        first_read_us=crossing.first_us,
        last_read_us=crossing.last_us,
        eta_us=None if ended else expected_us(crossing),
        links=joined.links,
        shipments=joined.trip.shipments if joined.trip else (),
        eligibility=NO_POLICY,
        flags=tuple(sorted((*joined.flags, *_site_flags(crossing, joined, reference)))),
        decision=None if ruling is None else ruling.outcome,
        provisional=not ended and not everything_read(joined),
        source_event_ids=source_event_ids(crossing),
        at_us=crossing.at_us,
    )


def content(notice: ArrivalNotice) -> bytes:
    """Hash of what a reader of the notice sees: without revision, source ids and running times."""
    same = msgspec.structs.replace(notice, revision=0, last_read_us=0, at_us=0, source_event_ids=())
    return hashlib.blake2b(msgspec.msgpack.encode(same), digest_size=16).digest()


def source_event_ids(crossing: Crossing) -> tuple[str, ...]:
    """The events behind the crossing as it stands, each once, sightings first."""
    sightings = (event_id for heard in crossing.heard for event_id in heard.event_ids)
    rulings = (ruling.event_id for ruling in crossing.rulings)
    return tuple(dict.fromkeys((*sightings, *rulings)))


def _site_flags(crossing: Crossing, joined: Joined, reference: Reference) -> list[str]:
    flags = ["too_many_cards"] if len(crossing.heard) >= MAX_HEARD else []
    port = reference.ports.get(crossing.pair)
    if joined.trip is not None and port is not None:
        into_us = crossing.direction.endswith("US")
        code = port.us_port_code if into_us else port.other_office_code
        verified = into_us or port.other_code_verified
        if code is None or not verified:
            flags.append("port_unverified")
        elif joined.trip.port_code != code:
            flags.append("port_mismatch")
    site = reference.site(crossing.pair)
    if crossing.closed and crossing.ended_at_us is not None and site is not None:
        expects = any(
            point.position == "exit" and point.lane == crossing.lane for point in site.read_points
        )
        if expects and not any(heard.position == "exit" for heard in crossing.heard):
            flags.append("exit_read_missing")
    return flags
