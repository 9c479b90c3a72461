"""Whether a filing can be taken: what it lacks, what cannot be, what is odd. By itself, without its trip."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from schemas.message import Country, Id
from schemas.ports import Port
from schemas.reference import Finding
from schemas.trips import TripFiling
from stream.identifiers import customs, vehicles
from stream.identifiers.mismatch import Mismatch

DAY_US: Final = 86_400_000_000

#: No filing is taken longer ahead (CBSA: up to 90 days before arrival; unverified for the others).
MOST_AHEAD_US: Final = 90 * DAY_US

#: Filed longer after its own ETA, no crossing could be joined with it any more.
MOST_BEHIND_US: Final = 7 * DAY_US

#: More of anything is no truck. Unverified: bounds that only absurd filings reach.
MOST: Final = {"drivers": 10, "passengers": 100, "trailers": 10, "shipments": 999}

#: So many shipments are possible, and worth a look.
MANY_SHIPMENTS: Final = 100

MAX_FINDINGS: Final = 20


class Verdict(NamedTuple):
    """What is wrong with a filing."""

    #: Why it is refused, as `word: where: what`; None when it can be taken.
    refused: str | None
    #: What is odd about it, when it is taken.
    findings: tuple[Finding, ...] = ()


class Problem(NamedTuple):
    """One mismatch and where it stands."""

    path: str
    found: Mismatch


def check_filing(filing: TripFiling, ports: Mapping[str, Port]) -> Verdict:
    """Look at one filing alone; a cancellation needs nothing but its trip number."""
    if filing.action == "cancel":
        return Verdict(None)
    missing = [
        name
        for name in ("carrier", "port_code", "direction", "eta_us", "drivers")
        if not getattr(filing, name)
    ]
    if missing:
        why = "no person in charge" if missing == ["drivers"] else "missing"
        return Verdict(f"incomplete: {', '.join(missing)}: {why}")
    problems = [*_absurd(filing), *_roles(filing), *_twice(filing), *_identifiers(filing, ports)]
    for path, found in problems:
        if found.severity == "reject":
            return Verdict(f"{found.code}: {path}: {found.detail}")
    findings = [
        Finding(code=found.code, path=path, detail=found.detail[:400]) for path, found in problems
    ]
    return Verdict(None, tuple(findings[:MAX_FINDINGS]))


def entered_country(filing: TripFiling) -> Country:
    """The country that the trip enters; the filing has a direction."""
    match filing.direction:
        case "US>CA":
            return "CA"
        case "US>MX":
            return "MX"
        case _:
            return "US"


def _absurd(filing: TripFiling) -> Iterator[Problem]:
    """Times and numbers that no trip can have."""
    for name, most in MOST.items():
        count = len(getattr(filing, name))
        if count > most:
            yield _refuse(name, "too_many", f"{count}, at most {most}")
    if len(filing.shipments) > MANY_SHIPMENTS:
        yield _warn("shipments", "many_shipments", f"{len(filing.shipments)}")
    ahead = (filing.eta_us or 0) - filing.filed_at_us
    if ahead > MOST_AHEAD_US:
        yield _refuse(
            "eta_us", "eta_too_far", f"{ahead // DAY_US} days after the filing, at most 90"
        )
    elif -ahead > MOST_BEHIND_US:
        yield _refuse("eta_us", "eta_past", f"{-ahead // DAY_US} days before the filing, at most 7")
    accepted = filing.accepted_at_us
    if accepted is not None and accepted < filing.filed_at_us:
        yield _warn("accepted_at_us", "accepted_before_filed", "accepted before it was filed")
    for at, shipment in enumerate(filing.shipments):
        for line, goods in enumerate(shipment.commodities):
            if (goods.quantity or 0) < 0 or (goods.weight_kg or 0) < 0:
                path = f"shipments[{at}].commodities[{line}]"
                yield _warn(path, "negative_amount", "less than nothing")


def _roles(filing: TripFiling) -> Iterator[Problem]:
    """Ids that name something else than what they stand for: a driver who is a truck."""
    named: list[tuple[str, str, Id | None]] = [("carrier", "party", filing.carrier)]
    named += [(f"drivers[{at}]", "person", one.id) for at, one in enumerate(filing.drivers)]
    named += [(f"passengers[{at}]", "person", one.id) for at, one in enumerate(filing.passengers)]
    named += [("truck", "truck", filing.truck.id)] if filing.truck else []
    named += [(f"trailers[{at}]", "trailer", one.id) for at, one in enumerate(filing.trailers)]
    for path, role, one in named:
        if one is not None and not one.startswith(f"{role}:"):
            kind = one.partition(":")[0][:20] if ":" in one else "no prefix"
            yield _refuse(path, "wrong_kind", f"expected an id with {role}:, got {kind}")
    if filing.truck is None:
        yield _warn("truck", "no_truck", "no truck is declared")


def _twice(filing: TripFiling) -> Iterator[Problem]:
    """The same shipment, person or trailer declared twice."""
    persons = [one.id for one in (*filing.drivers, *filing.passengers)]
    if _repeated(persons):
        yield _warn("drivers", "person_twice", "a person is declared twice")
    if _repeated([one.id for one in filing.trailers]):
        yield _warn("trailers", "trailer_twice", "a trailer is declared twice")
    numbers = [shipment.control_number for shipment in filing.shipments]
    for number in _repeated(numbers)[:1]:
        yield _refuse("shipments", "shipment_twice", f"{number[:40]!r} is already on this filing")


def _identifiers(filing: TripFiling, ports: Mapping[str, Port]) -> Iterator[Problem]:
    """Numbers that have a form or a check digit (see `stream.identifiers`)."""
    entered, code = entered_country(filing), filing.carrier_code
    found: list[tuple[str, Mismatch | None]] = [
        ("port_code", customs.check_port(filing.port_code or "", entered, ports)),
        ("trip_number", customs.check_trip_number(filing.trip_number, entered, code)),
    ]
    if code is not None:
        found.append(("carrier_code", customs.check_carrier_code(code, entered)))
    if filing.carta_porte is not None:
        found.append(("carta_porte", customs.check_carta_porte(filing.carta_porte)))
    for at, shipment in enumerate(filing.shipments):
        number = customs.check_control_number(shipment.control_number, entered, code)
        found.append((f"shipments[{at}].control_number", number))
    found += _on_vehicles(filing)
    for path, mismatch in found:
        if mismatch is not None:
            yield Problem(path, mismatch)


def _on_vehicles(filing: TripFiling) -> Iterator[tuple[str, Mismatch | None]]:
    truck = filing.truck
    if truck is not None and truck.vin is not None:
        yield "truck.vin", vehicles.check_vin(truck.vin)
    if truck is not None and truck.plate is not None:
        yield "truck.plate", vehicles.check_plate(truck.plate.number, truck.plate.country)
    for at, trailer in enumerate(filing.trailers):
        if trailer.container is not None:
            yield f"trailers[{at}].container", vehicles.check_container(trailer.container)
        if trailer.plate is not None:
            plate = vehicles.check_plate(trailer.plate.number, trailer.plate.country)
            yield f"trailers[{at}].plate", plate
        for seal in trailer.seals:
            yield f"trailers[{at}].seals", vehicles.check_seal(seal)


def _repeated(values: Iterable[str | None]) -> list[str]:
    seen: set[str] = set()
    found = []
    for value in values:
        if value is not None and value in seen:
            found.append(value)
        elif value is not None:
            seen.add(value)
    return found


def _warn(path: str, code: str, detail: str) -> Problem:
    return Problem(path, Mismatch(code, "warn", detail))


def _refuse(path: str, code: str, detail: str) -> Problem:
    return Problem(path, Mismatch(code, "reject", detail))
