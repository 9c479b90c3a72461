"""Three port pairs of the simulated day: their lanes, read points, and the times at which a lane is free.

Pure. Pairs, offices and codes are those of the port table; lanes, read points and distances are invented.
"""

from bisect import insort
from collections import defaultdict
from collections.abc import Mapping
from math import pi, sin
from typing import Final, NamedTuple

from schemas.message import Country, Direction, Position
from schemas.ports import Port
from schemas.reference import (
    OfficeHours,
    Site,
    SiteCoordinates,
    SiteLane,
    SiteOffice,
    SiteReadPoint,
)

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

#: Two bridges to Mexico and one to Canada, all of whose office codes have a source.
PAIRS: Final = ("lar-wtb", "det-amb", "pha-rey")

#: A pair that is closed all day: nobody should come, and those who do are unexpected.
CLOSED: Final = "ysl-zar"

#: Lanes into the United States and out of them.
INTO: Final = ("L01", "L02", "L03", "L04")
OUT_OF: Final = ("L11", "L12", "L13", "L14")
#: Lanes for what only single lanes may have: a gateway of its own that falls silent, or has a wrong clock.
SILENT: Final = ("L05", "L15")
SKEWED: Final = ("L06", "L16")

#: Side by side: L02 and L03 are not.
NEIGHBOURS: Final = {"L01": "L02", "L02": "L01", "L03": "L04", "L04": "L03"}
NEIGHBOURS_OUT: Final = {"L11": "L12", "L12": "L11", "L13": "L14", "L14": "L13"}

AUTHORITIES: Final[dict[Country, str]] = {"US": "CBP", "CA": "CBSA", "MX": "ANAM"}

#: Where vehicles are heard, and what a gateway says that they still need to the booth.
POSITIONS: Final[dict[Position, int | None]] = {
    "queue": 600,
    "primary": 0,
    "secondary": None,
    "exit": None,
}

#: About where the bridges are: read off a map, unverified.
WHERE: Final = {
    "lar-wtb": SiteCoordinates(latitude=27.60, longitude=-99.54),
    "det-amb": SiteCoordinates(latitude=42.31, longitude=-83.07),
    "pha-rey": SiteCoordinates(latitude=26.07, longitude=-98.20),
}

#: Between two vehicles at one read point: more than what counts as one stopped vehicle (15 s).
APART_US: Final = 25 * SECOND


class Way(NamedTuple):
    """A direction of a pair."""

    pair: str
    direction: Direction

    @property
    def into_us(self) -> bool:
        """Whether it leads into the United States."""
        return self.direction.endswith(">US")

    @property
    def entered(self) -> Country:
        """The country that it leads into."""
        return _COUNTRY[self.direction[3:]]

    @property
    def left(self) -> Country:
        """The country that it leaves."""
        return _COUNTRY[self.direction[:2]]

    @property
    def back(self) -> "Way":
        """The other direction."""
        return Way(self.pair, _BACK[self.direction])

    @property
    def lanes(self) -> tuple[str, ...]:
        """Its usual lanes."""
        return INTO if self.into_us else OUT_OF


_COUNTRY: Final[dict[str, Country]] = {"US": "US", "CA": "CA", "MX": "MX"}
_BACK: Final[dict[Direction, Direction]] = {
    "MX>US": "US>MX",
    "US>MX": "MX>US",
    "CA>US": "US>CA",
    "US>CA": "CA>US",
}


def ways_of(port: Port) -> tuple[Way, Way]:
    """Into the United States, and out of them."""
    into: Direction = "MX>US" if port.other_country == "MX" else "CA>US"
    return Way(port.pair, into), Way(port.pair, _BACK[into])


def office(port: Port, country: Country) -> str | None:
    """A country's office code at a pair."""
    return port.us_port_code if country == "US" else port.other_office_code


class Places:
    """Where and when there is room for vehicles."""

    def __init__(self, ports: Mapping[str, Port], start_us: int) -> None:
        """`ports`: the port table."""
        self.ports = {pair: ports[pair] for pair in (*PAIRS, CLOSED)}
        self.start_us = start_us
        self._taken: defaultdict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)

    def free_at(self, pair: str, lane: str, from_us: int, for_us: int) -> int:
        """The first moment from which the booth is free for so long, and takes it."""
        taken = self._taken[pair, lane]
        at_us = from_us
        for begin, end in taken:
            if begin >= at_us + for_us + APART_US:
                break
            at_us = max(at_us, end + APART_US) if end + APART_US > at_us else at_us
        insort(taken, (at_us, at_us + for_us))
        return at_us

    def is_free(self, pair: str, lane: str, from_us: int, for_us: int) -> bool:
        """Whether nobody stands there then, or near to it."""
        return all(
            begin >= from_us + for_us + APART_US or end + APART_US <= from_us
            for begin, end in self._taken[pair, lane]
        )

    def wait_us(self, pair: str, at_us: int) -> int:
        """How long a vehicle that is at the booth then drove and waited from the queue's read point on."""
        base = {"lar-wtb": 11, "det-amb": 7, "pha-rey": 9, CLOSED: 5}[pair] * MINUTE
        return base + round(3 * MINUTE * sin(2 * pi * (at_us - self.start_us) / DAY))


def site_row(port: Port, hours: tuple[OfficeHours, ...] = ()) -> Site:
    """The pair as the reference topic `sites` has it; without `hours` it is always open."""
    into, out_of = ways_of(port)
    lanes = [_lane(one, into.direction, NEIGHBOURS) for one in (*INTO, SILENT[0], SKEWED[0])]
    lanes += [
        _lane(one, out_of.direction, NEIGHBOURS_OUT) for one in (*OUT_OF, SILENT[1], SKEWED[1])
    ]
    return Site(
        pair=port.pair,
        effective_from_us=0,
        coordinates=WHERE.get(port.pair),
        offices=tuple(
            SiteOffice(
                country=country,
                office_code=office(port, country),
                authority=AUTHORITIES[country],
                timezone=port.us_timezone if country == "US" else port.other_timezone,
                hours=hours,
            )
            for country in ("US", port.other_country)
        ),
        lanes=tuple(lanes),
        read_points=tuple(
            SiteReadPoint(
                id=f"{lane.id}-{position}", lane=lane.id, position=position, to_booth_s=to_booth
            )
            for lane in lanes
            for position, to_booth in POSITIONS.items()
        ),
    )


def _lane(lane: str, direction: Direction, neighbours: Mapping[str, str]) -> SiteLane:
    beside = neighbours.get(lane)
    return SiteLane(id=lane, direction=direction, neighbours=() if beside is None else (beside,))
