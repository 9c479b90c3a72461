"""A vehicle's way through a lane. Values only."""

from dataclasses import dataclass

from schemas.message import Position
from simulators.day.places import MINUTE, SECOND, Way


@dataclass(frozen=True, slots=True, kw_only=True)
class Ride:
    """A vehicle's way through a lane."""

    way: Way
    lane: str
    queue_us: int
    booth_us: int
    decided_us: int
    #: When it leaves the booth, and when it is at the exit.
    left_us: int
    exit_us: int

    def span(self, position: Position) -> tuple[int, int]:
        """From when to when it is at a position."""
        match position:
            case "queue":
                return self.queue_us, self.queue_us + 6 * SECOND
            case "primary":
                return self.booth_us, self.left_us
            case "exit":
                return self.exit_us, self.exit_us + 4 * SECOND
            case "secondary":
                return self.left_us + 5 * MINUTE, self.left_us + 20 * MINUTE
            case _:
                raise ValueError(f"nothing hears a lane at {position}")
