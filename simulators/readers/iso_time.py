"""Times as JSON readers write them: text of a moment in microseconds UTC."""

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def moment(at_us: int) -> datetime:
    """The moment, to the microsecond."""
    return _EPOCH + timedelta(microseconds=at_us)


def with_milliseconds(at_us: int) -> str:
    """As Zebra: `2026-09-07T12:50:36.194+0000`."""
    at = moment(at_us)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}+0000"


def with_nanoseconds(at_us: int) -> str:
    """As Impinj: `2023-06-28T07:24:00.277766000Z`."""
    at = moment(at_us)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond:06d}000Z"
