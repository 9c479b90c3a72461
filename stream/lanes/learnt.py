"""What is learnt of the way to the booth: how long vehicles took from a read point to primary, of late.

A row for each read point holds the quarters of an hour of the last two hours, by the class of the lane that the
vehicles ended in. Quantiles come from as few of the newest quarters as have enough vehicles: a queue changes
within the hour. They are robust: a truck that parked on the way, or a card that was heard twice, moves a rank.

Whoever is at the booth now came when the queue was another one. So times are scaled by how many vehicles were between
the read point and the booth when the vehicle came, against when those came that have arrived: at a steady pace the way
takes as long as those ahead need. What is counted too often both times, such as cards without a trip, cancels out.
"""

from typing import Final, NamedTuple

import msgspec

from stream.lanes.spread import Counts, added, counted, longer_than, quantile_us, total

QUARTER_US: Final = 15 * 60 * 1_000_000

#: Quarters of an hour whose times are remembered, and whose queues.
QUARTERS: Final = 8
QUEUES: Final = 12

#: Added to both queues, so that short ones scale little. Quarters over which a trend is looked for. The most that a
#: queue scales by, either way. Chosen by `tests/bench/eta.py`.
STEADY: Final = 15
TREND: Final = 3
MOST_SCALED: Final = 3

#: Vehicles without which nothing is said.
ENOUGH: Final = 20

#: Of those that took longer than a vehicle has been under way already.
ENOUGH_LONGER: Final = 5

#: The p90 is at least this part of the p50: vehicles of one quarter differ less than quarters do.
P90_PER_CENT: Final = 112

#: Read points of one pair beyond this are not learnt of: bounds the rows.
MAX_POINTS: Final = 200


class Eta(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """When a vehicle should be at the booth, as its notice says it."""

    #: Reckoned from the first read at this read point.
    read_point: str
    base_us: int
    p50_us: int
    #: None: from the read point's usual time, since too few vehicles were heard.
    p90_us: int | None = None
    #: The class of its lane. None: not known, so every class counts.
    lane_class: str | None = None
    #: The read point hears several lanes: the class is guessed from what the vehicle may use.
    is_group: bool = False


class Took(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The times of vehicles that came to a booth of the class in a quarter of an hour."""

    #: Quarters since 1970.
    quarter: int
    #: Empty: the site does not tell.
    lane_class: str
    counts: Counts


class Queue(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """How many vehicles were between a read point and the booth when a quarter of an hour was closed."""

    at_us: int
    vehicles: int


class Passages(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="passages"):
    """From a read point to primary."""

    #: The oldest first.
    took: tuple[Took, ...] = ()
    queues: tuple[Queue, ...] = ()


class Quarters(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="quarters"):
    """How far a pair's quarters of an hour are closed."""

    #: All before this one.
    closed: int
    #: Read points with a row, by name.
    points: tuple[str, ...] = ()


class Estimate(NamedTuple):
    """From the first read at a read point to the booth, in microseconds."""

    p50_us: int
    p90_us: int


def passages_key(pair: str, read_point: str) -> str:
    """The state key of a read point's passages."""
    return f"passages:{pair}|{read_point}"


def quarters_key(pair: str) -> str:
    """The state key of a pair's quarters."""
    return f"quarters:{pair}"


def with_times(
    row: Passages, quarter: int, times_us: dict[str, list[int]], queue: Queue
) -> Passages:
    """The row after a quarter: with its times by class of lane and its queue, without what is too old."""
    kept = [one for one in row.took if quarter - QUARTERS < one.quarter < quarter]
    new = [
        Took(quarter=quarter, lane_class=name, counts=counted(times_us[name]))
        for name in sorted(times_us)
    ]
    queues = [one for one in row.queues if one.at_us < queue.at_us][-QUEUES + 1 :]
    return Passages(took=(*kept, *new), queues=(*queues, queue))


def estimate(row: Passages, lane_class: str | None, base_us: int, now_us: int) -> Estimate | None:
    """Quantiles for a vehicle that was first heard at `base_us`; None where too little is known.

    `lane_class` None: its lane is not known yet, so every class counts.
    """
    found: list[Counts] = []
    vehicles = 0
    quarter = 0
    for one in reversed(row.took):
        if vehicles >= ENOUGH and one.quarter != quarter:
            break
        if lane_class in (None, one.lane_class):
            found.append(one.counts)
            vehicles += sum(one.counts[1::2])
            quarter = one.quarter
    if vehicles < ENOUGH:
        return None
    bins = added(found)
    # Those who have arrived came that long before the middle of their quarter.
    middle_us = row.took[-1].quarter * QUARTER_US + QUARTER_US // 2
    there = _queue(row, middle_us - quantile_us(bins, 50))
    here = _queue(row, base_us)
    # It may grow on as much as in the quarter before.
    growing = max(0, here - _queue(row, base_us - QUARTER_US))
    if now_us > base_us:
        bins = longer_than(bins, (now_us - base_us) * there // _scale(here, there))
        if total(bins) < ENOUGH_LONGER:
            return None
    p50_us = quantile_us(bins, 50) * _scale(here, there) // there
    p90_us = quantile_us(bins, 90) * _scale(here + growing, there) // there
    return Estimate(p50_us, max(p90_us, p50_us * P90_PER_CENT // 100))


def _scale(here: int, there: int) -> int:
    """The queue here, within what is believed of it beside the one there."""
    return min(max(here, -(-there // MOST_SCALED)), there * MOST_SCALED)


def _queue(row: Passages, at_us: int) -> int:
    """The queue at a moment, by the straight line through the nearest two counts; never 0.

    After the last one it goes on as in the `TREND` quarters before, for one more, if they differ by more than chance
    (twice what a Poisson process does): the counts of a quiet hour go up and down for nothing.
    """
    queues = row.queues
    if len(queues) < 2:
        return STEADY + sum(one.vehicles for one in queues)
    two = queues[-1]
    one = queues[max(0, len(queues) - 1 - TREND)]
    if at_us <= two.at_us:
        after = next(
            at for at in range(1, len(queues)) if at_us <= queues[at].at_us or queues[at] is two
        )
        one, two = queues[after - 1], queues[after]
    elif (one.vehicles - two.vehicles) ** 2 <= 4 * (one.vehicles + two.vehicles):
        at_us = two.at_us
    at_us = min(max(at_us, one.at_us), two.at_us + QUARTER_US)
    grown = (two.vehicles - one.vehicles) * (at_us - one.at_us)
    return STEADY + max(0, one.vehicles + grown // max(1, two.at_us - one.at_us))
