"""What the two countries of a pair are told of a border record: a projection that names each field it takes.

The elements are those of section 92(1) of Canada's Customs Act (see `schemas.exchange`). A field that is not
named here cannot pass, whatever is added to a border record or a person later.
"""

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from schemas.border import BorderRecord
from schemas.exchange import ExchangeRecord, Passage
from schemas.message import Country
from schemas.ports import Port
from schemas.reference import Site
from stream.ledger.rows import RecordRow
from stream.reference import Reference
from stream.trips.zones import zone

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - a plain count of time, given its zone below


class Office(NamedTuple):
    """Where a person left or arrived."""

    country: Country
    office_code: str | None


class Passed(NamedTuple):
    """All that the exchange takes of a border record."""

    record_id: str
    person: str
    pair: str
    departure: Office
    arrival: Office
    at_us: int
    in_force: bool


def passed(record: BorderRecord) -> Passed:
    """A record as it was written."""
    return Passed(
        record.record_id,
        record.person,
        record.pair,
        departure=Office(record.exit.country, record.exit.office_code),
        arrival=Office(record.entry.country, record.entry.office_code),
        at_us=record.entry.at_us,
        in_force=record.state != "retracted",
    )


def remembered(row: RecordRow) -> Passed:
    """A record as the ledger remembers it."""
    return Passed(
        row.record_id,
        row.person,
        row.pair,
        departure=Office(row.left.country, row.left.office_code),
        arrival=Office(row.entered.country, row.entered.office_code),
        at_us=row.at_us,
        in_force=row.in_force,
    )


def countries(pair: str, reference: Reference) -> frozenset[Country] | None:
    """The two countries of a pair by its site, else by the port table; None for a pair that neither knows."""
    site = reference.site(pair)
    if site is not None:
        return frozenset(office.country for office in site.offices)
    port = reference.ports.get(pair)
    return None if port is None else frozenset(("US", port.other_country))


def recipients(record: Passed, reference: Reference) -> tuple[Country, ...]:
    """Who is told of a record: its two countries, in order, or nobody if they are not those of its pair."""
    named: set[Country] = {record.departure.country, record.arrival.country}
    known = countries(record.pair, reference)
    if len(named) != 2 or (known is not None and not named <= known):
        return ()
    return tuple(sorted(named))


class Basis(NamedTuple):
    """Everything that what is told is made of; equal ones are told in equal words."""

    departure: Office
    arrival: Office
    at_us: int
    departure_name: str | None
    arrival_name: str | None
    #: Zones of the two places, None where none is known.
    departure_zone: str | None
    arrival_zone: str | None
    key_id: str | None
    s92: bytes | None


def basis(record: Passed, reference: Reference) -> Basis:
    """The record, its places, and the person's sealed elements if they are known."""
    person = reference.person(record.person)
    sealed = None if person is None or person.key_id is None else person.s92
    site, port = reference.site(record.pair), reference.ports.get(record.pair)
    left, arrived = record.departure, record.arrival
    return Basis(
        left,
        arrived,
        record.at_us,
        _office_name(port, left.country),
        _office_name(port, arrived.country),
        _zone_name(site, port, left.country),
        _zone_name(site, port, arrived.country),
        None if sealed is None or person is None else person.key_id,
        sealed,
    )


def told(record_id: str, revision: int, of: Basis) -> ExchangeRecord:
    """The record as its countries are told it."""
    left = _passage(of.departure, of.departure_name, of.departure_zone, of.at_us)
    arrived = _passage(of.arrival, of.arrival_name, of.arrival_zone, of.at_us)
    return ExchangeRecord(
        record_id=record_id,
        revision=revision,
        provisional=of.s92 is None,
        departure=left,
        arrival=arrived,
        key_id=of.key_id,
        s92=of.s92,
    )


def _passage(office: Office, name: str | None, zone_name: str | None, at_us: int) -> Passage:
    return Passage(
        country=office.country,
        office_code=office.office_code,
        office_name=name,
        at_us=at_us,
        local=_local(at_us, zone_name),
    )


def _office_name(port: Port | None, country: Country) -> str | None:
    if port is None:
        return None
    if country == "US":
        return port.us_office_name
    return port.other_office_name if country == port.other_country else None


def _zone_name(site: Site | None, port: Port | None, country: Country) -> str | None:
    """The zone of the site's office, else that of the port table."""
    if site is not None:
        for office in site.offices:
            if office.country == country and is_zone(office.timezone):
                return office.timezone
    if port is None or country not in ("US", port.other_country):
        return None
    name = port.us_timezone if country == "US" else port.other_timezone
    return name if is_zone(name) else None


@lru_cache(maxsize=1_024)
def is_zone(name: str) -> bool:
    """Whether the pinned time zones have it."""
    try:
        zone(name)
    except ValueError:
        return False
    return True


def _local(at_us: int, zone_name: str | None) -> str | None:
    try:
        return None if zone_name is None else local_time(at_us, zone_name)
    except ValueError:
        return None


def local_time(at_us: int, zone_name: str) -> str:
    """A moment by the clock of a zone, RFC 3339 with the offset; raises ValueError where there is none."""
    place = zone(zone_name)
    minute, rest = divmod(at_us, 60_000_000)
    try:
        before, after = _minute(minute, place)
        if after is not None:
            return f"{before}{rest // 1_000_000:02d}.{rest % 1_000_000:06d}{after}"
        utc = (_EPOCH + timedelta(microseconds=at_us)).replace(tzinfo=place)
        return place.fromutc(utc).isoformat(timespec="microseconds")
    except OverflowError as error:
        raise ValueError(f"{at_us} has no date in {zone_name}") from error


@lru_cache(maxsize=4_096)
def _minute(minute: int, place: ZoneInfo) -> tuple[str, str | None]:
    """A minute's text before and after its seconds, since many records share one; no text after where it shares none.

    Offsets of local mean time, up to the twentieth century, have seconds of their own.
    """
    utc = (_EPOCH + timedelta(minutes=minute)).replace(tzinfo=place)
    text = place.fromutc(utc).isoformat()
    return (text[:17], text[19:]) if text[17:19] == "00" and len(text) == 25 else ("", None)
