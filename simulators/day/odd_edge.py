"""Odd cases about gateways and readers: late, doubled, silent, rebooted, with a wrong clock."""

from simulators.day.happening import Notice, Outage, Stay
from simulators.day.odd import odd
from simulators.day.places import HOUR, MINUTE, SECOND, SILENT, SKEWED
from simulators.day.ride import Ride
from simulators.day.story import Story
from simulators.day.tell import begin, ends, opening, released

#: A wrong clock is this far ahead: more than the minute that is allowed.
AHEAD_US = 3 * MINUTE


def _own_gateway(story: Story, ride: Ride) -> str:
    """A gateway that only this scene hears of."""
    name = f"gw-{ride.way.pair}-{story.name}"
    story.must.things[name] = None
    return name


def _beats(
    story: Story, ride: Ride, gateway: str, from_us: int, until_us: int, *, ahead_us: int = 0
) -> None:
    story.notices += [
        Notice(
            pair=ride.way.pair,
            gateway=gateway,
            epoch=1,
            at_us=at_us + ahead_us,
            sent_us=at_us,
            kind="beat",
            ahead_us=ahead_us,
        )
        for at_us in range(from_us, until_us, MINUTE)
    ]


@odd("clock_ahead", 23, "a gateway whose clock is three minutes ahead")
def clock_ahead(story: Story) -> None:
    """Its times alone end nothing; the officer names the crossing."""
    lane = SKEWED[0 if story.way.into_us else 1]
    crew, ride, filing = begin(story, lane=lane)
    gateway = _own_gateway(story, ride)
    _beats(
        story, ride, gateway, ride.queue_us - 10 * MINUTE, ride.exit_us + MINUTE, ahead_us=AHEAD_US
    )
    stays: list[Stay] = []
    for position in ("queue", "primary", "exit"):
        from_us, until_us = ride.span(position)
        stays += story.hear(
            ride,
            position,
            crew.every,
            from_us=from_us + AHEAD_US,
            until_us=until_us + AHEAD_US,
            gateway=gateway,
            ahead_us=AHEAD_US,
        )
    first = opening(stays)
    story.decide(ride, "released", about=first)
    story.must.record(ride, crew.driver, role="driver")
    story.must.went_over += 1
    story.must.cross(
        ride,
        crew.every,
        filing,
        first_us=ride.queue_us + AHEAD_US,
        flags=("untrusted_clock",),
        ends=ends(ride, crew.driver),
    )


@odd(
    "reader_reboot",
    23,
    "a gateway begins a new outbox, and its numbers again, between queue and booth",
)
def reader_reboot(story: Story) -> None:
    """Nothing is taken for a repeat, nothing is doubled."""
    crew, ride, filing = begin(story)
    gateway = _own_gateway(story, ride)
    stays = story.hear(ride, "queue", crew.every, gateway=gateway)
    story.notices.append(
        Notice(
            pair=ride.way.pair,
            gateway=gateway,
            epoch=2,
            at_us=ride.booth_us - MINUTE,
            sent_us=ride.booth_us - MINUTE,
            kind="begun",
            last_seq_known=2 * len(stays),
        )
    )
    for position in ("primary", "exit"):
        story.hear(ride, position, crew.every, gateway=gateway, epochs=(2, 2))
    released(story, ride, (crew.driver, "driver"))
    story.must.cross(ride, crew.every, filing, ends=ends(ride, crew.driver))


@odd("buffered_upload", 23, "all that a gateway heard comes three hours after the officer's word")
def buffered_upload(story: Story) -> None:
    """The same record as if it had come in time."""
    crew, ride, filing = begin(story)
    gateway = _own_gateway(story, ride)
    story.drive(ride, crew.every, gateway=gateway, sent_us=ride.exit_us + 3 * HOUR)
    released(story, ride, (crew.driver, "driver"))
    story.must.cross(ride, crew.every, filing, ends=ends(ride, crew.driver))


@odd(
    "repeated", 23, "a gateway that was killed sends all its events again a minute and a half later"
)
def repeated(story: Story) -> None:
    """Every event counts once."""
    crew, ride, filing = begin(story)
    story.drive(ride, crew.every, again_us=90 * SECOND)
    released(story, ride, (crew.driver, "driver"))
    story.must.cross(ride, crew.every, filing, ends=ends(ride, crew.driver))


