"""Which read point a reader's antenna is, by the configuration."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.tables import Config, LaneTable, ReadPointTable
from gateway.tracker import Point


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """The read points of one reader."""

    by_antenna: Mapping[int, Point]
    #: The read point of all antennas, where one is configured without a list.
    everywhere: Point | None
    #: The read point, where the reader has one only.
    only: Point | None

    def all(self) -> list[Point]:
        """Each of them once."""
        points = [*self.by_antenna.values(), self.everywhere, self.only]
        return list({point.id: point for point in points if point is not None}.values())

    def find(self, antenna: int | None) -> Point | None:
        """Where a read of this antenna was made; None when the configuration does not say.

        A reader that does not say which antenna it was is heard at its only read point.
        """
        if antenna is None:
            return self.only
        return self.by_antenna.get(antenna, self.everywhere)


def points_of(config: Config, reader: str) -> Points:
    """The read points of a reader."""
    mine = [table for table in config.read_points if table.reader == reader]
    points = points_by_id(config)
    everywhere = next((points[table.id] for table in mine if not table.antennas), None)
    return Points(
        by_antenna={antenna: points[table.id] for table in mine for antenna in table.antennas},
        everywhere=everywhere,
        only=points[mine[0].id] if len(mine) == 1 else None,
    )


def points_by_id(config: Config) -> dict[str, Point]:
    """All read points."""
    lanes = {lane.id: lane for lane in config.lanes}
    return {
        table.id: _point(table, lanes[table.lane], rivals_of(config, table))
        for table in config.read_points
    }


def rivals_of(config: Config, point: ReadPointTable) -> tuple[str, ...]:
    """Read points of the same position in neighbour lanes. One of two lanes names the other."""
    near = {pair for lane in config.lanes for pair in _both_ways(lane)}
    return tuple(
        other.id
        for other in config.read_points
        if (point.lane, other.lane) in near and other.position == point.position
    )


def _both_ways(lane: LaneTable) -> list[tuple[str, str]]:
    return [pair for name in lane.neighbours for pair in ((lane.id, name), (name, lane.id))]


def _point(table: ReadPointTable, lane: LaneTable, rivals: tuple[str, ...]) -> Point:
    return Point(
        id=table.id,
        lane=lane.id,
        position=table.position,
        direction=lane.direction,
        to_booth_s=table.to_booth_s,
        observe_reads=lane.observe_reads,
        observe_us=lane.observe_ms * 1_000,
        glimpse_us=lane.glimpse_ms * 1_000,
        lost_us=lane.lost_ms * 1_000,
        rivals=rivals,
        entry=table.entry,
        exit=table.exit,
        gpi=table.gpi,
    )
