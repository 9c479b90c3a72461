"""The state of a crossing: a pure function of what was heard, what was decided and what has timed out.

    approaching -> at_primary -> entered -> closed
                      |  ^
                      |  +- secondary, held
                      +---> refused, turned_back, withdrawn, paroled
    approaching, at_primary -> lost        (two hours without a read and without a decision)

`entered` begins at the moment of release by the entered country's authority. The word of the other side's
officers is kept, but decides nothing here.
"""

from collections.abc import Iterable
from typing import Final

from schemas.arrival import CrossingState
from schemas.border import Ending
from schemas.message import POSITIONS, Country, Position
from stream.lanes.rows import Crossing, Heard, Ruling

#: Decisions that end a crossing, and how.
ENDINGS: Final[dict[str, Ending]] = {
    "released": "entered",
    "refused": "refused",
    "turned_back": "turned_back",
    "withdrawn": "withdrawn",
    "paroled": "paroled",
}


def entered_country(crossing: Crossing) -> Country:
    """The country that the lane leads into."""
    return _COUNTRY[crossing.direction[3:]]


def left_country(crossing: Crossing) -> Country:
    """The country that the lane leaves."""
    return _COUNTRY[crossing.direction[:2]]


def ruling_for(crossing: Crossing, person: str | None) -> Ruling | None:
    """The decision in force for a person (None: for the vehicle): the latest of the entered country."""
    here = entered_country(crossing)
    return max(
        (
            ruling
            for ruling in crossing.rulings
            if ruling.country == here and _concerns(ruling, person)
        ),
        key=lambda ruling: (ruling.at_us, ruling.event_id),
        default=None,
    )


def overall_ruling(crossing: Crossing) -> Ruling | None:
    """The latest decision of the entered country that is about more than the cargo."""
    here = entered_country(crossing)
    return max(
        (one for one in crossing.rulings if one.country == here and one.subjects != "cargo"),
        key=lambda ruling: (ruling.at_us, ruling.event_id),
        default=None,
    )


def ending(ruling: Ruling | None) -> Ending | None:
    """How the decision ends the crossing, None when it does not."""
    return None if ruling is None else ENDINGS.get(ruling.outcome)


def state_of(crossing: Crossing) -> CrossingState:
    """The state that the notice shows."""
    ruling = overall_ruling(crossing)
    if ruling is None:
        if crossing.lost_at_us is not None:
            return "lost"
        return _by_position(furthest(crossing).position)
    match ruling.outcome:
        case "released":
            return "closed" if crossing.closed else "entered"
        case "refused" | "turned_back" | "withdrawn" | "paroled" | "secondary" | "held":
            return ruling.outcome


def furthest(crossing: Crossing) -> Heard:
    """The sighting furthest along the lane, the latest one where several are."""
    return max(crossing.heard, key=_progress)


def lane_of(heard: Iterable[Heard]) -> str:
    """The lane of the sighting furthest along it: of the truck's tag, else of any card."""
    return max(heard, key=_progress).lane


def expected_us(crossing: Crossing) -> int | None:
    """When the vehicle should be at the booth: the latest sighting plus that read point's usual time."""
    latest = max(crossing.heard, key=lambda heard: (heard.first_us, heard.event_ids))
    if latest.to_booth_s is None or furthest(crossing).position in ("primary", "secondary", "exit"):
        return None
    return latest.first_us + latest.to_booth_s * 1_000_000


def _progress(heard: Heard) -> tuple[int, int, tuple[str, ...]]:
    return _RANK[heard.position], heard.first_us, heard.event_ids


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


_RANK: Final = {position: rank for rank, position in enumerate(POSITIONS)}
_COUNTRY: Final[dict[str, Country]] = {"US": "US", "CA": "CA", "MX": "MX"}
