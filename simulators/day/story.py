"""The builder of a scene: what happens, and beside each thing what must come of it.

A story (`odd_*.py`) makes a crew, files its trip, takes a `Ride` through a lane, lets tags be heard, lets officers
speak, and says what must come of it. Nothing here looks at the stages.
"""

from collections.abc import Iterable
from typing import Final, Literal

from msgspec.structs import replace

from schemas.gate import Correction, Decision, ManualRead, Outcome
from schemas.message import Country, Message, Position
from schemas.reference import CredentialStatus, Person, Trailer, Truck
from schemas.topics import TOPICS
from schemas.trips import DeclaredPerson, DeclaredTrailer, DeclaredTruck, TripFiling
from simulators.day.cast import (
    CODE,
    PLAIN,
    TRUSTED,
    Crew,
    Held,
    credential,
    goods_flags,
    held,
    plate,
    shipment,
)
from simulators.day.happening import Notice, Outage, Row, Stay, Word
from simulators.day.must import Must
from simulators.day.places import AUTHORITIES, MINUTE, SECOND, Places, Way, office
from simulators.day.ride import Ride
from simulators.fleet import Draws

_TOPIC_OF: Final = {kind: topic.name for topic in TOPICS.values() for kind in topic.messages}

#: What is in a booth's queue is loaded so early.
LOADED_BEFORE_US: Final = 6 * 60 * MINUTE

Load = Literal["loaded", "empty"]

_ALL_THE_WAY: Final[tuple[Position, ...]] = ("queue", "primary", "exit")