@odd(
    "stuck_tag",
    24,
    "a truck that is parked under the queue's antennas for twenty minutes, its tag coming and going",
)
def stuck_tag(story: Story) -> None:
    """One stay, one crossing."""
    crew, ride, filing = begin(story)
    first_us = ride.queue_us - 20 * MINUTE
    for at in range(40):
        from_us = first_us + at * 30 * SECOND
        story.hear(ride, "queue", (crew.truck,), from_us=from_us, until_us=from_us + 6 * SECOND)
    story.drive(ride, crew.every)
    released(story, ride, (crew.driver, "driver"))
    story.must.cross(ride, crew.every, filing, first_us=first_us, ends=ends(ride, crew.driver))


@odd("glimpse", 24, "a tag of a truck on another road is glimpsed once")
def glimpse(story: Story) -> None:
    """A glimpse opens nothing."""
    crew, ride = story.crew(), story.ride()
    story.hear(ride, "queue", (crew.truck,), until_us=ride.queue_us + 100_000, observed=False)


@odd(
    "broker_down",
    25,
    "the pair's gateway reaches nobody for twenty minutes; its outbox keeps what it hears",
)
def broker_down(story: Story) -> None:
    """Oldest first once the log is back; the officer's word was there before."""
    crew, ride, filing = begin(story)
    from_us = ride.booth_us - 5 * MINUTE
    story.outages.append(
        Outage(pair=ride.way.pair, from_us=from_us, until_us=from_us + 20 * MINUTE)
    )
    story.drive(ride, crew.every)
    released(story, ride, (crew.driver, "driver"))
    story.must.cross(ride, crew.every, filing, ends=ends(ride, crew.driver))


@odd("gap", 25, "an event of a gateway never comes, and nobody says so")
def gap(story: Story) -> None:
    """An alert; the rest stands."""
    crew, ride, filing = begin(story)
    gateway = _own_gateway(story, ride)
    story.notices.append(_about(ride, gateway, ride.booth_us - 40 * SECOND, "lost"))
    story.drive(ride, crew.every, gateway=gateway)
    released(story, ride, (crew.driver, "driver"))
    story.must.alerts.append(("sequence_gap", gateway))
    story.must.cross(ride, crew.every, filing, ends=ends(ride, crew.driver))


@odd("gap_announced", 25, "an event of a gateway is damaged in its outbox, which it announces")
def gap_announced(story: Story) -> None:
    """No alert: the loss is known."""
    crew, ride, filing = begin(story)
    gateway = _own_gateway(story, ride)
    at_us = ride.booth_us - 40 * SECOND
    story.notices.append(_about(ride, gateway, at_us, "lost"))
    story.notices.append(_about(ride, gateway, at_us + 1_000, "skipped"))
    story.drive(ride, crew.every, gateway=gateway)
    released(story, ride, (crew.driver, "driver"))
    story.must.cross(ride, crew.every, filing, ends=ends(ride, crew.driver))


@odd("silent_gateway", 25, "a gateway falls silent after the queue, for ever")
def silent_gateway(story: Story) -> None:
    """It is waited for six hours, which is said; then the crossing is lost."""
    lane = SILENT[0 if story.way.into_us else 1]
    crew, ride, filing = begin(story, lane=lane)
    gateway = _own_gateway(story, ride)
    _beats(story, ride, gateway, ride.queue_us - 10 * MINUTE, ride.queue_us + 2 * MINUTE)
    story.hear(ride, "queue", crew.every, gateway=gateway)
    story.must.trips[filing.trip_number] = "on_file"
    story.must.waiting.append(("crossing_without_end", None))
    story.must.cross(ride, crew.every, filing, ("lost",), said=("waiting_for_gateway",), ends=())


@odd("nobody_there", 4, "an officer decides about a lane in which nothing was heard")
def nobody_there(story: Story) -> None:
    """His word waits for what it is about."""
    ride = story.ride()
    desk = f"desk-{story.name}"
    word = f"{desk}.e1.1"
    story.must.things[word] = None
    story.decide(ride, "released", desk=desk)
    story.must.waiting.append(("decision_without_crossing", word))


def _about(ride: Ride, gateway: str, at_us: int, kind: str) -> Notice:
    return Notice(
        pair=ride.way.pair, gateway=gateway, epoch=1, at_us=at_us, sent_us=at_us, kind=kind
    )
