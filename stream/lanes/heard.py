"""Stays: what a sighting tells, and which sightings are one stay.

Sightings of one token at one read point that are at most a minute apart are one stay, whichever crossing
they were put into: so the stays do not depend on the order in which events came.
"""

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from schemas.gate import Sighting
from stream.lanes.rows import SECOND, Heard

#: Event ids kept for one stay: the first one and the latest ones.
MAX_EVENT_IDS: Final = 4

#: Stays of one crossing beyond this are left out and flagged: bounds the row.
MAX_HEARD: Final = 100

#: Sightings of one token at one read point no further apart than this are one stay.
ONE_STAY_US: Final = 60 * SECOND


def stay_of(sighting: Sighting, who: str, *, gone: bool, untrusted: bool) -> Heard:
    """The stay as this one event tells it."""
    return Heard(
        token=sighting.token,
        who=who,
        read_point=sighting.read_point,
        lane=sighting.lane,
        position=sighting.position,
        direction=sighting.direction,
        to_booth_s=sighting.to_booth_s,
        first_us=sighting.first_us,
        last_us=max(sighting.first_us, sighting.last_us),
        gone=gone,
        event_ids=(sighting.event_id,),
        reverse=sighting.travel == "reverse",
        ambiguous=sighting.ambiguous,
        untrusted=untrusted,
    )


def is_same_stay(one: Heard, other: Heard) -> bool:
    """Whether two stays are one."""
    return (
        one.token == other.token
        and one.read_point == other.read_point
        and one.first_us - ONE_STAY_US <= other.last_us
        and other.first_us - ONE_STAY_US <= one.last_us
    )


def union(old: Heard, new: Heard) -> Heard:
    """Both as one stay; `new` is what came later."""
    later = new if new.last_us >= old.last_us else old
    ids = (*old.event_ids, *[one for one in new.event_ids if one not in old.event_ids])
    if len(ids) > MAX_EVENT_IDS:
        ids = (ids[0], *ids[-(MAX_EVENT_IDS - 1) :])
    return replace(
        old,
        direction=min(old.direction, new.direction),
        first_us=min(old.first_us, new.first_us),
        last_us=max(old.last_us, new.last_us),
        gone=old.gone or new.gone if new.last_us == old.last_us else later.gone,
        event_ids=ids,
        reverse=old.reverse or new.reverse,
        ambiguous=later.ambiguous,
        untrusted=old.untrusted and new.untrusted,
    )


def ordered(every: Sequence[Heard]) -> tuple[tuple[Heard, ...], bool]:
    """The stays in the order of grouping, at most `MAX_HEARD`; whether any had to be left out."""
    last = -1
    for one in every:
        if one.first_us <= last:
            every = sorted(every, key=_key)
            break
        last = one.first_us
    by_time = tuple(every)
    return by_time[:MAX_HEARD], len(by_time) > MAX_HEARD


def _key(heard: Heard) -> tuple[int, str, str]:
    return heard.first_us, heard.token, heard.read_point
