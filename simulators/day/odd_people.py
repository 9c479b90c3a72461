"""Odd cases about who sits in the cab."""

import dataclasses
from typing import Literal

from msgspec.structs import replace

from schemas.trips import DeclaredPerson
from simulators.day.odd import odd
from simulators.day.places import HOUR, MINUTE, NEIGHBOURS, NEIGHBOURS_OUT, SECOND
from simulators.day.plain import goes_over, over
from simulators.day.story import Story
from simulators.day.tell import begin, ends, released, side_by_side


@odd("driver_swap", 1, "another driver than the trip declares, without a trusted card")
def driver_swap(story: Story) -> None:
    """Joined with the driver who was read; the declared one is missing; the trusted lane closes."""
    crew, ride, filing = begin(story, trusted=True)
    other = story.person("x")
    read = (crew.truck, other, *crew.trailers)
    story.drive(ride, read)
    released(story, ride, (other, None))
    story.must.waiting.append(("declared_not_seen", crew.driver.id))
    story.must.cross(
        ride,
        read,
        filing,
        flags=("driver_mismatch",),
        may_not_use=("fast",),
        ends=ends(ride, other),
    )


@odd("driver_swap_amended", 1, "another driver, declared by an amendment while the truck waits")
def driver_swap_amended(story: Story) -> None:
    """The amendment clears it."""
    crew, ride, filing = begin(story)
    other = story.person("x")
    drivers = (DeclaredPerson(id=other.id),)
    now = story.file(story.amended(filing, ride.queue_us + MINUTE, drivers=drivers))
    read = (crew.truck, other, *crew.trailers)
    story.drive(ride, read)
    released(story, ride, (other, "driver"))
    story.must.cross(ride, read, now, said=("driver_mismatch",), ends=ends(ride, other))


@odd("two_cards", 2, "two drivers and a passenger, all of them declared")
def two_cards(story: Story) -> None:
    """Everybody gets an own record."""
    crew = story.crew(passengers=1)
    second = story.person("e")
    ride = story.ride()
    filing = story.trip(ride, crew)
    drivers = (*filing.drivers, DeclaredPerson(id=second.id))
    filing = story.file(replace(filing, drivers=drivers))
    read = (*crew.every, second)
    story.drive(ride, read)
    released(story, ride, (second, "driver"))
    over(story, ride, crew)
    everybody = ends(ride, crew.driver, *crew.passengers, second)
    story.must.cross(ride, read, filing, ends=everybody)


@odd("undeclared_occupant", 2, "somebody in the cab whom the trip does not declare")
def undeclared_occupant(story: Story) -> None:
    """A finding for the officer, and an own record."""
    crew, ride, filing = begin(story)
    extra = story.person("x")
    read = (*crew.every, extra)
    story.drive(ride, read)
    released(story, ride, (crew.driver, "driver"), (extra, "person"))
    story.must.cross(
        ride, read, filing, flags=("undeclared_occupant",), ends=ends(ride, crew.driver, extra)
    )


@odd(
    "neighbour_bleed",
    3,
    "a driver's card is heard in the neighbour lane too, where another truck stands",
)
def neighbour_bleed(story: Story) -> None:
    """It stays with its own truck, and each officer's word with the truck in his lane."""
    way = story.way
    lanes = ("L01", "L02") if way.into_us else ("L11", "L12")
    first, second = side_by_side(story, lanes, way)
    short = story.draws.random() < 0.5
    for ride, mark in ((first, "a"), (second, "b")):
        crew = story.crew(mark=mark)
        filing = story.file(story.trip(ride, crew, mark=mark))
        story.drive(ride, crew.every)
        if mark == "a":
            until_us = first.booth_us + 9 * SECOND if short else first.left_us
            story.hear(
                second,
                "primary",
                (crew.driver,),
                from_us=first.booth_us + 4 * SECOND,
                until_us=until_us,
                other_lanes=(first.lane,),
            )
        released(story, ride, (crew.driver, "driver"))
        story.must.cross(ride, crew.every, filing, ends=ends(ride, crew.driver))


@odd(
    "card_beside", 3, "a card that no trip declares, heard at the booth only in the neighbour lane"
)
def card_beside(story: Story) -> None:
    """An alert and no record."""
    crew, ride, filing = begin(story)
    extra = story.person("x")
    story.drive(ride, crew.every)
    story.hear(ride, "queue", (extra,))
    beside = (NEIGHBOURS | NEIGHBOURS_OUT)[ride.lane]
    story.hear(ride, "primary", (extra,), lane=beside, until_us=ride.booth_us + 8 * SECOND)
    released(story, ride, (crew.driver, "driver"))
    story.must.alerts.append(("undeclared_card", extra.card))
    story.must.cross(
        ride,
        (*crew.every, extra),
        filing,
        flags=("undeclared_occupant",),
        ends=ends(ride, crew.driver),
    )


