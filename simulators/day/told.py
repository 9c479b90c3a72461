"""All odd cases that can be told: importing this registers them."""

from typing import Final

from simulators.day import odd_cards, odd_edge, odd_ends, odd_people, odd_trips
from simulators.day.odd import ODD

__all__ = ["TOLD", "odd_cards", "odd_edge", "odd_ends", "odd_people", "odd_trips"]

TOLD: Final[tuple[str, ...]] = tuple(sorted(ODD))
