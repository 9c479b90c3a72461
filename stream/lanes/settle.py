"""Look at a crossing anew and say what differs from what was last written about it.

Everything that is emitted about a crossing comes from here. It depends on the crossing and the reference
rows alone, so it does not matter in which order they came.
"""

from typing import NamedTuple

from msgspec.structs import replace

from schemas.message import Message
from stream.lanes.crossing import ending, lane_of, overall_ruling
from stream.lanes.ended import (
    crossing_ended,
    difference,
    merge,
    waiting_rows,
    wanted_ends,
    wanted_waiting,
)
from stream.lanes.join import join, know
from stream.lanes.notice import arrival_notice, content
from stream.lanes.rows import Crossing, LanesState
from stream.reference import Reference


class Settled(NamedTuple):
    """The crossing as it is now, and what has to be written: topic and message."""

    crossing: Crossing
    outputs: list[tuple[str, Message]]


def settle(crossing: Crossing, state: LanesState, reference: Reference, cause: str) -> Settled:
    """Join, judge and compare. `cause` names the input for what it closes."""
    here = crossing.crossing_id
    ruling = overall_ruling(crossing)
    ended_at_us = ruling.at_us if ruling is not None and ending(ruling) is not None else None
    known = know(crossing, reference)
    now = replace(
        crossing,
        lane=lane_of([one.heard for one in known if one.is_truck] or crossing.heard),
        ended_at_us=ended_at_us,
        heard=tuple([one.resolved for one in known]),
    )
    joined = join(now, known, reference, lambda trip: _used(state, trip, here))
    now = replace(now, trip=joined.trip.trip_number if joined.trip else None)
    outputs: list[tuple[str, Message]] = []

    notice = arrival_notice(now, joined, reference)
    says = content(notice)
    if says != now.content:
        outputs.append(("arrivals", notice))
        now = replace(now, content=says, revision=notice.revision)

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
    return Settled(replace(now, waiting=waiting), outputs)


def _used(state: LanesState, trip: str, crossing_id: str) -> bool:
    """Whether another crossing entered under the trip."""
    return any(
        other.crossing_id != crossing_id and any(one.how == "entered" for one in other.emitted)
        for other in state.joined_with(trip)
    )
