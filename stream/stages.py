"""The registry of stages."""

from collections.abc import Iterable
from typing import Final

from stream.config import StageName
from stream.lanes.step import LANES
from stream.ledger.step import LEDGER
from stream.stage import Stage
from stream.trips.step import TRIPS
from stream.watch.step import WATCH

STAGES: Final[dict[StageName, Stage]] = {
    "trips": TRIPS,
    "lanes": LANES,
    "watch": WATCH,
    "ledger": LEDGER,
}


def stages_named(names: Iterable[StageName]) -> list[Stage]:
    """The stages, each once, in the order of the registry."""
    wanted = set(names)
    return [stage for name, stage in STAGES.items() if name in wanted]
