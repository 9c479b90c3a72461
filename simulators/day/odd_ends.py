"""Odd cases about how a crossing ends: refused, turned round, sent to secondary, gone another way."""

from typing import Literal

from msgspec.structs import replace

from schemas.gate import Outcome
from schemas.trips import DeclaredTrailer
from simulators.day.odd import odd
from simulators.day.places import CLOSED, HOUR, MINUTE, SECOND, Way, office
from simulators.day.plain import goes_over
from simulators.day.story import Story
from simulators.day.tell import Told, begin, ends, opening, released

_IN_MOTION = Way("pha-rey", "US>MX")


def _sent_back(story: Story, outcome: Outcome) -> Told:
    told = begin(story)
    crew, ride, filing = told
    story.hear(ride, "queue", crew.every)
    story.hear(ride, "primary", crew.every)
    story.decide(ride, outcome)
    story.must.trips[filing.trip_number] = "on_file"
    return told


def _ends_so(
    story: Story, outcome: Literal["refused", "turned_back", "withdrawn", "paroled"]
) -> None:
    crew, ride, filing = _sent_back(story, outcome)
    end = ends(ride, crew.driver, how=outcome)
    story.must.cross(ride, crew.every, filing, (outcome,), ends=end)


@odd("refused", 16, "an officer refuses entry")
def refused(story: Story) -> None:
    """No entry and no exit."""
    _ends_so(story, "refused")


@odd("turned_back", 16, "an officer sends the vehicle back")
def turned_back(story: Story) -> None:
    """No entry and no exit."""
    _ends_so(story, "turned_back")


@odd("withdrawn", 16, "the driver withdraws at the booth")
def withdrawn(story: Story) -> None:
    """No entry and no exit."""
    _ends_so(story, "withdrawn")


@odd(
    "way_back", 16, "refused, and back through the other direction's lane, whose officer lets it in"
)
def way_back(story: Story) -> None:
    """It never left: the way back makes no record, whatever the other officer keys."""
    crew, ride, filing = _sent_back(story, "refused")
    back = story.ride(ride.way.back, at_us=ride.left_us + 20 * MINUTE)
    story.hear(back, "primary", crew.every)
    story.decide(back, "released")
    story.must.cross(
        ride,
        crew.every,
        filing,
        ("refused",),
        flags=("return_leg",),
        flags_may=("export_cleared",),
        ends=ends(ride, crew.driver, how="refused"),
    )


@odd("released_then_refused", 16, "let in, and refused three minutes later")
def released_then_refused(story: Story) -> None:
    """The record is retracted, in both countries."""
    crew, ride, filing = begin(story)
    first = opening(story.hear(ride, "queue", crew.every))
    story.hear(ride, "primary", crew.every)
    story.decide(ride, "released")
    at_us = ride.decided_us + 3 * MINUTE
    story.decide(ride, "refused", at_us=at_us, about=first)
    story.must.record(ride, crew.driver, state="retracted", anomalies=None)
    story.must.trips[filing.trip_number] = "on_file"
    end = ends(ride, crew.driver, how="refused", at_us=at_us)
    story.must.cross(ride, crew.every, filing, ("refused",), ends=end)


@odd("paroled", 16, "paroled: let in on terms, which is no entry")
def paroled(story: Story) -> None:
    """No border record."""
    _ends_so(story, "paroled")


@odd("u_turn_in_queue", 17, "turns round in front of the queue's antennas")
def u_turn_in_queue(story: Story) -> None:
    """Its tags move against the lane: a u-turn."""
    crew, ride, filing = begin(story)
    story.hear(ride, "queue", crew.every, reverse=True)
    story.must.trips[filing.trip_number] = "on_file"
    story.must.cross(ride, crew.every, filing, ("u_turn",))


@odd("u_turn_at_booth", 17, "backs out of the booth and is heard at the queue again")
def u_turn_at_booth(story: Story) -> None:
    """An earlier read point after a later one: a u-turn."""
    crew, ride, filing = begin(story)
    story.hear(ride, "queue", crew.every)
    story.hear(ride, "primary", crew.every)
    again_us = ride.left_us + 2 * MINUTE
    story.hear(ride, "queue", crew.every, from_us=again_us, until_us=again_us + 5 * SECOND)
    story.must.trips[filing.trip_number] = "on_file"
    story.must.cross(ride, crew.every, filing, ("u_turn",), ends=((None, "u_turn", again_us),))


@odd("u_turn_other_lane", 17, "leaves the queue and comes back through the other direction's lane")
def u_turn_other_lane(story: Story) -> None:
    """A read point of the other direction: a u-turn."""
    crew, ride, filing = begin(story)
    story.hear(ride, "queue", crew.every)
    back = story.ride(ride.way.back, at_us=ride.queue_us + 10 * MINUTE)
    story.hear(back, "primary", crew.every)
    story.must.trips[filing.trip_number] = "on_file"
    story.must.cross(ride, crew.every, filing, ("u_turn",), flags=("return_leg",))


@odd("lost", 17, "heard in the queue, and never again")
def lost(story: Story) -> None:
    """Mere absence is no u-turn: lost, and somebody should look."""
    crew, ride, filing = begin(story)
    story.hear(ride, "queue", crew.every)
    story.must.trips[filing.trip_number] = "on_file"
    story.must.waiting.append(("crossing_without_end", None))
    story.must.cross(ride, crew.every, filing, ("lost",), ends=())


