"""The table of port pairs (`ports.csv`): official codes where a public source has them.

A code without such a source is marked unverified in the table; none is invented. Sources: US codes and
lanes from CBP's border wait time data (snapshot of 2022-06-29), Mexican codes from Anexo 22 Apéndice 1,
Canadian ones as far as public carriers' software shows them, truck counts from the BTS Border Crossing
Entry Data. Time zones and coordinates (to a hundredth of a degree) are general knowledge, unverified.
"""

import csv
from dataclasses import dataclass

from schemas.message import Country


class PortTableError(ValueError):
    """The port table has a line that cannot be read; the text names the line and column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A port pair: the US port and the office across the border."""

    pair: str
    name: str
    us_port_code: str
    us_office_name: str
    us_timezone: str
    other_country: Country
    other_office_name: str
    #: None where no public source gives one.
    other_office_code: str | None
    other_code_verified: bool
    other_timezone: str
    commercial_lanes: int | None
    trucks_into_us_2024: int | None
    #: Degrees by WGS 84 of the crossing itself; unverified.
    latitude: float | None = None
    longitude: float | None = None


def parse_ports(text: str) -> dict[str, Port]:
    """The table by pair id; raises `PortTableError`."""
    ports: dict[str, Port] = {}
    for number, row in enumerate(csv.DictReader(text.splitlines()), start=2):
        try:
            port = _port(row)
        except (KeyError, ValueError, TypeError) as error:
            raise PortTableError(f"port table, line {number}: {error!r}") from error
        if port.pair in ports:
            raise PortTableError(f"port table, line {number}: pair {port.pair} twice")
        ports[port.pair] = port
    return ports


def _port(row: dict[str, str]) -> Port:
    return Port(
        pair=row["pair_id"],
        name=row["name"],
        us_port_code=row["us_port_code"],
        us_office_name=row["us_office_name"],
        us_timezone=row["us_timezone"],
        other_country=_country(row["other_country"]),
        other_office_name=row["other_office_name"],
        other_office_code=row["other_office_code"] or None,
        other_code_verified=row["other_code_verified"] == "true",
        other_timezone=row["other_timezone"],
        commercial_lanes=_number(row["commercial_lanes"]),
        trucks_into_us_2024=_number(row["trucks_into_us_2024"]),
        latitude=_degrees(row.get("latitude"), 90),
        longitude=_degrees(row.get("longitude"), 180),
    )


def _country(text: str) -> Country:
    match text:
        case "US" | "CA" | "MX":
            return text
        case _:
            raise ValueError(f"no country {text!r}")


def _number(text: str) -> int | None:
    return int(text) if text else None


def _degrees(text: str | None, most: int) -> float | None:
    if not text:
        return None
    degrees = float(text)
    if not -most <= degrees <= most:
        raise ValueError(f"no angle: {text!r}")
    return degrees