@odd("no_card", 4, "the driver's card is not heard at all")
def no_card(story: Story) -> None:
    """The crossing is opened by the truck's tag; no record, and the declared driver is waited for."""
    crew, ride, filing = begin(story, trusted=True)
    read = (crew.truck, *crew.trailers)
    story.drive(ride, read)
    story.decide(ride, "released")
    story.must.went_over += 1
    story.must.waiting.append(("declared_not_seen", crew.driver.id))
    story.must.cross(
        ride,
        read,
        filing,
        may_not_use=("fast",),
        ends=((None, "entered", ride.decided_us),),
    )


@odd("dead_card_keyed", 4, "the driver's card is dead, and the officer keys who drives")
def dead_card_keyed(story: Story) -> None:
    """A record for whom the officer keyed."""
    crew, ride, filing = begin(story)
    story.drive(ride, (crew.truck, *crew.trailers))
    story.key(ride, crew.driver.id)
    released(story, ride, (crew.driver, "driver"))
    story.must.cross(ride, crew.every, filing, ends=ends(ride, crew.driver))


@odd("driver_unread", 4, "no trip, and no card of any person is heard")
def driver_unread(story: Story) -> None:
    """It entered, and nobody in it is known."""
    crew, ride = story.crew(), story.ride()
    read = (crew.truck, *crew.trailers)
    story.drive(ride, read)
    story.decide(ride, "released")
    story.must.went_over += 1
    story.must.waiting.append(("driver_unread", None))
    story.must.cross(
        ride,
        read,
        None,
        flags_before_booth=("no_manifest",),
        links=(
            *((one.id, "read") for one in read),
            (None, "missing"),
            (None, "missing"),
        ),
        ends=((None, "entered", ride.decided_us),),
    )


@odd("unknown_card", 4, "a card at the wheel that nobody has enrolled")
def unknown_card(story: Story) -> None:
    """No record: the card is waited for, and so is the declared driver."""
    crew, ride, filing = begin(story, trusted=True)
    stranger = story.stranger("x")
    read = (crew.truck, stranger, *crew.trailers)
    story.drive(ride, read)
    story.decide(ride, "released")
    story.must.went_over += 1
    story.must.waiting += [
        ("unknown_card", stranger.token),
        ("declared_not_seen", crew.driver.id),
    ]
    story.must.cross(
        ride,
        read,
        filing,
        flags=("unknown_card",),
        may_not_use=("fast",),
        ends=((None, "entered", ride.decided_us),),
    )


@odd("stale_feed", 26, "the row of the driver's card reaches the event log hours too late")
def stale_feed(story: Story) -> None:
    """Until then the card is unknown and no special lane open; then the record comes."""
    crew, ride, filing = begin(story, trusted=True)
    late_us = ride.exit_us + 2 * 60 * MINUTE
    for at, row in enumerate(story.rows):
        if getattr(row.message, "holder", None) == crew.driver.id:
            story.rows[at] = dataclasses.replace(row, at_us=late_us)
    story.drive(ride, crew.every)
    released(story, ride, (crew.driver, "driver"))
    story.must.cross(
        ride,
        crew.every,
        filing,
        said=("unknown_card",),
        may_not_use=("fast",),
        shut_until_us=late_us,
        ends=ends(ride, crew.driver),
    )


@odd("exit_unheard", 19, "on the way back nobody hears the driver's card; then he enters again")
def exit_unheard(story: Story) -> None:
    """Two entries in a row into one country: the stay between them has no known end, and that waits."""
    _round_trip(story, heals=False)


@odd("exit_heard_late", 19, "as before, but the way back is told hours after the second entry")
def exit_heard_late(story: Story) -> None:
    """The record between them comes, and all that was missing is withdrawn."""
    _round_trip(story, heals=True)


def _round_trip(story: Story, *, heals: bool) -> None:
    crew, ride = story.crew(), story.ride()
    goes_over(story, ride, crew)
    back = story.ride(ride.way.back, at_us=ride.exit_us + 50 * MINUTE)
    again = story.ride(ride.way, at_us=back.exit_us + 50 * MINUTE)
    filing = story.file(story.trip(back, crew, mark="2", load="empty"))
    if heals:
        gateway = f"gw-{back.way.pair}-{story.name}"
        story.must.things[gateway] = None
        story.drive(back, crew.every, gateway=gateway, sent_us=again.exit_us + 2 * HOUR)
        story.decide(back, "released")
        over(story, back, crew, state="in_force")
        story.must.cross(back, crew.every, filing, ends=ends(back, crew.driver))
    else:
        read = (crew.truck, *crew.trailers)
        story.drive(back, read)
        story.decide(back, "released")
        story.must.went_over += 1
        story.must.waiting += [
            ("declared_not_seen", crew.driver.id),
            ("missing_exit", crew.driver.id),
        ]
        end = (None, "entered", back.decided_us)
        story.must.cross(back, read, filing, ends=(end,))
    anomalies = () if heals else ("entered_twice",)
    # What comes late may be told apart from the third crossing only by and by: then the records change ids.
    state: Literal["live", "in_force"] = "in_force" if heals else "live"
    goes_over(story, again, crew, mark="3", anomalies=anomalies, state=state)
