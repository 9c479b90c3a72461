"""What a notice shows of a crossing: a pure function of what was heard, what was decided and what has timed out."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from schemas.arrival import CrossingState
from schemas.message import POSITIONS, Country, Direction, Position
from stream.lanes.ends import RANK, ending, entered_country, left_country, overall
from stream.lanes.rows import Crossing, Heard, Ruling

__all__ = ["country_entered", "country_left", "ending", "overall_ruling", "ruling_for", "state_of"]


def country_entered(crossing: Crossing) -> Country:
    """The country that the lane leads into."""
    return entered_country(crossing.direction)


def country_left(crossing: Crossing) -> Country:
    """The country that the lane leaves."""
    return left_country(crossing.direction)


def ruling_for(crossing: Crossing, person: str | None) -> Ruling | None:
    """The decision in force for a person (None: for the vehicle): the latest of the entered country."""
    if not crossing.rulings:
        return None
    here = country_entered(crossing)
    return max(
        (one for one in crossing.rulings if one.country == here and _concerns(one, person)),
        key=lambda ruling: (ruling.at_us, ruling.event_id),
        default=None,
    )


def overall_ruling(crossing: Crossing) -> Ruling | None:
    """The latest decision of the entered country about the whole vehicle."""
    return overall(crossing.rulings, crossing.direction) if crossing.rulings else None


def export_cleared(crossing: Crossing) -> bool:
    """Whether the left country's officer let the vehicle go: that decides nothing about its entry."""
    return bool(crossing.rulings) and any(
        one.outcome == "released" and one.country == country_left(crossing)
        for one in crossing.rulings
    )


def state_of(crossing: Crossing) -> CrossingState:
    """The state that the notice shows."""
    if crossing.merged_into is not None:
        return "merged"
    match crossing.how:
        case "entered":
            return "closed" if crossing.closed else "entered"
        case "refused" | "turned_back" | "withdrawn" | "paroled" | "u_turn" | "diverted" as how:
            return how
        case _:
            ruling = overall_ruling(crossing)
            if ruling is not None and ruling.outcome in ("secondary", "held"):
                return ruling.outcome
            if crossing.lost_at_us is not None:
                return "lost"
            return _by_position(position_of(crossing))


class _Passage(NamedTuple):
    """What follows from the stays of a crossing and its direction."""

    heard: tuple[Heard, ...]
    direction: Direction
    forward: Sequence[Heard]
    primary_us: int | None


#: The last one: a crossing is asked for these dozens of times in a row.
_last = _Passage((), "US>CA", (), None)


def _passage(crossing: Crossing) -> _Passage:
    global _last  # noqa: PLW0603 - remembers a pure function's last result
    last, heard = _last, crossing.heard
    if last.heard is heard and last.direction == crossing.direction:
        return last
    direction = crossing.direction
    stays: Sequence[Heard] = heard
    ours = [one for one in heard if one.direction == direction]
    if len(ours) < len(heard):
        stays = ours
    primary = [one.first_us for one in stays if one.position == "primary"]
    now = _last = _Passage(heard, direction, stays, min(primary) if primary else None)
    return now


def forward(crossing: Crossing) -> Sequence[Heard]:
    """The stays in the crossing's own direction: without the way back."""
    return _passage(crossing).forward


def position_of(crossing: Crossing) -> Position:
    """The furthest position so far."""
    rank = max([RANK[one.position] for one in forward(crossing)], default=0)
    return POSITIONS[rank]


def lane_of(heard: Iterable[Heard]) -> str | None:
    """The lane of the stay furthest along it, None without stays."""
    furthest = max(heard, key=_progress, default=None)
    return None if furthest is None else furthest.lane


def expected_us(crossing: Crossing) -> int | None:
    """When the vehicle should be at the booth: the latest sighting plus that read point's usual time."""
    stays = forward(crossing)
    if not stays or position_of(crossing) in ("primary", "secondary", "exit"):
        return None
    latest = max(stays, key=lambda heard: heard.key)
    return None if latest.to_booth_s is None else latest.first_us + latest.to_booth_s * 1_000_000


def primary_us(crossing: Crossing) -> int | None:
    """The first read at primary, None before it."""
    return _passage(crossing).primary_us


def _progress(heard: Heard) -> tuple[int, int, str, str]:
    return RANK[heard.position], heard.first_us, heard.token, heard.read_point


def _by_position(position: Position) -> CrossingState:
    match position:
        case "queue" | "gate" | "approach":
            return "approaching"
        case "primary" | "exit":
            return "at_primary"
        case "secondary":
            return "secondary"


def _concerns(ruling: Ruling, person: str | None) -> bool:
    if ruling.subjects == "all":
        return True
    if person is None:
        return ruling.subjects == "vehicle"
    return ruling.subjects == "persons" and (not ruling.persons or person in ruling.persons)
