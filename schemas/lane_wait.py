"""Topic `lane-waits`: how long vehicles waited in a lane, quarter of an hour by quarter of an hour. Nobody is named."""

from typing import Annotated, Literal

import msgspec

from schemas.message import DerivedMicros, Direction, Id, Message, Micros
from schemas.reference import LaneClass

Count = Annotated[int, msgspec.Meta(ge=0)]


class LaneWait(Message, frozen=True, kw_only=True, tag="lane_wait"):
    """A lane in the last closed quarter of an hour of event time; the topic keeps the latest one of each lane.

    A wait lasts from a vehicle's first read at a queue or gate to its first read at primary. It is measured on
    vehicles that reached the booth within the quarter, so in a queue that grows it is what the last ones had.
    """

    v: Literal[1] = 1
    pair: Id
    #: A lane, or a lane group that a read point hears: nobody is served there, vehicles are only open.
    lane: Id
    #: None: the site does not know the lane.
    direction: Direction | None = None
    lane_class: LaneClass | None = None
    from_us: Micros
    until_us: DerivedMicros
    #: Vehicles whose first read at primary was in the quarter.
    served: Count
    #: Those of them that were heard at a queue or gate before.
    measured: Count
    #: Seconds; None when nothing was measured.
    p50_s: Count | None = None
    p90_s: Count | None = None
    #: Vehicles in the lane that nobody had decided upon when this was written.
    open_vehicles: Count
    #: False: a gateway of the lane was silent, behind or had a wrong clock when this was written.
    complete: bool
    #: The tick that closed the quarter.
    at_us: Micros

    @property
    def place(self) -> str:
        """The key in the topic."""
        return f"{self.pair}|{self.lane}"
