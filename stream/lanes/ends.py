"""How and when a crossing ends: by an officer's word first, else by what was heard. Pure, from the evidence alone.

A u-turn needs positive evidence: a read in a lane of the other direction, a tag that moved against the lane,
or a read at an earlier position after a later one was over. Mere absence is no end; it is `lost`.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from schemas.border import Ending
from schemas.message import POSITIONS, Country, Direction
from stream.lanes.rows import SECOND, Crossing, Heard, Ruling

#: Decisions that end a crossing, and how.
ENDINGS: Final[dict[str, Ending]] = {
    "released": "entered",
    "refused": "refused",
    "turned_back": "turned_back",
    "withdrawn": "withdrawn",
    "paroled": "paroled",
}

#: An earlier position counts as going back when the later one has been over for this long.
BACK_AFTER_US: Final = 15 * SECOND

#: Positions at which a vehicle that was further along has gone back.
BEFORE_BOOTH: Final = ("queue", "gate", "approach")

RANK: Final = {position: rank for rank, position in enumerate(POSITIONS)}


class End(NamedTuple):
    """An end and its moment."""

    how: Ending
    at_us: int


def entered_country(direction: Direction) -> Country:
    """The country that a lane leads into."""
    return _COUNTRY[direction[3:]]


def left_country(direction: Direction) -> Country:
    """The country that a lane leaves."""
    return _COUNTRY[direction[:2]]


def overall(rulings: Sequence[Ruling], direction: Direction) -> Ruling | None:
    """The decision about the whole vehicle: the latest of the entered country that is not about cargo.

    One that names single persons counts only while there is no other.
    """
    if not rulings:
        return None
    here = entered_country(direction)
    ours = [one for one in rulings if one.country == here and one.subjects != "cargo"]
    whole = [one for one in ours if not one.persons]
    return max(whole or ours, key=lambda one: (one.at_us, one.event_id), default=None)


def ending(ruling: Ruling | None) -> Ending | None:
    """How the decision ends the crossing, None when it does not."""
    return None if ruling is None else ENDINGS.get(ruling.outcome)


def end_of(
    heard: Sequence[Heard], rulings: Sequence[Ruling], direction: Direction, *, in_motion: bool
) -> End | None:
    """The end. `in_motion`: whether an exit read releases where no officer has decided."""
    ruling = overall(rulings, direction)
    if ruling is not None:
        how = ENDINGS.get(ruling.outcome)
        return None if how is None else End(how, ruling.at_us)
    if in_motion:
        exits = [one.first_us for one in heard if one.position == "exit" and not one.untrusted]
        if exits:
            return End("entered", min(exits))
    return went_back(heard, direction)


def went_back(heard: Sequence[Heard], direction: Direction) -> End | None:
    """The first evidence of a u-turn. A clock that cannot be trusted proves none."""
    if only_onward(heard, direction):
        return None
    found = [
        moment
        for one in heard
        if not one.untrusted and (moment := _back_at(one, heard, direction)) is not None
    ]
    return End("u_turn", min(found)) if found else None


def only_onward(heard: Sequence[Heard], direction: Direction) -> bool:
    """Whether the stays, in order, follow the lane: then nothing in them can be evidence of going back."""
    furthest = 0
    for one in heard:
        rank = RANK[one.position]
        if one.direction != direction or one.reverse or rank < furthest:
            return False
        furthest = rank
    return True


def _back_at(one: Heard, every: Sequence[Heard], direction: Direction) -> int | None:
    if one.direction != direction:
        return one.first_us if _left_forward(one, every, direction) else None
    if one.position not in BEFORE_BOOTH:
        return one.last_us if one.reverse and one.position == "primary" else None
    rank = RANK[one.position]
    for other in every:
        if (
            other.who == one.who
            and RANK[other.position] > rank
            and other.direction == direction
            and other.gone
            and not other.untrusted
            and other.last_us + BACK_AFTER_US < one.first_us
        ):
            return one.first_us
    return one.last_us if one.reverse else None


def _left_forward(one: Heard, every: Sequence[Heard], direction: Direction) -> bool:
    """Whether the card's forward stays were over before: else the other direction's lane merely hears it too."""
    before = [
        other
        for other in every
        if other.who == one.who and other.direction == direction and other.first_us < one.first_us
    ]
    return bool(before) and all(
        other.gone and other.last_us + BACK_AFTER_US < one.first_us for other in before
    )


def end_before(crossing: Crossing, heard: Sequence[Heard], rulings: Sequence[Ruling]) -> End | None:
    """The end as far as part of the evidence tells it."""
    return end_of(heard, rulings, heard[0].direction, in_motion=crossing.in_motion)


_COUNTRY: Final[dict[str, Country]] = {"US": "US", "CA": "CA", "MX": "MX"}
