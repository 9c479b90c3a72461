"""When time alone changes what the rules say of a crossing: a policy or a membership that comes into force or ends."""

from bisect import bisect_right
from typing import Final

from schemas.message import Message
from schemas.policy import GatewayKey, Policy
from stream.lanes.crossing import primary_us
from stream.lanes.due import AFTER_END_US
from stream.lanes.join import Joined
from stream.lanes.rows import HOUR, Crossing
from stream.lanes.shelves import LanesState
from stream.lanes.statuses import moment_of
from stream.reference import Reference

#: A turn that lies further ahead is looked for again: no crossing is under way for so long unheard.
SOON_US: Final = 12 * HOUR


def rules_turn_us(
    crossing: Crossing, joined: Joined, reference: Reference, now_us: int
) -> int | None:
    """The next turn before the vehicle is at primary; None when there is none soon.

    What is judged is fixed by the first read at primary and by the end.
    """
    if (
        crossing.ended_at_us is not None
        or crossing.lost_at_us is not None
        or primary_us(crossing) is not None
    ):
        return None
    moment = moment_of(crossing, now_us)
    turns = reference.policy_turns()
    at = bisect_right(turns, moment)
    found = [turns[at]] if at < len(turns) else []
    trip = joined.trip
    if trip is not None:
        named = [trip.carrier]
        for shipment in trip.shipments:
            named += [one for one in (shipment.importer, shipment.manufacturer) if one is not None]
        for name in dict.fromkeys(named):
            party = reference.party(name)
            found += [one.effective_from_us for one in (party.memberships if party else ())]
    soon = [one for one in found if moment < one <= moment + SOON_US]
    return min(soon, default=None)


def first_of(one: int | None, two: int | None) -> int | None:
    """The earlier of two moments, either of which may be none."""
    return two if one is None else one if two is None else min(one, two)


def counted_in_time(state: LanesState, message: Message | None) -> list[Crossing]:
    """Closed crossings for which a policy row counts: in force at their moment, accepted by their end, delivered late."""
    if not isinstance(message, Policy) or isinstance(message, GatewayKey):
        return []
    # Usually a row comes when it is accepted, and everything that is closed ended before.
    if message.accepted_at_us > state.clock.now_us - AFTER_END_US:
        return []
    return [one for one in state.closed() if _counts_for(message, one)]


def _counts_for(row: Policy, crossing: Crossing) -> bool:
    pair, direction = getattr(row, "pair", None), getattr(row, "direction", None)
    ended_us = crossing.lost_at_us if crossing.ended_at_us is None else crossing.ended_at_us
    return (
        pair in (None, crossing.pair)
        and direction in (None, crossing.direction)
        and ended_us is not None
        and row.accepted_at_us <= ended_us
        and row.holds_at(moment_of(crossing, 0))
    )
