"""A port's hours are by its own clock, summer time included."""

import pytest
from msgspec.structs import replace

from schemas.reference import OfficeHours, Site
from stream.lanes.hours import is_closed
from tests.stream.border import NOON, SECOND, site

MINUTE = 60 * SECOND
DAY = 24 * 60 * MINUTE


def with_hours(*hours: OfficeHours, timezone: str = "America/Chicago") -> Site:
    row = site()
    us, mx = row.offices
    return replace(row, offices=(replace(us, hours=hours, timezone=timezone), mx))


#: NOON is Monday, 2 March 2026, 14:00 UTC: 08:00 in Laredo.
WEEK = OfficeHours(days=(0, 1, 2, 3, 4), from_min=480, until_min=1_320)


@pytest.mark.parametrize(
    ("at_us", "closed"),
    [
        (NOON, False),
        (NOON - 1, True),
        (NOON + 14 * 60 * MINUTE - 1, False),
        (NOON + 14 * 60 * MINUTE, True),
        (NOON + 5 * DAY, True),
        # Summer time from 8 March on: 08:00 is 13:00 UTC.
        (NOON + 7 * DAY - 60 * MINUTE, False),
    ],
)
def test_a_port_is_open_from_its_first_minute_to_before_its_last(at_us: int, closed: bool) -> None:
    assert is_closed(with_hours(WEEK), "US", at_us) is closed


def test_without_hours_or_for_the_other_country_nothing_is_closed() -> None:
    assert not is_closed(site(), "US", NOON)
    assert not is_closed(with_hours(OfficeHours(days=(), from_min=0, until_min=0)), "MX", NOON)
    assert is_closed(with_hours(OfficeHours(days=(), from_min=0, until_min=0)), "US", NOON)


def test_in_a_zone_that_nobody_knows_nothing_is_said() -> None:
    assert not is_closed(with_hours(WEEK, timezone="Mars/Olympus"), "US", NOON + 5 * DAY)
    assert not is_closed(with_hours(WEEK, timezone="../etc/passwd"), "US", NOON + 5 * DAY)
