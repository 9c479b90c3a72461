"""Filings with fields that are missing, wrong or absurd: a named outcome each, and nothing else changes."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.alert import Rejected
from schemas.reference import Commodity, Shipment
from schemas.topics import topic_key
from schemas.trips import DeclaredPerson, DeclaredTrailer, DeclaredTruck, TripFiling
from schemas.wire import encode
from stream.stage import Output
from tests.stream.border import at
from tests.stream.trips.filings import HOUR, NUMBER, Office, amended, filing, tick, used

DAY = 24 * HOUR
OTHER = "ABCD0002"


def person(one: str) -> DeclaredPerson:
    return DeclaredPerson(id=one)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"carrier": None}, "incomplete: carrier: missing"),
        ({"eta_us": None, "port_code": None}, "incomplete: port_code, eta_us: missing"),
        ({"direction": None}, "incomplete: direction: missing"),
        ({"drivers": ()}, "incomplete: drivers: no person in charge"),
        (
            {"drivers": (person("truck:1"),)},
            "wrong_kind: drivers[0]: expected an id with person:, got truck",
        ),
        (
            {"drivers": (person("ana"),)},
            "wrong_kind: drivers[0]: expected an id with person:, got no prefix",
        ),
        (
            {"truck": DeclaredTruck(id="person:ana")},
            "wrong_kind: truck: expected an id with truck:, got person",
        ),
        (
            {"trailers": (DeclaredTrailer(id="truck:1"),)},
            "wrong_kind: trailers[0]: expected an id with trailer:, got truck",
        ),
        ({"carrier": "person:ana"}, "wrong_kind: carrier: expected an id with party:, got person"),
        ({"eta_us": 1}, "eta_past: eta_us: 20514 days before the filing, at most 7"),
        ({"eta_us": at(91 * DAY)}, "eta_too_far: eta_us: 91 days after the filing, at most 90"),
        ({"filed_at_us": 0}, "eta_too_far: eta_us: 20514 days after the filing, at most 90"),
        ({"passengers": (person("person:p"),) * 101}, "too_many: passengers: 101, at most 100"),
        (
            {"shipments": tuple(Shipment(control_number=f"N{n}") for n in range(1_000))},
            "too_many: shipments: 1000, at most 999",
        ),
        (
            {"shipments": (Shipment(control_number="N1"),) * 2},
            "shipment_twice: shipments: 'N1' is already on this filing",
        ),
        ({"port_code": "23O4"}, "port_form: port_code: '23O4': expected 4 digits"),
        (
            {"carrier_code": "ABCE"},
            "trip_number_carrier: trip_number: 'ABCD0001' does not begin with the carrier's code: "
            "expected 'ABCE', got 'ABCD': from position 4 'E' against 'D'",
        ),
        (
            {"trailers": (DeclaredTrailer(container="CSQU3054384"),)},
            "container_check_digit: trailers[0].container: 'CSQU3054384': position 11 should be 3",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(changes: dict[str, Any], why: str) -> None:
    office = Office().take(filing(**changes))
    assert office.refused() == [why]
    assert office.trips() == []


def test_a_trip_that_would_not_fit_into_notices_is_refused() -> None:
    goods = (Commodity(description="x" * 300_000),)
    office = Office().take(filing(shipments=(Shipment(control_number="N1", commodities=goods),)))
    (why,) = office.refused()
    assert why.startswith("too_large: 300")
    assert office.trips() == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"truck": None}, "no_truck"),
        ({"truck": DeclaredTruck(vin="1FVACXCY4FHGN3106")}, "vin_check_digit"),
        ({"trailers": (DeclaredTrailer(seals=("a seal",)),)}, "seal_form"),
        ({"port_code": "9999"}, "port_unknown"),
        ({"accepted_at_us": at(-9000)}, "accepted_before_filed"),
        ({"passengers": (person("person:ana"),)}, "person_twice"),
        ({"carta_porte": "x"}, "carta_porte_form"),
        (
            {"shipments": tuple(Shipment(control_number=f"N{n}") for n in range(500))},
            "many_shipments",
        ),
        (
            {
                "shipments": (
                    Shipment(
                        control_number="N1", commodities=(Commodity(description="x", quantity=-1),)
                    ),
                )
            },
            "negative_amount",
        ),
    ],
)
def test_what_is_odd_is_taken_and_the_finding_stands_in_the_trip(
    changes: dict[str, Any], code: str
) -> None:
    office = Office().take(filing(**changes))
    assert [one.code for one in office.trip.findings] == [code]


def test_findings_are_bounded() -> None:
    shipments = tuple(Shipment(control_number=f"N-{n}") for n in range(100))
    assert len(Office().take(filing(shipments=shipments)).trip.findings) == 20


ABSURD: tuple[Any, ...] = (
    *(None, True, -1, 0, 1, 2**40, 2**62, 253_402_300_799_999_999, 1.5, "", "x", "x" * 300),
    *(
        "person:ana",
        "truck:1",
        "US>MX",
        "cancel",
        "2304",
        "\uff12\uff13\uff10\uff14",
        b"\x00",
        [],
        {},
        [None],
        [{}],
    ),
    [{"id": "truck:1"}],
    [{"control_number": f"N{n}"} for n in range(500)],
    [{"control_number": "N", "commodities": [{"description": "", "weight_kg": float("nan")}]}],
)
FIELDS = TripFiling.__struct_fields__
PARTS = (("drivers", 0), ("truck", None), ("trailers", 0), ("shipments", 0))


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A filing of `NUMBER` with one to three fields left out or replaced by something absurd."""
    good = draw(st.sampled_from((filing(), amended(), amended(3), amended(2, action="cancel"))))
    plain: dict[str, Any] = msgspec.to_builtins(good)
    plain["filing_id"] = "mutated"
    for _ in range(draw(st.integers(1, 3))):
        name, at_index = draw(st.sampled_from(PARTS))
        inside = plain.get(name)
        part: Any = plain
        if draw(st.booleans()) and inside and isinstance(inside, list | dict):
            part = inside if at_index is None else inside[at_index]
        if not isinstance(part, dict) or not part:
            part = plain
        names = [one for one in (FIELDS if part is plain else sorted(part)) if one != "trip_number"]
        field = draw(st.sampled_from(names))
        if draw(st.booleans()):
            part[field] = draw(st.sampled_from(ABSURD))
        else:
            part.pop(field, None)
    return msgspec.msgpack.encode(plain)


