"""Who and what comes to the simulated border: people, trucks, trailers, cards and trips. All invented.

Pure: everything follows from the draws that it is handed. Names of people do not exist here, ids do; their sealed
fields stay empty. EPCs begin with E2, which no public EPC scheme uses (GS1 Tag Data Standard: E2 is reserved).
"""

from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple, Protocol

from gateway.identity import TokenKey, epc_token
from schemas.message import Message
from schemas.ports import Port
from schemas.reference import (
    Commodity,
    Credential,
    CredentialKind,
    CredentialStatus,
    Party,
    Person,
    Plate,
    Shipment,
    Trailer,
    Truck,
)
from schemas.trips import DeclaredPerson, DeclaredTrailer, DeclaredTruck, TripFiling
from simulators.site import DIRECTION

Story = Literal["plain", "passenger", "double", "refused", "unknown_card", "mismatch", "no_trip"]
"""What is particular about a truck; `double`: it pulls two trailers."""

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
DAY: Final = 24 * 60 * MINUTE

#: An invented carrier code: four letters, as trip numbers begin.
CARRIER_CODE: Final = "GBSX"
CARRIER: Final = "party:gbsx"
IMPORTERS: Final = ("party:imp1", "party:imp2", "party:imp3")

_GOODS: Final = (
    ("wiring harnesses", "854430", False),
    ("avocados", "080440", True),
    ("automotive seats", "940120", False),
    ("refrigerators", "841810", False),
    ("medical instruments", "901890", True),
    ("beer in cans", "220300", True),
)


class Draws(Protocol):
    """Where the world's chances come from: a seeded `random.Random`."""

    def random(self) -> float:
        """At least 0.0, below 1.0."""
        ...

    def randrange(self, start: int, stop: int) -> int:
        """A whole number from `start` up to but without `stop`."""
        ...

    def randbytes(self, n: int) -> bytes:
        """So many bytes."""
        ...


class Card(NamedTuple):
    """A card or tag: its number and whose it is."""

    epc: bytes
    token: str
    kind: CredentialKind
    holder: str


class Row(NamedTuple):
    """A reference row and its topic."""

    topic: str
    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """A truck with everybody and everything that comes with it."""

    number: int
    story: Story
    truck: str
    trip: str | None
    #: What its trip declares.
    drivers: tuple[str, ...]
    passengers: tuple[str, ...]
    trailers: tuple[str, ...]
    #: What can be heard of it: the truck's tag first, then trailers, then persons.
    cards: tuple[Card, ...]
    #: The card in it that nobody has enrolled.
    unknown_token: str | None
    #: Reference rows and the filing, in the order in which they should be loaded.
    rows: tuple[Row, ...]


def shared_rows() -> tuple[Row, ...]:
    """Rows that all trucks need: the carrier and the importers."""
    carrier = Party(id=CARRIER, name="Gatebook Simulated Express", roles=("carrier",))
    importers = (
        Party(id=one, name=f"Invented Importer {at}", roles=("importer",))
        for at, one in enumerate(IMPORTERS, start=1)
    )
    return tuple(Row("parties", party) for party in (carrier, *importers))


class Fleet:
    """Makes trucks, one after the other."""

    def __init__(self, draws: Draws, key: TokenKey, port: Port) -> None:
        """`key`: of the authority whose gateways hear the cards; `port`: where they go."""
        self.draws = draws
        self.port = port
        self._key = key

    def crew(self, number: int, story: Story, eta_us: int) -> Crew:
        """The truck with this number. `eta_us`: when it should be at the booth."""
        return _crew(
            _Maker(number, self.draws, self._key, eta_us, port_code=self.port.us_port_code), story
        )


