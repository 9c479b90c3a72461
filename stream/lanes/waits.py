"""Close quarters of an hour: what they teach of the way to the booth, and how long vehicles waited in each lane.

A quarter is closed by the first tick two minutes after its end. It counts the vehicles that were first heard at
primary in it, as the grouping has them by then; what a gateway sends later counts nowhere. Stays with a clock that
cannot be trusted, and those that may have been in another lane, are left out.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final, NamedTuple

from schemas.lane_wait import LaneWait
from schemas.message import Direction, Position
from schemas.reference import LaneClass
from stream.lanes.crossing import forward, position_of
from stream.lanes.learnt import (
    MAX_POINTS,
    QUARTER_US,
    Passages,
    Quarters,
    Queue,
    passages_key,
    quarters_key,
    with_times,
)
from stream.lanes.rows import SECOND, Crossing
from stream.lanes.shelves import LanesState
from stream.lanes.timers import LATENESS_US, is_behind
from stream.reference import Reference

#: Quarters closed at once, after a time without ticks: the newest.
MAX_CLOSED: Final = 32


class Passage(NamedTuple):
    """A vehicle's way to the booth."""

    lane: str
    primary_us: int
    #: Microseconds from the first read at each earlier read point, by read point.
    took_us: dict[str, int]
    #: Of those at a queue or gate the longest.
    wait_us: int | None


class Closed(NamedTuple):
    """What closing gives: rows by key, and messages."""

    rows: dict[str, Passages | Quarters | None]
    waits: list[LaneWait]


def close_quarters(state: LanesState, reference: Reference, now_us: int) -> Closed:
    """Close what is over by the tick."""
    closed = Closed({}, [])
    last = (now_us - LATENESS_US) // QUARTER_US
    for pair in sorted({one.pair for one in state.gateways()}):
        row = state.get(quarters_key(pair))
        if not isinstance(row, Quarters):
            # What happened before the first tick was not heard in full.
            closed.rows[quarters_key(pair)] = Quarters(closed=now_us // QUARTER_US)
        elif row.closed < last:
            _close(closed, _At(state, reference, pair, now_us), row, last)
    return closed


def passage_of(crossing: Crossing) -> Passage | None:
    """The way of a vehicle that has been heard at primary."""
    stays = [one for one in forward(crossing) if not (one.untrusted or one.ambiguous)]
    booth = min(
        (one for one in stays if one.position == "primary"), key=lambda one: one.key, default=None
    )
    if booth is None:
        return None
    took: dict[str, int] = {}
    wait_us: int | None = None
    for one in stays:
        way_us = booth.first_us - one.first_us
        if way_us > 0 and one.position in ("queue", "gate", "approach"):
            took[one.read_point] = max(way_us, took.get(one.read_point, 0))
            if one.position != "approach":
                wait_us = max(way_us, wait_us or 0)
    return Passage(booth.lane, booth.first_us, took, wait_us)


class _At(NamedTuple):
    """A pair at a tick."""

    state: LanesState
    reference: Reference
    pair: str
    now_us: int


def _close(closed: Closed, at: _At, row: Quarters, last: int) -> None:
    state, pair = at.state, at.pair
    points = dict.fromkeys(row.points)
    lanes, queues = _lanes(at), _queues(at)
    found: dict[str, Passages] = {}
    for quarter in range(max(row.closed, last - MAX_CLOSED), last):
        times: defaultdict[str, defaultdict[str, list[int]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for lane in lanes:
            passages = list(_passages(state, pair, lane.id, quarter))
            for one in passages:
                for point, took_us in one.took_us.items():
                    times[point][lane.lane_class or ""].append(took_us)
            closed.waits.append(_wait(at, lane, quarter, passages))
        points.update(dict.fromkeys(sorted(times)[: max(0, MAX_POINTS - len(points))]))
        for point in points:
            key = passages_key(pair, point)
            before = found.get(key) or state.get(key)
            old = before if isinstance(before, Passages) else Passages()
            found[key] = with_times(
                old,
                quarter,
                times.get(point, {}),
                Queue(at_us=at.now_us, vehicles=queues.get(point, 0)),
            )
    for key, now in found.items():
        closed.rows[key] = now if now.took else None
    kept = tuple(sorted(point for point in points if found[passages_key(pair, point)].took))
    closed.rows[quarters_key(pair)] = Quarters(closed=last, points=kept)


class _Lane(NamedTuple):
    id: str
    direction: Direction | None
    lane_class: LaneClass | None
    open: int
    complete: bool


def _lanes(at: _At) -> list[_Lane]:
    """The lanes from which something has been heard."""
    state, pair = at.state, at.pair
    open_in: defaultdict[str, int] = defaultdict(int)
    for crossing in state.open():
        if crossing.pair == pair and _is_under_way(crossing):
            open_in[crossing.lane] += 1
    site = at.reference.site(pair)
    known = {} if site is None else {one.id: one for one in site.lanes}
    complete: dict[str, bool] = {}
    for gateway in state.gateways():
        if gateway.pair == pair:
            for lane in gateway.lanes:
                complete[lane] = complete.get(lane, True) and not is_behind(gateway, at.now_us)
    return [
        _Lane(
            lane,
            known[lane].direction if lane in known else None,
            known[lane].lane_class if lane in known else None,
            open_in[lane],
            complete[lane],
        )
        for lane in sorted(complete)
    ]


def _queues(at: _At) -> dict[str, int]:
    """By read point: vehicles that were heard there and have not come to the booth."""
    found: defaultdict[str, int] = defaultdict(int)
    for crossing in at.state.open():
        if crossing.pair == at.pair and _is_under_way(crossing, "primary"):
            for point in {one.read_point for one in forward(crossing)}:
                found[point] += 1
    return found


def _is_under_way(crossing: Crossing, *past: Position) -> bool:
    return (
        crossing.ended_at_us is None
        and crossing.lost_at_us is None
        and crossing.merged_into is None
        and position_of(crossing) not in ("secondary", "exit", *past)
    )


def _passages(state: LanesState, pair: str, lane: str, quarter: int) -> Iterator[Passage]:
    from_us, until_us = quarter * QUARTER_US, (quarter + 1) * QUARTER_US
    for crossing in state.at_booth(pair, lane, from_us, until_us - 1):
        one = passage_of(crossing)
        if one is not None and one.lane == lane and from_us <= one.primary_us < until_us:
            yield one


def _wait(at: _At, lane: _Lane, quarter: int, passages: list[Passage]) -> LaneWait:
    waits = sorted(one.wait_us for one in passages if one.wait_us is not None)
    return LaneWait(
        pair=at.pair,
        lane=lane.id,
        direction=lane.direction,
        lane_class=lane.lane_class,
        from_us=quarter * QUARTER_US,
        until_us=(quarter + 1) * QUARTER_US,
        served=len(passages),
        measured=len(waits),
        p50_s=_rank(waits, 50),
        p90_s=_rank(waits, 90),
        open_vehicles=lane.open,
        complete=lane.complete,
        at_us=at.now_us,
    )


def _rank(waits: list[int], per_cent: int) -> int | None:
    """The nearest-rank quantile in seconds."""
    return waits[-(-len(waits) * per_cent // 100) - 1] // SECOND if waits else None