STREAM = (
    filing(),
    filing(trip_number=OTHER, filing_id="o1"),
    amended(4, drivers=(person("person:ben"),)),
    used("c1", when=100),
    amended(2, trip_number=OTHER, filing_id="o2", truck=None),
    tick(30 * HOUR),
    tick(30 * HOUR, OTHER),
)


def run(place: int, value: bytes) -> tuple[list[Output], list[Output]]:
    """What the stream writes with a record at a place of it: of that record, and of all others."""
    office = Office()
    own: list[Output] = []
    others: list[Output] = []
    for number, message in enumerate((*STREAM[:place], None, *STREAM[place:])):
        if message is None:
            office.take_raw(value, NUMBER)
        else:
            office.take_raw(encode(message), topic_key(message))
        (own if number == place else others).extend(office.outputs)
        office.outputs.clear()
    return own, others


@given(mutated(), st.integers(0, len(STREAM)))
def test_a_filing_that_is_refused_changes_nothing_and_one_that_is_taken_only_its_trip(
    value: bytes, place: int
) -> None:
    own, others = run(place, value)
    _, as_rejected = run(place, b"\xc1")
    if any(isinstance(output.message, Rejected) for output in own):
        assert len(own) == 1
        assert others == as_rejected
        return
    assert all(output.topic == "trips" for output in own)
    about_other = [
        [one for one in outputs if getattr(one.message, "trip_number", None) == OTHER]
        for outputs in (others, as_rejected)
    ]
    assert about_other[0] == about_other[1]
    assert len(about_other[0]) == 3
