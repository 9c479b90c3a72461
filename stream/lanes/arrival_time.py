"""When a vehicle should be at the booth: learnt from those before it, else its read point's usual time.

What a notice has said stands until it is off by more than two minutes and more than a fifth of the way: nobody
is helped by an ETA that twitches. At the next read point it is reckoned anew.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Protocol

import msgspec
from msgspec.structs import replace

from schemas.arrival import Eligibility
from stream.lanes.crossing import expected_us, forward, position_of
from stream.lanes.learnt import Eta, Passages, estimate, passages_key
from stream.lanes.rows import MINUTE, Crossing, Heard
from stream.lanes.shelves import LanesState
from stream.reference import Reference

#: An ETA moves by more than this, or not at all.
MOVES_US: Final = 2 * MINUTE
MOVES_PER_CENT: Final = 20

#: Classes of lanes, the quickest first: who may use one takes it.
BEST: Final = ("fast", "empty", "oversize", "general")

#: Where the booth is behind.
AT_BOOTH: Final = ("primary", "secondary", "exit")


def eta_of(crossing: Crossing, state: LanesState, reference: Reference) -> Eta | None:
    """What the notice should say; None once the booth is behind or nothing can be told."""
    latest = _latest(crossing)
    if latest is None:
        return None
    base_us = _base_us(crossing, latest)
    old = crossing.eta if _is_of(crossing.eta, latest) else None
    if old is not None and old.p90_us is not None and old.base_us == base_us:
        return old
    if old is not None:
        like = replace(old, base_us=base_us, p90_us=None)
    else:
        classes = _classes(reference, crossing.pair, latest.lane)
        like = Eta(
            read_point=latest.read_point,
            base_us=base_us,
            p50_us=0,
            lane_class=next(iter(classes)) if len(classes) == 1 else None,
            is_group=len(classes) > 1,
        )
    new = None if latest.untrusted else _learnt(crossing, like, state, state.clock.now_us)
    if new is None:
        usual_us = expected_us(crossing)
        if usual_us is None:
            return None
        new = replace(like, p50_us=usual_us)
    return old if old is not None and stands(old, new) else new


def for_class(
    crossing: Crossing, state: LanesState, reference: Reference, may: Eligibility
) -> Eta | None:
    """The ETA again, now that it is known which lanes of a group the vehicle may use."""
    eta = crossing.eta
    if eta is None or not eta.is_group:
        return eta
    latest = _latest(crossing)
    if latest is None or latest.untrusted:
        return eta
    classes = _classes(reference, crossing.pair, latest.lane)
    best = [one for one in BEST if one in classes and one in may.lanes]
    guess = best[0] if best else None
    if guess == eta.lane_class:
        return eta
    like = replace(eta, lane_class=guess)
    return _learnt(crossing, like, state, state.clock.now_us) or like


def moved(
    crossings: Iterable[Crossing], rows: Mapping[str, msgspec.Struct | None], now_us: int
) -> list[tuple[Crossing, Eta]]:
    """The crossings whose ETA does not stand any more, since a quarter of an hour was closed with these rows."""
    found = []
    for crossing in crossings:
        latest = None if crossing.eta is None else _latest(crossing)
        if (
            latest is None
            or latest.untrusted
            or crossing.eta is None
            or not _is_of(crossing.eta, latest)
        ):
            continue
        new = _learnt(crossing, crossing.eta, rows, now_us)
        if new is not None and not stands(crossing.eta, new):
            found.append((crossing, new))
    return found


def stands(old: Eta, new: Eta) -> bool:
    """Whether what was said is near enough to what would be said now."""
    way_us = max(0, old.p50_us - old.base_us)
    return abs(new.p50_us - old.p50_us) <= max(MOVES_US, way_us * MOVES_PER_CENT // 100)


def _latest(crossing: Crossing) -> Heard | None:
    """The stay from which the ETA is reckoned: the latest, of those with a trusted clock where there is one."""
    if (
        crossing.ended_at_us is not None
        or crossing.lost_at_us is not None
        or crossing.merged_into is not None
        or position_of(crossing) in AT_BOOTH
    ):
        return None
    stays = forward(crossing)
    trusted = [one for one in stays if not one.untrusted]
    return max(trusted or stays, key=lambda one: one.key, default=None)


def _base_us(crossing: Crossing, latest: Heard) -> int:
    return min(one.first_us for one in forward(crossing) if one.read_point == latest.read_point)


def _is_of(eta: Eta | None, latest: Heard) -> bool:
    return eta is not None and eta.read_point == latest.read_point


def _classes(reference: Reference, pair: str, lane: str) -> set[str]:
    """The class of a lane, those of the lanes of a group; none where the site knows neither."""
    site = reference.site(pair)
    lanes = site.lanes if site is not None else ()
    return {one.lane_class for one in lanes if one.id == lane} or {
        one.lane_class for one in lanes if one.group == lane
    }


class _Rows(Protocol):
    def get(self, key: str, /) -> msgspec.Struct | None: ...


def _learnt(crossing: Crossing, like: Eta, rows: _Rows, now_us: int) -> Eta | None:
    row = rows.get(passages_key(crossing.pair, like.read_point))
    if not isinstance(row, Passages):
        return None
    found = estimate(row, like.lane_class, like.base_us, now_us)
    if found is None:
        return None
    return replace(like, p50_us=like.base_us + found.p50_us, p90_us=like.base_us + found.p90_us)
