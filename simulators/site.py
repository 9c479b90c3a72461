"""The simulated site: four lanes of the World Trade Bridge at Laredo, northbound, and their readers.

Pure. The pair, its offices and codes are those of the port table; lanes, read points, distances and readers
are invented.

    queue: one Zebra reader, an antenna a lane          primary: L01, L02 an R200 each, L03, L04 a Zebra reader
"""

from dataclasses import dataclass
from typing import Final, Literal

from schemas.message import Direction, Position
from schemas.ports import Port
from schemas.reference import Site, SiteLane, SiteOffice, SiteReadPoint

PAIR: Final = "lar-wtb"
DIRECTION: Final[Direction] = "MX>US"
LANES: Final = ("L01", "L02", "L03", "L04")
GATEWAY: Final = "gw-lar-wtb"

#: US Customs and Border Protection; Agencia Nacional de Aduanas de México.
AUTHORITY: Final = "CBP"
OTHER_AUTHORITY: Final = "ANAM"

#: Seconds from the queue's read point to the booth: short, so that a demo of half a minute shows something.
QUEUE_TO_BOOTH_S: Final = 4

Protocol = Literal["r200", "zebra_iotc"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPoint:
    """A place where a reader hears a lane; `antenna` is None where the reader has only one."""

    lane: str
    position: Position
    antenna: int | None
    to_booth_s: int

    @property
    def id(self) -> str:
        """Its id, such as `L01-queue`."""
        return f"{self.lane}-{self.position}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteReader:
    """A reader of the site."""

    id: str
    protocol: Protocol
    read_points: tuple[ReadPoint, ...]


def _queue(lane: str, antenna: int) -> ReadPoint:
    return ReadPoint(lane=lane, position="queue", antenna=antenna, to_booth_s=QUEUE_TO_BOOTH_S)


def _primary(lane: str, antenna: int | None = None) -> ReadPoint:
    return ReadPoint(lane=lane, position="primary", antenna=antenna, to_booth_s=0)


READERS: Final[tuple[SiteReader, ...]] = (
    SiteReader(
        id="zebra-queue",
        protocol="zebra_iotc",
        read_points=tuple(_queue(lane, at) for at, lane in enumerate(LANES, start=1)),
    ),
    SiteReader(id="r200-l01", protocol="r200", read_points=(_primary("L01"),)),
    SiteReader(id="r200-l02", protocol="r200", read_points=(_primary("L02"),)),
    SiteReader(
        id="zebra-primary",
        protocol="zebra_iotc",
        read_points=(_primary("L03", 1), _primary("L04", 2)),
    ),
)


def heard_by(lane: str, position: Position) -> tuple[SiteReader, ReadPoint]:
    """The reader and read point that hear a lane at a position; raises KeyError where none does."""
    for reader in READERS:
        for point in reader.read_points:
            if (point.lane, point.position) == (lane, position):
                return reader, point
    raise KeyError(f"nothing hears {lane} at {position}")


def data_topic(reader: str) -> str:
    """The MQTT topic of a reader's tag events."""
    return f"readers/{reader}/data"


def management_topic(reader: str) -> str:
    """The MQTT topic of a reader's management events."""
    return f"readers/{reader}/management"


def control_topic(reader: str) -> str:
    """The MQTT topic on which a reader that was not started yet waits for its start."""
    return f"readers/{reader}/control"


def site_row(port: Port, effective_from_us: int) -> Site:
    """The site as the reference topic `sites` has it."""
    return Site(
        pair=PAIR,
        effective_from_us=effective_from_us,
        offices=(
            SiteOffice(
                country="US",
                office_code=port.us_port_code,
                authority=AUTHORITY,
                timezone=port.us_timezone,
            ),
            SiteOffice(
                country=port.other_country,
                office_code=port.other_office_code,
                authority=OTHER_AUTHORITY,
                timezone=port.other_timezone,
            ),
        ),
        lanes=tuple(SiteLane(id=lane, direction=DIRECTION) for lane in LANES),
        read_points=tuple(
            SiteReadPoint(
                id=point.id,
                lane=point.lane,
                position=point.position,
                to_booth_s=point.to_booth_s,
            )
            for reader in READERS
            for point in reader.read_points
        ),
    )
