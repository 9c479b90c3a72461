"""Time zones out of the pinned `tzdata` package, never the machine's own: a day is the same everywhere."""

from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo


@cache
def zone(name: str) -> ZoneInfo:
    """The zone of a name such as America/Chicago. Raises `ValueError` for one that tzdata does not have."""
    try:
        with files("tzdata.zoneinfo").joinpath(*name.split("/")).open("rb") as file:
            return ZoneInfo.from_file(file, key=name)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise ValueError(f"no time zone {name!r}") from error
