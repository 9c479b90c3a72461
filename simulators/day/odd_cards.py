"""Odd cases about cards: bad ones, cloned ones, and what people set right afterwards."""

from typing import Final

from schemas.reference import CredentialState, CredentialStatus
from simulators.day.cast import credential
from simulators.day.odd import odd
from simulators.day.places import DAY, HOUR, MINUTE, SECOND, Way
from simulators.day.story import Story
from simulators.day.tell import begin, ends, into_us, opening, released, side_by_side

_BAD: Final[tuple[CredentialState, ...]] = ("revoked", "lost", "stolen")


@odd("bad_card", 21, "a card that was reported revoked, lost or stolen two days before")
def bad_card(story: Story) -> None:
    """An alert, no special lane; the officer decides."""
    state = _BAD[story.draws.randrange(0, 3)]
    crew, ride, filing = begin(story, trusted=True)
    since_us = story.places.start_us - 2 * DAY
    status = CredentialStatus(state=state, effective_from_us=since_us, accepted_at_us=since_us)
    story.row(credential(crew.driver, story.places.start_us, status))
    story.drive(ride, crew.every)
    released(story, ride, (crew.driver, "driver"))
    story.must.alerts.append(("credential_status", crew.driver.card))
    story.must.card_flags.append(("dead_card", crew.driver.card))
    story.must.cross(
        ride,
        crew.every,
        filing,
        flags=(f"card_{state}",),
        may_not_use=("fast",),
        ends=ends(ride, crew.driver),
    )


@odd("bad_card_later", 21, "a card stolen before the crossing, which is told two hours after it")
def bad_card_later(story: Story) -> None:
    """An alert afterwards; the record stands."""
    crew, ride, filing = begin(story)
    at_us = ride.exit_us + 2 * HOUR
    status = CredentialStatus(
        state="stolen", effective_from_us=ride.queue_us - HOUR, accepted_at_us=at_us
    )
    story.row(credential(crew.driver, story.places.start_us, status), at_us)
    story.drive(ride, crew.every)
    released(story, ride, (crew.driver, "driver"))
    story.must.alerts.append(("credential_status_late", crew.driver.card))
    story.must.card_flags.append(("dead_card", crew.driver.card))
    story.must.cross(
        ride, crew.every, filing, flags=("card_stolen_late",), ends=ends(ride, crew.driver)
    )


@odd(
    "clone_two_ports",
    22,
    "a copy of a driver's card is heard at another port a quarter of an hour later",
)
def clone_two_ports(story: Story) -> None:
    """Nobody can travel so fast: said on both, at each port, and no special lane for either. The second is refused."""
    crew, ride, filing = begin(story, way=Way("lar-wtb", "MX>US"), mark="a")
    story.drive(ride, crew.every)
    released(story, ride, (crew.driver, "driver"))
    there = Way("det-amb", "CA>US")
    other, second, trip = begin(
        story, way=there, at_us=ride.booth_us + 15 * MINUTE, trusted=True, mark="b"
    )
    read = (other.truck, crew.driver, *other.trailers)
    story.hear(second, "queue", read)
    story.hear(second, "primary", read)
    story.decide(second, "refused")
    story.must.trips[trip.trip_number] = "on_file"
    story.must.card_flags.append(("impossible_travel", crew.driver.card))
    story.must.alerts += [("impossible_travel", crew.driver.card)] * 2
    story.must.cross(
        ride,
        crew.every,
        filing,
        flags=("impossible_travel_late",),
        ends=ends(ride, crew.driver),
    )
    story.must.cross(
        second,
        read,
        trip,
        ("refused",),
        flags=("driver_mismatch", "impossible_travel"),
        may_not_use=("fast",),
        ends=ends(second, crew.driver, how="refused"),
    )


@odd("clone_two_lanes", 22, "a copy of a driver's card is heard two lanes away at the same time")
def clone_two_lanes(story: Story) -> None:
    """It stays with its own truck; the other has no driver. Said on the card."""
    way = into_us(story)
    ride, second = side_by_side(story, ("L01", "L03"), way)
    crew, other = story.crew(mark="a"), story.crew(mark="b")
    filing = story.file(story.trip(ride, crew, mark="a"))
    trip = story.file(story.trip(second, other, mark="b"))
    story.drive(ride, crew.every)
    read = (other.truck, *other.trailers)
    story.hear(second, "queue", read)
    story.hear(second, "primary", read)
    begin_us = ride.booth_us + 4 * SECOND
    story.hear(second, "primary", (crew.driver,), from_us=begin_us)
    released(story, ride, (crew.driver, "driver"))
    story.decide(second, "refused")
    story.must.trips[trip.trip_number] = "on_file"
    story.must.card_flags.append(("two_lanes", crew.driver.card))
    story.must.alerts.append(("two_lanes", crew.driver.card))
    story.must.cross(ride, crew.every, filing, flags=("two_lanes",), ends=ends(ride, crew.driver))
    story.must.cross(second, read, trip, ("refused",), ends=((None, "refused", second.decided_us),))


@odd("corrected_moment", 16, "a supervisor sets right when somebody entered")
def corrected_moment(story: Story) -> None:
    """The record is corrected, in both countries."""
    crew, ride, filing = begin(story)
    first = opening(story.drive(ride, crew.every))
    released(story, ride)
    at_us = ride.decided_us - 20 * SECOND
    story.correct(ride, first, "moment", crew.driver, ride.decided_us + HOUR, to_at_us=at_us)
    story.must.record(
        ride, crew.driver, state="corrected", at_us=at_us, was_us=(ride.decided_us,), role="driver"
    )
    story.must.went_over += 1
    story.must.cross(ride, crew.every, filing, ends=ends(ride, crew.driver, at_us=at_us))


@odd("corrected_person", 16, "a supervisor says that it was another person")
def corrected_person(story: Story) -> None:
    """One record is retracted, the other one made; they never name each other."""
    crew, ride, filing = begin(story)
    other = story.person("x")
    first = opening(story.drive(ride, crew.every))
    released(story, ride)
    at_us = ride.decided_us + HOUR
    story.correct(ride, first, "person", crew.driver, at_us, to_person=other.id)
    story.must.record(ride, crew.driver, state="retracted", anomalies=None)
    story.must.record(ride, other)
    story.must.went_over += 1
    story.must.waiting_may.append("declared_not_seen")
    story.must.cross(ride, crew.every, filing, ends=ends(ride, other))


@odd("retracted", 16, "a supervisor says that somebody did not enter")
def retracted(story: Story) -> None:
    """The record is retracted, in both countries."""
    crew, ride, filing = begin(story)
    first = opening(story.drive(ride, crew.every))
    released(story, ride)
    story.correct(ride, first, "retract", crew.driver, ride.decided_us + HOUR)
    story.must.record(ride, crew.driver, state="retracted", anomalies=None)
    story.must.trips.pop(filing.trip_number)
    story.must.waiting_may.append("declared_not_seen")
    story.must.cross(ride, crew.every, filing)
