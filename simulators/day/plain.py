"""Vehicles with which nothing is odd: loaded or empty, trusted or not, one trailer or two, some of them back on the same day."""

from dataclasses import replace
from typing import Literal

from simulators.day.cast import KINDS, Crew
from simulators.day.places import HOUR, MINUTE
from simulators.day.ride import Ride
from simulators.day.story import Load, Story


def plain(story: Story) -> None:
    """Over the border, and perhaps back."""
    draws = story.draws
    crew = story.crew(
        trusted=draws.random() < 0.3,
        trailers=2 if draws.random() < 0.08 else 1,
        passengers=1 if draws.random() < 0.06 else 0,
    )
    if not crew.trusted and draws.random() < 0.5:
        crew = _in_some_programmes(story, crew)
    ride = story.ride()
    goes_over(story, ride, crew, load="loaded" if draws.random() < 0.72 else "empty")
    if draws.random() < 0.3:
        later_us = ride.exit_us + draws.randrange(90, 300) * MINUTE
        if later_us < story.places.start_us + 24 * HOUR:
            back = story.ride(ride.way.back, at_us=later_us)
            goes_over(story, back, crew, load="empty", mark="2")


def _in_some_programmes(story: Story, crew: Crew) -> Crew:
    """Carrier, goods and driver are each in a programme or other: which lanes they open depends on the policy."""
    draws, kinds = story.draws, tuple(KINDS)
    driver = replace(crew.driver, programme=("FAST", "CDRP")[draws.randrange(0, 2)])
    story.enrol(driver)
    return replace(
        crew,
        driver=driver,
        carrier=kinds[draws.randrange(0, len(kinds))],
        goods=kinds[draws.randrange(0, len(kinds))],
    )


def goes_over(
    story: Story,
    ride: Ride,
    crew: Crew,
    *,
    load: Load = "loaded",
    mark: str = "1",
    anomalies: tuple[str, ...] = (),
    state: Literal["live", "in_force"] = "live",
) -> None:
    """A crew passes as it should, with its trip on file in time."""
    filing = story.file(story.trip(ride, crew, mark=mark, load=load))
    story.drive(ride, crew.every)
    story.decide(ride, "released")
    lanes = fast_of(ride, crew, load)
    story.must.cross(ride, crew.every, filing, may_use=lanes, ends=entered(ride, crew))
    over(story, ride, crew, anomalies=anomalies, state=state)


def over(
    story: Story,
    ride: Ride,
    crew: Crew,
    *,
    anomalies: tuple[str, ...] = (),
    state: Literal["live", "in_force"] = "live",
) -> None:
    """Everybody of the crew gets a record."""
    story.must.record(ride, crew.driver, role="driver", anomalies=anomalies, state=state)
    for one in crew.passengers:
        story.must.record(ride, one, role="passenger", anomalies=anomalies, state=state)
    story.must.went_over += 1 + len(crew.passengers)


def entered(ride: Ride, crew: Crew) -> tuple[tuple[str | None, str, int], ...]:
    """The end of the crossing for everybody of the crew."""
    return tuple((one.id, "entered", ride.decided_us) for one in (crew.driver, *crew.passengers))


def fast_of(ride: Ride, crew: Crew, load: Load) -> tuple[str, ...]:
    """Whether a FAST lane is open to a trusted crew there: into the US, and at Detroit's bridge to Canada.

    Empties into the US use it as well; on the way to Canada, FAST is for loaded trucks (CBSA).
    """
    if not crew.trusted:
        return ()
    into_us = ride.way.into_us
    return ("fast",) if into_us or (ride.way.entered == "CA" and load == "loaded") else ()
