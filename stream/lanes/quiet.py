"""What changes nothing for those who look: most ends of stays, and most stays that join a crossing."""

from collections.abc import Sequence

from stream.lanes.crossing import position_of, primary_us
from stream.lanes.due import MATCH_US
from stream.lanes.ends import RANK
from stream.lanes.grouping import trips_for
from stream.lanes.rows import Crossing, Heard
from stream.lanes.world import World


def says_the_same(before: Crossing, now: Crossing) -> bool:
    """Whether only ends of stays, their event ids and the time of the input differ, and no time-out is over."""
    if (
        now.closed
        or now.held
        or before.closed
        or before.held
        or now.recheck_us is not None
        or now.merged_into != before.merged_into
        or now.how != before.how
        or now.ended_at_us != before.ended_at_us
        or now.direction != before.direction
        or now.crowded != before.crowded
        or len(now.heard) != len(before.heard)
        or (now.rulings is not before.rulings and now.rulings != before.rulings)
        or (now.keyed is not before.keyed and now.keyed != before.keyed)
        or (now.corrected is not before.corrected and now.corrected != before.corrected)
    ):
        return False
    for one, other in zip(now.heard, before.heard, strict=True):
        if one is not other and not _same(one, other):
            return False
    return True


def _same(one: Heard, other: Heard) -> bool:
    return (
        one.first_us == other.first_us
        and one.token == other.token
        and one.read_point == other.read_point
        and one.who == other.who
        and one.lane == other.lane
        and one.ambiguous == other.ambiguous
        and one.untrusted == other.untrusted
    )


def heard_again(before: Crossing, now: Crossing) -> bool:
    """Whether a card that was heard before is now heard at the booth too, where the vehicle is known to stand.

    Nothing that anybody is told looks at such a stay before an officer has decided: not who is there, nor since when,
    nor in which lane. It has no time-out and no ETA either.
    """
    if (
        len(now.heard) != len(before.heard) + 1
        or before.how is not None
        or now.how is not None
        or before.eta is not None
        or now.rulings
        or now.keyed
        or now.corrected
        or before.closed
        or before.held
        or before.lost_at_us is not None
        or now.recheck_us is not None
        or now.merged_into is not None
        or now.crowded
        or now.in_motion
        or now.direction != before.direction
        or now.split_from != before.split_from
    ):
        return False
    old = {id(one) for one in before.heard}
    new = [one for one in now.heard if id(one) not in old]
    return len(new) == 1 and _is_told(before, new[0])


def _is_told(before: Crossing, stay: Heard) -> bool:
    """Whether the crossing has said everything that the stay at the booth tells."""
    first_us = primary_us(before)
    if (
        stay.position != "primary"
        or position_of(before) != "primary"
        or first_us is None
        or stay.first_us < first_us
        or stay.lane != before.lane
        or stay.direction != before.direction
        or stay.ambiguous
        or stay.untrusted
        or stay.reverse
    ):
        return False
    was_heard = False
    for one in before.heard:
        if one.ambiguous:
            return False
        if one.token == stay.token:
            was_heard = was_heard or (
                one.first_us < stay.first_us and one.direction == stay.direction
            )
        elif one.who == stay.who:
            return False
    return was_heard


def grows_quietly(crossing: Crossing, old: Heard, whole: Heard) -> bool:
    """Whether nothing of the crossing but its last read follows from the longer stay.

    Its end looks at the end of a stay only when a later one of the same card tells that it went back, or the tag
    moved against the lane.
    """
    if (
        crossing.closed
        or crossing.how == "diverted"
        or whole.reverse
        or old.direction != whole.direction
        or old.untrusted != whole.untrusted
    ):
        return False
    for one in crossing.heard:
        if one.who == old.who and one is not old and one.first_us >= old.first_us:
            return False
    return True


def joins_quietly(world: World, before: Crossing, now: Crossing, stay: Heard) -> bool:
    """Whether no later stay or word of the crossing would choose differently now that the stay joined it.

    `choose` and `find_target` look at a crossing's first stay, its end, its last read, its trucks and trips and at what
    stood beside or at the booth. The stay is not the first one, tells nothing of an end, is no second truck, and
    nothing that came later came so late that it matters when the last read was. Of trips, a stay that was beside the
    crossing may belong elsewhere only if the one that joined has some.
    """
    heard = now.heard
    if (
        not before.heard
        or heard[0] is stay
        or _may_end(before, now, stay)
        or world.newest[0] > MATCH_US + _last_before(heard, stay)
    ):
        return False
    is_truck = stay.who.startswith("truck:")
    if is_truck and any(one.who != stay.who and one.who.startswith("truck:") for one in heard):
        return False
    trips = {trip.trip_number for trip in world.trips_of(stay.who)}
    if not trips:
        return True
    for one in heard:
        if one.first_us >= stay.first_us and one is not stay:
            theirs = trips_for(world, one.who, one.direction, one.first_us)
            if theirs and trips.isdisjoint([trip.trip_number for trip in theirs]):
                return False
    return True


def _last_before(heard: Sequence[Heard], stay: Heard) -> int:
    """The last read of the stays that come surely before it: of the first one at least."""
    last_us = heard[0].last_us
    for one in heard:
        if one.first_us >= stay.first_us:
            break
        last_us = max(last_us, one.last_us)
    return last_us


def _may_end(before: Crossing, now: Crossing, stay: Heard) -> bool:
    """Whether the stay may tell, together with others or alone, that the vehicle left or went back."""
    if (
        now.in_motion
        or now.crowded
        or stay.reverse
        or stay.untrusted
        or stay.direction != now.direction
        or (before.how, before.ended_at_us) != (now.how, now.ended_at_us)
        or before.how == "diverted"
    ):
        return True
    rank, is_later = RANK[stay.position], False
    for one in now.heard:
        if one is stay:
            is_later = True
        elif one.who == stay.who:
            other = RANK[one.position]
            if (
                one.direction != now.direction
                or one.reverse
                or (other < rank if is_later else other > rank)
            ):
                return True
    return False
