"""A busy lane for tests: vehicles that come one after the other and wait at the booth."""

from typing import Any

from schemas.message import Message
from tests.bench.stages import renumbered
from tests.stream.border import Desk, tick

QUARTER_S = 900
#: The tick that closes the second quarter of an hour.
CLOSED = 2 * QUARTER_S + 120


def vehicle(
    desk: Desk, name: str, queue: float, booth: float, lane: str = "L01", **changes: Any
) -> list[tuple[float, Message]]:
    """One at the queue and at the booth, and let go there, by time of writing."""
    at_queue = desk.seen(name, f"{lane}-queue", queue, **changes)
    at_booth = desk.seen(name, f"{lane}-primary", booth, **changes)
    released = desk.decision("released", booth + 9, lane)
    return [
        (queue + 0.3, at_queue),
        (queue + 8, desk.gone(at_queue, queue + 3)),
        (booth + 0.3, at_booth),
        (booth + 10, released),
        (booth + 15, desk.gone(at_booth, booth + 10)),
    ]


def in_order(said: list[tuple[float, Message]], until: float) -> list[Message]:
    """What was said, with a tick every ten seconds, numbered anew."""
    ticks: list[tuple[float, Message]] = [(float(at), tick(at)) for at in range(0, int(until), 10)]
    every = sorted([*said, *ticks], key=lambda pair: pair[0])
    return renumbered([message for moment, message in every if moment < until])


def traffic(
    vehicles: int, waits_s: float, *, lane: str = "L01", start: float = 0, apart: float = 30
) -> list[tuple[float, Message]]:
    """Vehicles that all wait as long, in the first quarters of an hour."""
    desk = Desk(f"gw-{lane.lower()}")
    name = f"k1.{lane}-{start:.0f}"
    said: list[tuple[float, Message]] = []
    for number in range(vehicles):
        queue = start + number * apart
        said += vehicle(desk, f"{name}-{number}", queue, queue + waits_s, lane)
    return said