@odd("secondary", 18, "sent to secondary, and let in there")
def secondary(story: Story) -> None:
    """One crossing; the entry is that at secondary."""
    crew, ride, filing = begin(story)
    first = opening(story.hear(ride, "queue", crew.every))
    story.hear(ride, "primary", crew.every)
    story.decide(ride, "secondary")
    stays = story.hear(ride, "secondary", crew.every)
    at_us = stays[0].until_us - MINUTE
    story.decide(ride, "released", at_us=at_us, about=first)
    out_us = stays[0].until_us + 20 * SECOND
    story.hear(ride, "exit", crew.every, from_us=out_us, until_us=out_us + 4 * SECOND)
    story.must.record(ride, crew.driver, role="driver", at_us=at_us)
    story.must.went_over += 1
    story.must.cross(ride, crew.every, filing, ends=ends(ride, crew.driver, at_us=at_us))


@odd("held", 18, "held for half an hour, and let in")
def held(story: Story) -> None:
    """Held is no end."""
    crew, ride, filing = begin(story)
    first = opening(story.hear(ride, "queue", crew.every))
    story.hear(ride, "primary", crew.every)
    story.decide(ride, "held")
    at_us = ride.decided_us + 30 * MINUTE
    story.decide(ride, "released", at_us=at_us, about=first)
    out_us = at_us + MINUTE
    story.hear(ride, "exit", crew.every, from_us=out_us, until_us=out_us + 4 * SECOND)
    story.must.record(ride, crew.driver, role="driver", at_us=at_us)
    story.must.went_over += 1
    story.must.cross(ride, crew.every, filing, ends=ends(ride, crew.driver, at_us=at_us))


@odd("reread", 18, "heard again at the booth minutes after it was let in")
def reread(story: Story) -> None:
    """The same crossing, no second entry."""
    crew, ride, filing = begin(story)
    story.drive(ride, crew.every)
    again_us = ride.left_us + 3 * MINUTE
    story.hear(ride, "primary", crew.every, from_us=again_us, until_us=again_us + 20 * SECOND)
    released(story, ride, (crew.driver, "driver"))
    story.must.cross(ride, crew.every, filing, ends=ends(ride, crew.driver))


@odd("back_in_40", 19, "back over the border after 40 minutes")
def back_in_40(story: Story) -> None:
    """A new crossing the other way."""
    crew, ride = story.crew(), story.ride()
    goes_over(story, ride, crew)
    back = story.ride(ride.way.back, at_us=ride.exit_us + 40 * MINUTE)
    goes_over(story, back, crew, load="empty", mark="2")


@odd("missed_exit", 20, "not heard at the exit")
def missed_exit(story: Story) -> None:
    """Entered on the officer's word alone."""
    crew, ride, filing = begin(story)
    story.hear(ride, "queue", crew.every)
    story.hear(ride, "primary", crew.every)
    released(story, ride, (crew.driver, "driver"))
    story.must.cross(
        ride, crew.every, filing, flags=("exit_read_missing",), ends=ends(ride, crew.driver)
    )


@odd("in_motion", 27, "no officer decides, where vehicles may leave in motion")
def in_motion(story: Story) -> None:
    """The exit read is the entry."""
    crew, ride, filing = begin(story, way=_IN_MOTION)
    story.drive(ride, crew.every)
    story.must.record(ride, crew.driver, role="driver", at_us=ride.exit_us)
    story.must.went_over += 1
    story.must.cross(
        ride,
        crew.every,
        filing,
        flags=("released_in_motion",),
        ends=ends(ride, crew.driver, at_us=ride.exit_us),
    )


@odd("other_sides_release", 27, "only the left country's officer lets it go")
def other_sides_release(story: Story) -> None:
    """An export clearance is no entry; nothing more is heard, so it is lost."""
    crew, ride, filing = begin(story, way=Way("lar-wtb", "MX>US"))
    story.hear(ride, "queue", crew.every)
    story.hear(ride, "primary", crew.every)
    story.decide(ride, "released", country="MX")
    story.must.trips[filing.trip_number] = "on_file"
    story.must.waiting.append(("crossing_without_end", None))
    story.must.cross(ride, crew.every, filing, ("lost",), flags=("export_cleared",), ends=())


@odd("diverted", 27, "leaves the queue for another bridge, its trip amended")
def diverted(story: Story) -> None:
    """The first crossing ends without a record; the second goes on with it, and has its trip: no candidate any more for the first."""
    crew, ride, filing = begin(story, way=Way("lar-wtb", "MX>US"))
    story.hear(ride, "queue", crew.every)
    there = Way("pha-rey", "MX>US")
    second = story.ride(there, at_us=ride.booth_us + 3 * HOUR)
    trailers = tuple(
        DeclaredTrailer(id=one.id, seals=one.seals, load=one.load) for one in filing.trailers
    )
    now = story.amended(
        filing,
        ride.queue_us + 20 * MINUTE,
        port_code=office(story.places.ports[there.pair], "US"),
        trailers=trailers,
    )
    now = story.file(replace(now, eta_us=filing.eta_us))
    story.drive(second, crew.every)
    released(story, second, (crew.driver, "driver"))
    story.must.cross(
        ride,
        crew.every,
        None,
        ("diverted",),
        ends=((None, "diverted", second.decided_us),),
    )
    story.must.cross(second, crew.every, now, continues=True, ends=ends(second, crew.driver))


@odd("port_closed", 28, "a truck at a port that is closed")
def port_closed(story: Story) -> None:
    """Unexpected; what becomes of it is the officer's word, should there be one."""
    crew, ride, filing = begin(story, way=Way(CLOSED, "MX>US"))
    story.hear(ride, "queue", crew.every)
    story.hear(ride, "primary", crew.every)
    story.decide(ride, "turned_back")
    story.must.trips[filing.trip_number] = "on_file"
    story.must.cross(
        ride,
        crew.every,
        filing,
        ("turned_back",),
        flags=("unexpected_activity",),
        flags_before_booth=("unexpected_activity",),
        ends=ends(ride, crew.driver, how="turned_back"),
    )
