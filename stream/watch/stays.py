"""Stays of a card: what a sighting tells, which sightings are one stay, and how long they are kept.

The stays depend on the set of sightings alone, not on their order, and the same one twice changes nothing.
"""

from collections.abc import Collection, Iterator
from sys import intern
from typing import Final

from msgspec.structs import replace

from schemas.gate import split_event_id
from schemas.watch import CredentialSighting
from stream.watch.rows import HOUR, MINUTE, Stay, Tid

#: Stays are kept for so long after their end.
WINDOW_US: Final = 48 * HOUR

#: Stays kept of one card beside those that prove something; the oldest ones go. Bounds the row.
MAX_STAYS: Final = 64

#: Chips remembered of one stay.
MAX_TIDS: Final = 4

#: Sightings of one token at one read point no further apart than this are one stay, as in the lanes stage.
ONE_STAY_US: Final = MINUTE


def stay_of(told: CredentialSighting) -> Stay:
    """The stay as this one sighting tells it. Names that many stays share are kept once."""
    tid = told.tid_token
    event_id = told.source_event_id
    return Stay(
        token=intern(told.token),
        pair=intern(told.pair),
        lane=intern(told.lane),
        read_point=intern(told.read_point),
        position=told.position,
        direction=told.direction,
        first_us=told.first_us,
        last_us=max(told.first_us, told.last_us),
        event_id=event_id,
        clock_source=told.clock_source,
        tids=() if tid is None else (Tid(tid_token=tid, event_id=event_id, at_us=told.first_us),),
        crossing_id=told.crossing_id,
        untrusted=told.untrusted,
        ambiguous=told.ambiguous,
    )


def told_of(stay: Stay, credential_id: str) -> Iterator[CredentialSighting]:
    """Sightings that tell of the stay under another id: a card's token becomes known after it was heard."""
    whole = CredentialSighting(
        credential_id=credential_id,
        token=stay.token,
        pair=stay.pair,
        lane=stay.lane,
        read_point=stay.read_point,
        position=stay.position,
        direction=stay.direction,
        first_us=stay.first_us,
        last_us=stay.last_us,
        at_us=stay.last_us,
        clock_source=stay.clock_source,
        source_event_id=stay.event_id,
        crossing_id=stay.crossing_id,
        untrusted=stay.untrusted,
        ambiguous=stay.ambiguous,
    )
    yield whole
    for tid in stay.tids:
        yield replace(
            whole, tid_token=tid.tid_token, source_event_id=tid.event_id, first_us=tid.at_us
        )


def with_stay(stays: tuple[Stay, ...], new: Stay) -> tuple[tuple[Stay, ...], Stay]:
    """The stays with one more sighting, by time, the very same tuple when it tells nothing new; and the stay it is of."""
    point, token = new.read_point, new.token
    near = [one for one in stays if one.read_point == point and one.token == token]
    same = [one for one in near if _is_same(one, new)]
    if not same:
        ends = not stays or stays[-1].key < new.key
        return (*stays, new) if ends else _sorted((*stays, new)), new
    # One look suffices: stays lie more than a minute apart, so what touches the whole touches the new part.
    joined = new
    for one in same:
        joined = _union(one, joined)
    if len(same) == 1:
        return _in_place(stays, same[0], joined), joined
    return _sorted((*(one for one in stays if one not in same), joined)), joined


def _in_place(stays: tuple[Stay, ...], old: Stay, new: Stay) -> tuple[Stay, ...]:
    """The stays with one of them replaced by what it is now."""
    if new == old:
        return stays
    found = tuple([new if one is old else one for one in stays])
    return found if new.first_us == old.first_us else _sorted(found)


def _sorted(stays: tuple[Stay, ...]) -> tuple[Stay, ...]:
    return tuple(sorted(stays, key=_key))


def kept(stays: tuple[Stay, ...], evidence: Collection[str], now_us: int) -> tuple[Stay, ...]:
    """Those that are not over for longer than the window, and those that prove something.

    One that lies further ahead of the last tick (`now_us`, 0 before the first) than that is no time at all.
    """
    if now_us:
        stays = tuple(
            [
                one
                for one in stays
                if now_us - WINDOW_US <= one.last_us <= now_us + WINDOW_US or shows(one, evidence)
            ]
        )
    if len(stays) <= MAX_STAYS:
        return stays
    spare = [one for one in stays if not shows(one, evidence)]
    gone = set(spare[: len(stays) - MAX_STAYS])
    return tuple([one for one in stays if one not in gone])


def shows(stay: Stay, evidence: Collection[str]) -> bool:
    """Whether one of the events tells of the stay."""
    if not evidence:
        return False
    return stay.event_id in evidence or any(tid.event_id in evidence for tid in stay.tids)


def order_of(event_id: str) -> tuple[str, str, int]:
    """The order of a writer's events."""
    parts = split_event_id(event_id)
    return ("", event_id, 0) if parts is None else parts


def _key(stay: Stay) -> tuple[int, str, str, str]:
    return stay.key


def _is_same(one: Stay, other: Stay) -> bool:
    return (
        one.read_point == other.read_point
        and one.pair == other.pair
        and one.token == other.token
        and one.first_us - ONE_STAY_US <= other.last_us
        and other.first_us - ONE_STAY_US <= one.last_us
    )


def _union(one: Stay, other: Stay) -> Stay:
    """Both as one, whichever came first."""
    first, second = one, other
    if order_of(other.event_id) < order_of(one.event_id):
        first, second = other, one
    return replace(
        first,
        lane=min(one.lane, other.lane),
        first_us=min(one.first_us, other.first_us),
        last_us=max(one.last_us, other.last_us),
        tids=_chips(one.tids, other.tids) if one.tids or other.tids else (),
        crossing_id=max(first.crossing_id or "", second.crossing_id or "") or None,
        untrusted=one.untrusted or other.untrusted,
        ambiguous=one.ambiguous or other.ambiguous or one.lane != other.lane,
    )


def _chips(one: tuple[Tid, ...], other: tuple[Tid, ...]) -> tuple[Tid, ...]:
    """Each chip once, with the first sighting that told of it."""
    tids: dict[str, Tid] = {}
    for tid in (*one, *other):
        known = tids.get(tid.tid_token)
        if known is None or _tid_key(tid) < _tid_key(known):
            tids[tid.tid_token] = tid
    return tuple([tids[name] for name in sorted(tids)][:MAX_TIDS])


def _tid_key(tid: Tid) -> tuple[int, tuple[str, str, int]]:
    return tid.at_us, order_of(tid.event_id)
