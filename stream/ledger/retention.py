"""How long a border record is kept."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

#: Canada's Customs Act s.93.1: entry and exit information is kept 15 years.
RETENTION_YEARS: Final = 15
RETENTION_CLASS: Final = "entry_exit_15y"

_DAY_US: Final = 86_400_000_000


def years_later(at_us: int, years: int) -> int:
    """The same day and time so many calendar years later, UTC; 28 February for the 29th."""
    day, rest = divmod(at_us, _DAY_US)
    return _day_later(day, years) + rest


@lru_cache(maxsize=4_096)
def _day_later(day: int, years: int) -> int:
    try:
        then = datetime.fromtimestamp(day * 86_400, UTC)
        within = 28 if (then.month, then.day) == (2, 29) else then.day
        later = then.replace(year=then.year + years, day=within)
    except (ValueError, OverflowError, OSError):
        return day * _DAY_US + years * 366 * _DAY_US
    return int(later.timestamp()) * 1_000_000
