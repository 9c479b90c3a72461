"""Odd cases about what is filed."""

from msgspec.structs import replace

from schemas.reference import Membership, Party, Truck
from schemas.trips import DeclaredTrailer, DeclaredTruck, TripFiling
from simulators.day.cast import PLAIN, plate, shipment
from simulators.day.odd import odd
from simulators.day.places import DAY, HOUR, MINUTE, SECOND, Way
from simulators.day.plain import goes_over
from simulators.day.ride import Ride
from simulators.day.story import Story
from simulators.day.tell import begin, ends, into_us, limited, released

#: Minutes before arrival by which a trip must be on file, for who is in no programme (19 CFR 123.92; CBSA's ACI).
LIMIT_MIN = 60

#: A port of the same country that the pair is not.
WRONG_PORT = {
    ("lar-wtb", "US"): "2305",
    ("lar-wtb", "MX"): "300",
    ("pha-rey", "US"): "2304",
    ("pha-rey", "MX"): "240",
    ("det-amb", "US"): "3802",
    ("det-amb", "CA"): "0440",
}

#: Two numbers with right check digits (ISO 3779 with the check digit of North America).
_VIN = ("1M8GDM9AXKP042788", "11111111111111111")


def _late(ride: Ride, accepted_us: int) -> str:
    short_us = LIMIT_MIN * MINUTE - (ride.booth_us - accepted_us)
    return f"filed_late:{-(-short_us // MINUTE)}"


@odd("no_manifest", 5, "a loaded truck without a trip")
def no_manifest(story: Story) -> None:
    """Said before the booth; the officer decides."""
    crew, ride = story.crew(trusted=True), story.ride()
    story.drive(ride, crew.every)
    released(story, ride, (crew.driver, "driver"))
    story.must.cross(
        ride,
        crew.every,
        None,
        flags_before_booth=("no_manifest",),
        may_not_use=("fast",),
        ends=ends(ride, crew.driver),
    )


@odd("bobtail", 5, "a truck without trailer and without a trip")
def bobtail(story: Story) -> None:
    """Allowed into the US and, with CSA, into Canada."""
    crew, ride = story.crew(trailers=0), story.ride()
    story.drive(ride, crew.every)
    released(story, ride, (crew.driver, "driver"))
    story.must.cross(ride, crew.every, None, ends=ends(ride, crew.driver))


@odd("late_manifest", 6, "a trip that was filed less than an hour before arrival")
def late_manifest(story: Story) -> None:
    """So many minutes too late."""
    crew, ride = story.crew(), story.ride(limited(story))
    filing = story.file(story.trip(ride, crew, lead_min=story.draws.randrange(16, 59)))
    story.drive(ride, crew.every)
    released(story, ride, (crew.driver, "driver"))
    late = _late(ride, filing.accepted_at_us or 0)
    story.must.cross(ride, crew.every, filing, flags=(late,), ends=ends(ride, crew.driver))


@odd("manifest_while_waiting", 6, "a trip that is filed while the truck waits")
def manifest_while_waiting(story: Story) -> None:
    """The first notices know of none, the later ones have it."""
    crew, ride = story.crew(), story.ride(limited(story))
    accepted_us = ride.queue_us + 2 * MINUTE
    filing = story.trip(ride, crew)
    filing = story.file(replace(filing, filed_at_us=accepted_us, accepted_at_us=accepted_us))
    story.drive(ride, crew.every)
    released(story, ride, (crew.driver, "driver"))
    story.must.cross(
        ride,
        crew.every,
        filing,
        flags=(_late(ride, accepted_us),),
        flags_before_booth=("no_manifest",),
        ends=ends(ride, crew.driver),
    )


@odd(
    "manifest_delivered_late",
    7,
    "a trip that was accepted in time, and reaches the event log hours after the crossing",
)
def manifest_delivered_late(story: Story) -> None:
    """Joined afterwards, by a new revision; the record stands."""
    crew, ride = story.crew(), story.ride()
    filing = story.file(story.trip(ride, crew), sent_us=ride.exit_us + 3 * HOUR)
    story.drive(ride, crew.every)
    released(story, ride, (crew.driver, "driver"))
    story.must.cross(
        ride,
        crew.every,
        filing,
        flags_before_booth=("no_manifest",),
        ends=ends(ride, crew.driver),
    )


