"""Which crossing an officer's decision is about."""

from collections.abc import Iterable
from typing import Final

from schemas.gate import Decision
from stream.lanes.grouping import SECOND
from stream.lanes.rows import Crossing, Heard, Ruling

#: How far a decision's time may lie outside the sightings at the booth.
SLACK_US: Final = 5 * SECOND

#: Decisions about one crossing beyond this are the latest ones: bounds the row.
MAX_RULINGS: Final = 50


def find_target(
    decision: Decision, named: Crossing | None, at_booth: Iterable[Crossing]
) -> Crossing | None:
    """The crossing that the decision names, else whatever stood at the lane's booth at that moment.

    `named`: the crossing of the decision's `crossing_id`. `at_booth`: crossings heard at primary or secondary
    of its lane.
    """
    if decision.crossing_id is not None:
        return named if named is not None and named.pair == decision.pair else None
    there = [
        (first, crossing.crossing_id, crossing)
        for crossing in at_booth
        if (first := _stood_since(crossing, decision)) is not None
    ]
    return max(there)[2] if there else None


def rule(crossing: Crossing, decision: Decision) -> tuple[Ruling, ...]:
    """The crossing's decisions with one more."""
    ruling = Ruling(
        event_id=decision.event_id,
        at_us=decision.at_us,
        country=decision.country,
        outcome=decision.outcome,
        subjects=decision.subjects,
        persons=decision.persons,
    )
    others = [one for one in crossing.rulings if one.event_id != ruling.event_id]
    every = sorted((*others, ruling), key=lambda one: (one.at_us, one.event_id))
    return tuple(every[-MAX_RULINGS:])


def _stood_since(crossing: Crossing, decision: Decision) -> int | None:
    """Since when the crossing stood at the booth at the decision's moment, None when it did not."""
    ended = crossing.ended_at_us
    if ended is not None and decision.at_us > ended + SLACK_US:
        return None
    stays = [
        heard.first_us
        for heard in crossing.heard
        if heard.position in ("primary", "secondary")
        and heard.lane == decision.lane
        and heard.first_us - SLACK_US <= decision.at_us
        and decision.at_us <= _until(heard, decision.at_us, ended)
    ]
    return min(stays, default=None)


def _until(heard: Heard, now_us: int, ended: int | None) -> int:
    """Until when the vehicle can have been meant: while it is heard, but not once it was let go."""
    last = heard.last_us if heard.gone else now_us
    return last + SLACK_US if ended is None else min(last, ended) + SLACK_US
