"""What is wrong with the identifiers in a reference row, each with its path in the row."""

from collections.abc import Iterator

from schemas.message import Country, Message
from schemas.reference import Site, Trailer, Truck
from stream.identifiers.customs import check_port
from stream.identifiers.mismatch import Mismatch
from stream.identifiers.vehicles import check_plate, check_vin


def check_row(message: Message) -> Iterator[tuple[str, Mismatch]]:
    """Every mismatch of a truck, a trailer or a site; other rows carry no identifier with a public form."""
    for path, found in _checks(message):
        if found is not None:
            yield path, found


def _checks(message: Message) -> Iterator[tuple[str, Mismatch | None]]:
    match message:
        case Truck(vin=vin, plates=plates):
            if vin is not None:
                yield "vin", check_vin(vin)
            for at, plate in enumerate(plates):
                yield f"plates[{at}].number", check_plate(plate.number, plate.country)
        case Trailer(plate=plate) if plate is not None:
            yield "plate.number", check_plate(plate.number, plate.country)
        case Site(offices=offices):
            for at, office in enumerate(offices):
                if office.office_code is not None:
                    yield f"offices[{at}].office_code", _form(office.office_code, office.country)
        case _:
            pass


def _form(code: str, country: Country) -> Mismatch | None:
    """The form of an office's code; whether the table has it is for people to know."""
    found = check_port(code, country, {})
    return None if found is None or found.severity == "warn" else found