def _crew(make: "_Maker", story: Story) -> Crew:
    number = make.number
    truck = f"truck:{number:04d}"
    driver = f"person:{number:04d}d"
    trailers = tuple(f"trailer:{number:04d}{at}" for at in ("ab" if story == "double" else "a"))
    passengers = (f"person:{number:04d}p",) if story == "passenger" else ()
    # Whoever sits at the wheel; with `mismatch` not the one whom the trip declares.
    at_wheel = f"person:{number:04d}x" if story == "mismatch" else driver
    cards = [make.card("truck_tag", truck)]
    cards += [make.card("trailer_tag", trailer) for trailer in trailers]
    cards += [make.card("driver_card", person) for person in (at_wheel, *passengers)]
    unknown = next(card for card in cards if card.kind == "driver_card")
    known = [card for card in cards if story != "unknown_card" or card is not unknown]
    persons = dict.fromkeys((driver, at_wheel, *passengers))
    rows = [
        *(make.credential(card) for card in known),
        *(Row("parties", Person(id=person)) for person in persons),
        make.truck(truck),
        *(make.trailer(trailer) for trailer in trailers),
    ]
    trip = None
    if story != "no_trip":
        trip = f"{CARRIER_CODE}{number:06d}"
    who = Crew(
        number=number,
        story=story,
        truck=truck,
        trip=trip,
        drivers=(driver,),
        passengers=passengers,
        trailers=trailers,
        cards=tuple(cards),
        unknown_token=unknown.token if story == "unknown_card" else None,
        rows=tuple(rows),
    )
    return who if trip is None else replace(who, rows=(*who.rows, make.trip(trip, who)))


class _Maker:
    """Makes the rows of one truck."""

    def __init__(
        self, number: int, draws: Draws, key: TokenKey, eta_us: int, *, port_code: str
    ) -> None:
        self.number = number
        self._port_code = port_code
        self._draws = draws
        self._key = key
        self._eta_us = eta_us

    def card(self, kind: CredentialKind, holder: str) -> Card:
        # Every fourth truck's numbers hold the bytes that begin and end an R200 frame.
        middle = bytes.fromhex("BB022200117E") if self.number % 4 == 2 else b""
        epc = b"\xe2" + middle + self._draws.randbytes(11 - len(middle))
        token = epc_token(self._key, epc)
        if token is None:
            raise ValueError("an EPC of twelve bytes always has a token")
        return Card(epc, token, kind, holder)

    def credential(self, card: Card) -> Row:
        since_us = self._eta_us - 400 * DAY
        driver = card.kind == "driver_card"
        return Row(
            "credentials",
            Credential(
                token=card.token,
                credential_id=f"{'card' if driver else 'tag'}:{card.holder.partition(':')[2]}",
                kind=card.kind,
                holder=card.holder,
                programme="FAST" if driver else None,
                statuses=(
                    CredentialStatus(
                        state="active", effective_from_us=since_us, accepted_at_us=since_us
                    ),
                ),
                expires_us=self._eta_us + 900 * DAY,
            ),
        )

    def truck(self, truck: str) -> Row:
        plate = Plate(number=f"SIM{self.number:04d}", country="MX")
        return Row("parties", Truck(id=truck, plates=(plate,), fee_status="paid"))

    def trailer(self, trailer: str) -> Row:
        plate = Plate(number=f"SIM{trailer.partition(':')[2].upper()}", country="MX")
        return Row("parties", Trailer(id=trailer, plate=plate, trailer_type="TL"))

    def trip(self, trip: str, who: Crew) -> Row:
        filed_us = self._eta_us - self._draws.randrange(70, 600) * MINUTE
        return Row(
            "trip-filings",
            TripFiling(
                filing_id=f"{trip}-1",
                trip_number=trip,
                action="file",
                carrier=CARRIER,
                carrier_code=CARRIER_CODE,
                port_code=self._port_code,
                direction=DIRECTION,
                eta_us=self._eta_us,
                filed_at_us=filed_us,
                accepted_at_us=filed_us + 90 * SECOND,
                drivers=tuple(DeclaredPerson(id=one) for one in who.drivers),
                passengers=tuple(DeclaredPerson(id=one) for one in who.passengers),
                truck=DeclaredTruck(id=who.truck),
                trailers=tuple(
                    DeclaredTrailer(id=one, seals=(f"SL{self.number:06d}",), load="loaded")
                    for one in who.trailers
                ),
                shipments=tuple(
                    self._shipment(trip, at) for at in range(1, 1 + self._draws.randrange(1, 4))
                ),
            ),
        )

    def _shipment(self, trip: str, at: int) -> Shipment:
        goods, hs_code, other_department = _GOODS[self._draws.randrange(0, len(_GOODS))]
        return Shipment(
            control_number=f"{trip}{at:02d}",
            importer=IMPORTERS[self._draws.randrange(0, len(IMPORTERS))],
            commodities=(
                Commodity(
                    description=goods,
                    hs_code=hs_code,
                    quantity=self._draws.randrange(1, 40),
                    weight_kg=float(self._draws.randrange(200, 9_000)),
                ),
            ),
            other_department=other_department,
            release_status="on_file",
        )
