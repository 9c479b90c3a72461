"""Which policy rows count for a crossing: those in force at its moment, the most particular first."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

from schemas.message import Direction
from schemas.policy import FilingLimits, LaneRules, Policy, ReferralRates

_P = TypeVar("_P", bound=Policy)
_S = TypeVar("_S", LaneRules, FilingLimits, ReferralRates)


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
        if row.holds_at(moment.at_us)
        and (moment.known_by_us is None or row.accepted_at_us <= moment.known_by_us)
    )


def most_particular(
    rows: Iterable[_S], pair: str, direction: Direction, moment: Moment
) -> _S | None:
    """The row of the pair, else that of the direction; of several the one that came into force last."""
    return max(
        (
            row
            for row in in_force(rows, moment)
            if row.direction == direction and row.pair in (None, pair)
        ),
        key=lambda row: (row.pair is not None, row.effective_from_us, row.policy_id),
        default=None,
    )
