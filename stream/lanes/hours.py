"""Whether a port was open: a vehicle that is heard while its office is closed is unexpected."""

from datetime import datetime

from schemas.message import Country
from schemas.reference import Site, SiteOffice
from stream.trips.zones import zone


def is_closed(site: Site, country: Country, at_us: int) -> bool:
    """Whether the country's office of the site has hours, and was closed at the moment."""
    return any(
        office.country == country and bool(office.hours) and not _is_open(office, at_us)
        for office in site.offices
    )


def _is_open(office: SiteOffice, at_us: int) -> bool:
    """By the office's own clock; in a zone that nobody knows, nothing is said."""
    try:
        there = datetime.fromtimestamp(at_us / 1_000_000, zone(office.timezone))
    except (ValueError, OverflowError, OSError):
        return True
    minute = there.hour * 60 + there.minute
    return any(
        there.weekday() in one.days and one.from_min <= minute < one.until_min
        for one in office.hours
    )
