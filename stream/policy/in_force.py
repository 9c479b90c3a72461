"""Which policy rows count for a crossing: those in force at its moment, the most particular first."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

from schemas.message import Direction
from schemas.policy import FilingLimits, LaneRules, Policy

_P = TypeVar("_P", bound=Policy)


class Moment(Protocol):
    """As of when something is judged."""

    @property
    def at_us(self) -> int:
        """What must have come into force by then."""

    @property
    def known_by_us(self) -> int | None:
        """What must have been accepted by then; None: everything that is known."""


def in_force(rows: Iterable[_P], moment: Moment) -> tuple[_P, ...]:
    """The rows that hold at the moment and had been accepted in time, in the order given."""
    return tuple(
        row
        for row in rows
        if row.effective_from_us <= moment.at_us
        and (row.effective_to_us is None or moment.at_us < row.effective_to_us)
        and (moment.known_by_us is None or row.accepted_at_us <= moment.known_by_us)
    )


def lane_rules(
    rows: Iterable[LaneRules], pair: str, direction: Direction, moment: Moment
) -> LaneRules | None:
    """The rules of the pair, else those of the direction; of several the one that came into force last."""
    return max(
        (row for row in in_force(rows, moment) if _fits(row, pair, direction)),
        key=_rank,
        default=None,
    )


def filing_limits(
    rows: Iterable[FilingLimits], pair: str, direction: Direction, moment: Moment
) -> FilingLimits | None:
    """As `lane_rules`."""
    return max(
        (row for row in in_force(rows, moment) if _fits(row, pair, direction)),
        key=_rank,
        default=None,
    )


def _fits(row: LaneRules | FilingLimits, pair: str, direction: Direction) -> bool:
    return row.direction == direction and row.pair in (None, pair)


def _rank(row: LaneRules | FilingLimits) -> tuple[bool, int, str]:
    return row.pair is not None, row.effective_from_us, row.policy_id