@odd("manifest_after_arrival", 7, "a trip that is filed after the crossing has ended")
def manifest_after_arrival(story: Story) -> None:
    """It counts no more: the crossing had none, and the trip is not used."""
    crew, ride = story.crew(), story.ride()
    accepted_us = ride.exit_us + 30 * MINUTE
    filing = story.trip(ride, crew)
    filing = replace(filing, filed_at_us=accepted_us, accepted_at_us=accepted_us)
    story.must.trips[filing.trip_number] = "on_file"
    story.file(filing)
    story.drive(ride, crew.every)
    released(story, ride, (crew.driver, "driver"))
    story.must.cross(
        ride,
        crew.every,
        None,
        flags_before_booth=("no_manifest",),
        ends=ends(ride, crew.driver),
    )


@odd("wrong_port", 8, "a trip for another port")
def wrong_port(story: Story) -> None:
    """Said to the officer, who decides."""
    way = story.way
    crew, ride, filing = begin(story, port_code=WRONG_PORT[way.pair, way.entered])
    story.drive(ride, crew.every)
    released(story, ride, (crew.driver, "driver"))
    story.must.cross(
        ride, crew.every, filing, flags=("port_mismatch",), ends=ends(ride, crew.driver)
    )


@odd("duplicate_trip", 9, "a second filing under the number of a trip that is on file")
def duplicate_trip(story: Story) -> None:
    """The second is refused, the first stays."""
    crew, ride, filing = begin(story)
    at_us = (filing.accepted_at_us or 0) + 10 * MINUTE
    again = replace(
        filing,
        filing_id=f"{filing.trip_number}-x",
        filed_at_us=at_us,
        accepted_at_us=at_us,
        truck=None,
        trailers=(),
    )
    story.row(again, at_us)
    story.must.refused.append(filing.trip_number)
    story.drive(ride, crew.every)
    released(story, ride, (crew.driver, "driver"))
    story.must.cross(ride, crew.every, filing, ends=ends(ride, crew.driver))


@odd("cancelled_in_queue", 10, "the trip is cancelled while the truck waits")
def cancelled_in_queue(story: Story) -> None:
    """Evaluated again: no trip."""
    crew, ride, filing = begin(story, trusted=True)
    at_us = ride.queue_us + MINUTE
    gone = TripFiling(
        filing_id=f"{filing.trip_number}-2",
        trip_number=filing.trip_number,
        action="cancel",
        version=2,
        filed_at_us=at_us,
    )
    story.row(gone, at_us)
    story.must.trips[filing.trip_number] = "cancelled"
    story.drive(ride, crew.every)
    released(story, ride, (crew.driver, "driver"))
    story.must.cross(ride, crew.every, None, said=("no_manifest",), ends=ends(ride, crew.driver))


@odd("ccn_mismatch", 11, "a cargo control number that does not begin with the carrier's code")
def ccn_mismatch(story: Story) -> None:
    """Refused, with the difference shown: the truck comes without a trip."""
    crew, ride = story.crew(), story.ride(Way("det-amb", "US>CA"))
    filing = story.trip(ride, crew)
    wrong = tuple(
        replace(one, control_number=f"GBXS{one.control_number[4:]}") for one in filing.shipments
    )
    story.file(replace(filing, shipments=wrong))
    del story.must.trips[filing.trip_number]
    story.must.refused.append(filing.trip_number)
    story.drive(ride, crew.every)
    released(story, ride, (crew.driver, "driver"))
    story.must.cross(ride, crew.every, None, ends=ends(ride, crew.driver))


@odd("trailer_swapped", 12, "another trailer than the trip declares")
def trailer_swapped(story: Story) -> None:
    """A finding; what it carries is not known, so no special lane."""
    crew, ride, filing = begin(story, way=into_us(story), trusted=True)
    other = story.crew(mark="x").trailers[0]
    read = (crew.truck, crew.driver, other)
    story.drive(ride, read)
    released(story, ride, (crew.driver, "driver"))
    story.must.cross(ride, read, filing, flags=("trailer_mismatch",), ends=ends(ride, crew.driver))


