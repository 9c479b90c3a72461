"""Times as readers write them: epoch numbers, ISO 8601, or text of any form with the zone apart."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Final

#: Microseconds from 1970 to the end of the year 9999.
LATEST_US: Final = 253_402_300_799_999_999

#: Name of an epoch form -> microseconds of one unit.
UNITS: Final = {
    "s": Fraction(1_000_000),
    "ms": Fraction(1_000),
    "us": Fraction(1),
    "ns": Fraction(1, 1_000),
}

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER: Final = re.compile(r"\d{1,20}(?:\.\d{1,9})?", re.ASCII)
_ZONE: Final = re.compile(r"([+-]?)(\d{1,2})(?::?(\d{2}))?", re.ASCII)
#: To see whether a form of text says all of a time: no part of it may be found by chance.
_SAMPLE: Final = datetime(2003, 11, 27, 16, 43, 58, 123_456)  # noqa: DTZ001 - the zone comes apart

TimeReader = Callable[[object, timezone | None], int]
"""From a JSON value, and a zone where the text has none, to microseconds UTC; raises ValueError."""


def time_reader(form: str) -> TimeReader:
    """What reads times of this form: `s`, `ms`, `us`, `ns`, `iso`, or a strptime format.

    Raises ValueError for a format that does not say the whole time.
    """
    if form in UNITS:
        times, parts = UNITS[form].as_integer_ratio()
        return lambda value, _: _epoch(value, times, parts)
    if form == "iso":
        return lambda value, zone: _since_epoch(datetime.fromisoformat(_text(value)), zone)
    _check(form)
    return lambda value, zone: _since_epoch(_strptime(_text(value), form), zone)


def zone_of(text: str) -> timezone:
    """A zone: `Z`, `UTC`, or hours from it, such as `-5:00`, `+0530`, `-06`. Raises ValueError."""
    if text in {"Z", "UTC", "GMT"}:
        return UTC
    found = _ZONE.fullmatch(text)
    if found is None:
        raise ValueError("no zone, such as -06:00")
    sign, hours, minutes = found.groups()
    ahead = timedelta(hours=int(hours), minutes=int(minutes or 0))
    if ahead > timedelta(hours=14) or int(minutes or 0) > 59:
        raise ValueError("no zone, such as -06:00")
    return timezone(-ahead if sign == "-" else ahead)


def _epoch(value: object, times: int, parts: int) -> int:
    """A number of units that are `times / parts` microseconds; what is finer is cut."""
    if isinstance(value, str) and len(value) <= 20 and value.isascii() and value.isdigit():
        number: int | Decimal = int(value)
    elif isinstance(value, str):
        text = value.strip()
        if not _NUMBER.fullmatch(text):
            raise ValueError("not a number of time")
        number = Decimal(text) if "." in text else int(text)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if not 0 <= value <= LATEST_US * 1_000:
            raise ValueError("out of range")
        number = value if isinstance(value, int) else Decimal(repr(value))
    else:
        raise ValueError("not a number of time")
    at_us = int(number * times // parts)
    if not 0 <= at_us <= LATEST_US:
        raise ValueError("out of range")
    return at_us


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > 64:
        raise ValueError("not a text of time")
    return value.strip()


def _since_epoch(at: datetime, zone: timezone | None) -> int:
    if at.tzinfo is None:
        if zone is None:
            raise ValueError("a time without its zone")
        at = at.replace(tzinfo=zone)
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _strptime(text: str, form: str) -> datetime:
    return datetime.strptime(text, form)  # noqa: DTZ007 - the zone is apart


def _check(form: str) -> None:
    wrong = f"{form!r} is neither s, ms, us, ns, iso nor a form such as %Y/%m/%d %H:%M:%S.%f"
    try:
        again = _strptime(_SAMPLE.replace(tzinfo=UTC).strftime(form), form)
    except (ValueError, re.error) as error:
        raise ValueError(wrong) from error
    if again.replace(microsecond=0, tzinfo=None) != _SAMPLE.replace(microsecond=0):
        raise ValueError(wrong)
