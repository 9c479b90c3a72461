"""How far two port pairs lie apart, and how fast anybody can get from one to the other."""

from functools import lru_cache
from math import asin, cos, radians, sin, sqrt
from typing import Final, NamedTuple

from schemas.policy import WatchLimits
from schemas.reference import SiteCoordinates
from stream.reference import Reference
from stream.watch.rows import HOUR, SECOND

#: Mean radius of the Earth (IUGG, R1), in kilometres. The great circle is the shortest way there can be.
EARTH_KM: Final = 6371.0088

#: What holds where no policy says otherwise.
DEFAULTS: Final = WatchLimits(policy_id="watch-limits", effective_from_us=0, accepted_at_us=0)


class Way(NamedTuple):
    """The way between two port pairs."""

    km: float
    #: The coordinates of one of them have no source.
    unverified: bool


def limits_at(reference: Reference, at_us: int) -> WatchLimits:
    """The limits in force at a moment: of several rows the one that came into force last."""
    rows = reference.policies(WatchLimits)
    if not rows:
        return DEFAULTS
    return max(
        (row for row in rows if row.holds_at(at_us)),
        key=lambda row: (row.effective_from_us, row.policy_id),
        default=DEFAULTS,
    )


def way_between(reference: Reference, one: str, other: str) -> Way | None:
    """The great circle between two pairs; None when it is not known where one of them is."""
    here, there = place_of(reference, one), place_of(reference, other)
    if here is None or there is None:
        return None
    km = great_circle_km(here.latitude, here.longitude, there.latitude, there.longitude)
    return Way(km, here.source is None or there.source is None)


def place_of(reference: Reference, pair: str) -> SiteCoordinates | None:
    """Where a pair is: by its site, else by the port table, which has no source for it."""
    site = reference.site(pair)
    if site is not None and site.coordinates is not None:
        return site.coordinates
    port = reference.ports.get(pair)
    if port is None or port.latitude is None or port.longitude is None:
        return None
    return SiteCoordinates(latitude=port.latitude, longitude=port.longitude)


@lru_cache(maxsize=4_096)
def great_circle_km(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    """Kilometres between two places in degrees, by the haversine formula."""
    north, east = radians(lat2 - lat1) / 2, radians(lon2 - lon1) / 2
    half = sin(north) ** 2 + cos(radians(lat1)) * cos(radians(lat2)) * sin(east) ** 2
    return 2 * EARTH_KM * asin(min(1.0, sqrt(half)))


def is_impossible(km: float, between_us: int, limits: WatchLimits, *, flies: bool) -> bool:
    """Whether nobody gets so far in the time between leaving one place and being at the other.

    `flies`: a person's card, which may go by air. Clocks and coordinates get their allowance first.
    """
    time_us = max(0, between_us) + limits.clock_s * SECOND
    reach = limits.road_kmh * time_us / HOUR
    if flies:
        reach = max(reach, limits.air_kmh * (time_us - limits.air_ground_s * SECOND) / HOUR)
    return km - 2 * limits.place_km > reach