@odd(
    "trailer_dropped",
    12,
    "the trailer stays on the other side, and the truck comes back without one",
)
def trailer_dropped(story: Story) -> None:
    """Two crossings; the second is a bobtail on its own trip."""
    crew, ride = story.crew(), story.ride(into_us(story))
    goes_over(story, ride, crew)
    back = story.ride(ride.way.back, at_us=ride.exit_us + 70 * MINUTE)
    filing = story.trip(back, crew, mark="2", load="empty")
    filing = story.file(replace(filing, trailers=()))
    read = (crew.truck, crew.driver)
    story.drive(back, read)
    released(story, back, (crew.driver, "driver"))
    story.must.cross(back, read, filing, may_use=("empty",), ends=ends(back, crew.driver))


@odd("double_not_fast", 13, "two trailers, one shipment of which is of nobody's programme")
def double_not_fast(story: Story) -> None:
    """The whole trip may not use the FAST lane."""
    crew, ride = story.crew(trusted=True, trailers=2), story.ride(into_us(story))
    filing = story.trip(ride, crew)
    odd_one = shipment(
        filing.trip_number, ride.way.entered, 7, story.draws, kind=PLAIN, plain_goods=True
    )
    filing = story.file(replace(filing, shipments=(*filing.shipments, odd_one)))
    story.drive(ride, crew.every)
    released(story, ride, (crew.driver, "driver"))
    story.must.cross(ride, crew.every, filing, may_not_use=("fast",), ends=ends(ride, crew.driver))


@odd("no_seal", 14, "a trusted truck out of Mexico without a seal on its trailer")
def no_seal(story: Story) -> None:
    """FAST out of Mexico needs one."""
    crew, ride = story.crew(trusted=True), story.ride(Way("lar-wtb", "MX>US"))
    filing = story.trip(ride, crew)
    bare = tuple(DeclaredTrailer(id=one.id, load="loaded") for one in crew.trailers)
    filing = story.file(replace(filing, trailers=bare))
    story.drive(ride, crew.every)
    released(story, ride, (crew.driver, "driver"))
    story.must.cross(ride, crew.every, filing, may_not_use=("fast",), ends=ends(ride, crew.driver))


@odd("vin_mismatch", 15, "the trip has another VIN than the truck's row")
def vin_mismatch(story: Story) -> None:
    """Said to the officer: the usual cause of an unpaid fee."""
    crew, ride = story.crew(), story.ride()
    name = crew.truck.id.partition(":")[2]
    story.row(Truck(id=crew.truck.id, vin=_VIN[0], plates=(plate(name),), fee_status="paid"))
    filing = story.trip(ride, crew)
    declared = DeclaredTruck(id=crew.truck.id, vin=_VIN[1])
    filing = story.file(replace(filing, truck=declared))
    story.drive(ride, crew.every)
    released(story, ride, (crew.driver, "driver"))
    story.must.cross(
        ride, crew.every, filing, flags=("vin_mismatch",), ends=ends(ride, crew.driver)
    )


@odd("carrier_suspended", 26, "the carrier is suspended while its truck waits")
def carrier_suspended(story: Story) -> None:
    """The open crossing is judged again: no FAST lane at the booth."""
    crew, ride = story.crew(trusted=True), story.ride(into_us(story))
    since_us = story.places.start_us - 300 * DAY
    carrier = f"party:carrier-{story.name}"
    member = Membership(
        programme="C-TPAT",
        country="US",
        state="member",
        effective_from_us=since_us,
        accepted_at_us=since_us,
    )
    row = Party(id=carrier, name="Invented carrier", roles=("carrier",), memberships=(member,))
    story.row(row)
    at_us = ride.queue_us + 90 * SECOND
    out = replace(member, state="suspended", effective_from_us=at_us, accepted_at_us=at_us)
    story.row(replace(row, memberships=(member, out)), at_us)
    filing = story.file(replace(story.trip(ride, crew), carrier=carrier))
    story.drive(ride, crew.every)
    released(story, ride, (crew.driver, "driver"))
    story.must.cross(
        ride, crew.every, filing, shut_in_the_end=("fast",), ends=ends(ride, crew.driver)
    )