class Story:
    """One scene as it is being told."""

    def __init__(
        self, number: int, odd: str, *, way: Way, at_us: int, places: Places, draws: Draws
    ) -> None:
        """`at_us`: about when its vehicle should be at the booth."""
        self.name = f"{number:05d}"
        self.odd = odd
        self.way = way
        self.at_us = at_us
        self.places = places
        self.draws = draws
        self.stays: list[Stay] = []
        self.words: list[Word] = []
        self.notices: list[Notice] = []
        self.outages: list[Outage] = []
        self.rows: list[Row] = []
        self.must = Must(places)

    # ---- who comes

    def crew(
        self, *, trusted: bool = False, trailers: int = 1, passengers: int = 0, mark: str = ""
    ) -> Crew:
        """A truck with its driver; their cards are enrolled. `mark` tells two crews of a scene apart."""
        name = f"{self.name}{mark}"
        programme = "FAST" if trusted else None
        kind = TRUSTED if trusted else PLAIN
        made = Crew(
            truck=held("truck_tag", name, self.draws),
            driver=held("driver_card", f"{name}d", self.draws, programme=programme),
            passengers=tuple(
                held("driver_card", f"{name}p{at}", self.draws, programme=programme)
                for at in range(passengers)
            ),
            trailers=tuple(
                held("trailer_tag", f"{name}t{at}", self.draws) for at in range(trailers)
            ),
            carrier=kind,
            goods=kind,
        )
        for one in made.every:
            self.enrol(one)
        return made

    def person(self, mark: str, *, programme: str | None = None) -> Held:
        """Somebody else, with a card that is enrolled."""
        one = held("driver_card", f"{self.name}{mark}", self.draws, programme=programme)
        self.enrol(one)
        return one

    def stranger(self, mark: str) -> Held:
        """Somebody with a card that nobody has enrolled."""
        one = held("driver_card", f"{self.name}{mark}", self.draws)
        self.must.things[one.token] = None
        return one

    def enrol(self, one: Held, *statuses: CredentialStatus, at_us: int | None = None) -> None:
        """Load the rows of somebody or something; at `at_us`, else long before."""
        self.must.things.update(dict.fromkeys((one.id, one.token, one.card)))
        self.row(credential(one, self.places.start_us, *statuses), at_us)
        name = one.id.partition(":")[2]
        match one.kind:
            case "driver_card":
                self.row(Person(id=one.id), at_us)
            case "truck_tag":
                self.row(Truck(id=one.id, plates=(plate(name),), fee_status="paid"), at_us)
            case _:
                self.row(Trailer(id=one.id, plate=plate(name), trailer_type="TL"), at_us)

    def row(self, message: Message, at_us: int | None = None) -> None:
        """A reference row or filing that the event log gets then."""
        when = self.places.start_us - LOADED_BEFORE_US if at_us is None else at_us
        self.rows.append(Row(topic=_TOPIC_OF[type(message)], at_us=when, message=message))

    # ---- what is filed

    def trip(
        self,
        ride: Ride,
        crew: Crew,
        *,
        mark: str = "",
        load: Load = "loaded",
        lead_min: int | None = None,
    ) -> TripFiling:
        """A filing that fits; it is not filed yet. `lead_min`: accepted so long before the booth."""
        number = f"{CODE}{self.name}{mark or '1'}".upper()
        minutes = self.draws.randrange(75, 600) if lead_min is None else lead_min
        accepted_us = ride.booth_us - minutes * MINUTE
        shipments = (
            ()
            if load == "empty"
            else tuple(
                shipment(
                    number,
                    ride.way.entered,
                    at,
                    self.draws,
                    kind=crew.goods,
                    plain_goods=crew.trusted,
                )
                for at in range(1, 1 + (1 if crew.trusted else self.draws.randrange(1, 4)))
            )
        )
        seals = () if load == "empty" else (f"SL{self.name}",)
        return TripFiling(
            filing_id=f"{number}-1",
            trip_number=number,
            action="file",
            carrier=f"party:carrier-{crew.carrier}",
            carrier_code=CODE,
            port_code=office(self.places.ports[ride.way.pair], ride.way.entered),
            direction=ride.way.direction,
            eta_us=ride.booth_us,
            filed_at_us=accepted_us - 90 * SECOND,
            accepted_at_us=accepted_us,
            drivers=(DeclaredPerson(id=crew.driver.id),),
            passengers=tuple(DeclaredPerson(id=one.id) for one in crew.passengers),
            truck=DeclaredTruck(id=crew.truck.id),
            trailers=tuple(
                DeclaredTrailer(id=one.id, seals=seals, load=load) for one in crew.trailers
            ),
            shipments=shipments,
        )

    def file(self, filing: TripFiling, *, sent_us: int | None = None) -> TripFiling:
        """File it; the event log has it when it is accepted, or later."""
        accepted_us = filing.accepted_at_us or filing.filed_at_us
        self.row(filing, accepted_us if sent_us is None else sent_us)
        self.must.goods.setdefault(filing.trip_number, goods_flags(filing.shipments))
        self.must.things[filing.trip_number] = None
        self.must.trips.setdefault(filing.trip_number, "used")
        self.must.etas_us[filing.trip_number] = filing.eta_us or 0
        return filing

    def amended(self, filing: TripFiling, at_us: int, **changes: object) -> TripFiling:
        """The next version of a filing, filed and accepted then."""
        return replace(
            filing,
            filing_id=f"{filing.trip_number}-{filing.version + 1}",
            action="amend",
            version=filing.version + 1,
            filed_at_us=at_us,
            accepted_at_us=at_us,
            **changes,
        )

    # ---- what is heard and said

    def ride(
        self, way: Way | None = None, *, at_us: int | None = None, lane: str | None = None
    ) -> Ride:
        """A way through a free lane."""
        there = self.way if way is None else way
        from_us = self.at_us if at_us is None else at_us
        found = lane or there.lanes[self.draws.randrange(0, len(there.lanes))]
        stands_us = self.draws.randrange(45, 90) * SECOND + self.draws.randrange(0, 1_000_000)
        booth_us = self.places.free_at(there.pair, found, from_us, stands_us)
        return self.made_ride(there, found, booth_us, stands_us)

    def made_ride(self, way: Way, lane: str, booth_us: int, stands_us: int) -> Ride:
        """A way through a lane that is free then."""
        left_us = booth_us + stands_us
        return Ride(
            way=way,
            lane=lane,
            queue_us=booth_us - self.places.wait_us(way.pair, booth_us),
            booth_us=booth_us,
            decided_us=left_us - 8 * SECOND,
            left_us=left_us,
            exit_us=left_us + 14 * SECOND,
        )

    def hear(
        self, ride: Ride, position: Position, cards: Iterable[Held], **changes: object
    ) -> list[Stay]:
        """The cards are heard there, one after the other."""
        from_us, until_us = ride.span(position)
        found = []
        for at, one in enumerate(cards):
            usual: dict[str, object] = {
                "way": ride.way,
                "lane": ride.lane,
                "position": position,
                "token": one.token,
                "from_us": from_us + at * self.draws.randrange(50_000, 250_000),
                "until_us": until_us,
            }
            found.append(Stay(**{**usual, **changes}))  # type: ignore[arg-type]
        self.stays += found
        return found

    def drive(self, ride: Ride, cards: Iterable[Held], **changes: object) -> list[Stay]:
        """The cards are heard all the way."""
        heard = tuple(cards)
        return [
            stay
            for position in _ALL_THE_WAY
            for stay in self.hear(ride, position, heard, **changes)
        ]

    def decide(
        self,
        ride: Ride,
        outcome: Outcome,
        *,
        at_us: int | None = None,
        country: Country | None = None,
        about: Stay | None = None,
        desk: str | None = None,
    ) -> None:
        """An officer of the entered country, or of `country`, decides about who stands in the lane, or `about` a crossing."""
        when = ride.decided_us if at_us is None else at_us
        whose = country or ride.way.entered
        what = Decision(
            event_id="-",
            pair=ride.way.pair,
            at_us=when,
            country=whose,
            authority=AUTHORITIES[whose],
            officer=f"officer-{ride.lane.lower()}",
            outcome=outcome,
            lane=ride.lane if about is None else None,
        )
        self.say(ride, what, about=about, desk=desk)

    def say(
        self,
        ride: Ride,
        what: Decision | ManualRead | Correction,
        *,
        about: Stay | None = None,
        desk: str | None = None,
    ) -> None:
        """What an officer says; with `about`, of the crossing that this stay opened."""
        if desk is None:
            desk = f"desk-{what.country.lower()}-{ride.way.pair}-{ride.lane.lower()}"
        self.words.append(
            Word(pair=ride.way.pair, desk=desk, at_us=what.at_us, what=what, about=about)
        )

    def key(self, ride: Ride, subject: str, *, at_us: int | None = None) -> None:
        """An officer keys what no reader heard."""
        when = ride.decided_us - 6 * SECOND if at_us is None else at_us
        whose = ride.way.entered
        what = ManualRead(
            event_id="-",
            pair=ride.way.pair,
            at_us=when,
            country=whose,
            authority=AUTHORITIES[whose],
            officer=f"officer-{ride.lane.lower()}",
            subject=subject,
            lane=ride.lane,
        )
        self.say(ride, what)

    def correct(
        self,
        ride: Ride,
        about: Stay,
        what: Literal["retract", "person", "moment"],
        person: Held,
        at_us: int,
        **changes: object,
    ) -> None:
        """A supervisor sets right what was recorded."""
        whose = ride.way.entered
        said = Correction(
            event_id="-",
            pair=ride.way.pair,
            at_us=at_us,
            country=whose,
            authority=AUTHORITIES[whose],
            officer="officer-supervisor",
            crossing_id="-",
            what=what,
            person=person.id,
            reason="the document was looked at again",
        )
        self.say(ride, replace(said, **changes), about=about)
