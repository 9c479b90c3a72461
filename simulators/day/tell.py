"""What most stories begin with, and beginnings that many share. Pure."""

from typing import NamedTuple

from msgspec.structs import replace

from schemas.trips import TripFiling
from simulators.day.cast import Crew, Held
from simulators.day.happening import Stay
from simulators.day.places import SECOND, Way, ways_of
from simulators.day.ride import Ride
from simulators.day.story import Story


class Told(NamedTuple):
    """A crew on its ride, its trip on file."""

    crew: Crew
    ride: Ride
    filing: TripFiling


def begin(
    story: Story,
    *,
    way: Way | None = None,
    lane: str | None = None,
    trusted: bool = False,
    trailers: int = 1,
    mark: str = "",
    at_us: int | None = None,
    **changes: object,
) -> Told:
    """A crew comes with a trip that was filed in time; `changes` of the filing."""
    crew = story.crew(trusted=trusted, trailers=trailers, mark=mark)
    ride = story.ride(way, lane=lane, at_us=at_us)
    filing = story.trip(ride, crew, mark=mark)
    return Told(crew, ride, story.file(replace(filing, **changes)))


def released(
    story: Story, ride: Ride, *persons: tuple[Held, str | None], at_us: int | None = None
) -> None:
    """The officer lets them in: a record each."""
    story.decide(ride, "released", at_us=at_us)
    for person, role in persons:
        story.must.record(ride, person, role=role, at_us=at_us)
    story.must.went_over += len(persons)


def ends(
    ride: Ride, *persons: Held, at_us: int | None = None, how: str = "entered"
) -> tuple[tuple[str | None, str, int], ...]:
    """The same end for everybody."""
    when = ride.decided_us if at_us is None else at_us
    return tuple((one.id, how, when) for one in persons)


def into_us(story: Story) -> Way:
    """The way into the US at the story's pair."""
    return ways_of(story.places.ports[story.way.pair])[0]


def limited(story: Story) -> Way:
    """A way on which trips must be filed some time ahead: not the one into Mexico, which has no such limit."""
    return story.way.back if story.way.entered == "MX" else story.way


def side_by_side(story: Story, lanes: tuple[str, str], way: Way) -> tuple[Ride, Ride]:
    """Two vehicles at two booths at the same time."""
    from_us = story.at_us
    while True:
        one = story.ride(way, lane=lanes[0], at_us=from_us)
        stands_us = one.left_us - one.booth_us
        begin_us = one.booth_us + 3 * SECOND
        if story.places.is_free(way.pair, lanes[1], begin_us, stands_us):
            booth_us = story.places.free_at(way.pair, lanes[1], begin_us, stands_us)
            return one, story.made_ride(way, lanes[1], booth_us, stands_us)
        from_us = one.left_us + 30 * SECOND


def opening(stays: list[Stay]) -> Stay:
    """The stay whose event opens the crossing: the first that its gateway writes."""
    return min(stays, key=lambda stay: stay.from_us)
