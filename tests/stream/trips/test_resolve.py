"""Declared persons, trucks and trailers become ids where exactly one row answers."""

from schemas.reference import Plate, Trailer, Truck
from schemas.trips import DeclaredPerson, DeclaredTrailer, DeclaredTruck
from stream.trips.resolve import Register
from tests.stream.border import card
from tests.stream.trips.filings import filing

VIN = "1FVACXCY3FHGN3106"


def plate(number: str, country: str = "US") -> Plate:
    return Plate(number=number, country=country)  # type: ignore[arg-type]


def register(*rows: object) -> Register:
    made = Register()
    for row in rows:
        made.add(row)  # type: ignore[arg-type]
    return made


def truck_of(made: Register, **declared: object) -> str | None:
    found = made.resolve(filing(truck=DeclaredTruck(**declared))).truck  # type: ignore[arg-type]
    assert found is not None
    return found.id


def test_a_driver_is_found_by_the_card() -> None:
    made = register(card("k1.ana", "person:ana"), card("k1.t", "truck:1", "truck_tag"))
    drivers = tuple(DeclaredPerson(credential_id=one) for one in ("cr-k1.ana", "cr-k1.t", "no"))
    found = made.resolve(filing(drivers=drivers, passengers=drivers[:1]))
    assert [one.id for one in found.drivers] == ["person:ana", None, None]
    assert [one.id for one in found.passengers] == ["person:ana"]


def test_a_truck_is_found_by_its_vin_before_its_plate() -> None:
    made = register(
        Truck(id="truck:1", vin=VIN, plates=(plate("TX-1 2"),)),
        Truck(id="truck:2", plates=(plate("tx 99"), plate("MX1", "MX"))),
    )
    assert truck_of(made, vin=VIN, plate=plate("TX99")) == "truck:1"
    assert truck_of(made, plate=plate("TX99")) == "truck:2"
    assert truck_of(made, plate=plate("MX1")) is None
    assert truck_of(made, plate=plate("MX1", "MX")) == "truck:2"
    assert truck_of(made) is None


def test_what_two_rows_answer_to_is_not_resolved() -> None:
    made = register(Truck(id="truck:1", vin=VIN), Truck(id="truck:2", vin=VIN))
    assert truck_of(made, vin=VIN) is None


def test_a_row_replaces_its_like_unless_it_is_older() -> None:
    made = register(Truck(id="truck:1", vin=VIN), Truck(id="truck:1", plates=(plate("A1"),)))
    assert truck_of(made, vin=VIN) is None
    made.add(Truck(id="truck:1", vin=VIN), newer=False)
    assert (truck_of(made, vin=VIN), truck_of(made, plate=plate("A1"))) == (None, "truck:1")


def test_a_trailer_is_found_by_its_plate_and_a_given_id_is_left_alone() -> None:
    made = register(Trailer(id="trailer:7", plate=plate("TR 7")), Trailer(id="trailer:8"))
    declared = (DeclaredTrailer(plate=plate("tr7"), seals=("S",)), DeclaredTrailer(id="trailer:x"))
    found = made.resolve(filing(trailers=declared))
    assert [(one.id, one.seals) for one in found.trailers] == [
        ("trailer:7", ("S",)),
        ("trailer:x", ()),
    ]
    assert found.truck == filing().truck
