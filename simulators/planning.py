"""Plans a demo's traffic a while ahead, so that it can go on without end."""

import hashlib
import random
from collections.abc import Iterator
from importlib.resources import files
from typing import Final, NamedTuple

import msgspec

from gateway.identity import TokenKey
from schemas.ports import Port, parse_ports
from schemas.topics import topic_key
from schemas.wire import to_json
from simulators.faults import unheard
from simulators.fleet import SECOND, Fleet, Row
from simulators.site import PAIR
from simulators.truth import Expected
from simulators.world import Passage, passages, shared

#: Trucks are planned this far ahead: their reference rows are there long before they come.
AHEAD_US: Final = 60 * SECOND


class Plan(NamedTuple):
    """Trucks that were not planned before."""

    rows: tuple[Row, ...]
    passages: tuple[Passage, ...]


def demo_key(seed: int) -> TokenKey:
    """A token key for invented cards: made from the seed, so it protects nothing."""
    return TokenKey(key_id="demo", secret=hashlib.sha256(f"gatebook {seed}".encode()).digest())


def demo_port() -> Port:
    """The port pair of the simulated site."""
    table = files("schemas").joinpath("ports.csv").read_text(encoding="utf-8")
    return parse_ports(table)[PAIR]


def fleet(seed: int) -> Fleet:
    """The trucks of a seed, from the first one on."""
    return Fleet(random.Random(seed), demo_key(seed), demo_port())  # noqa: S311 - no secret


def ndjson_rows(rows: tuple[Row, ...], at_us: int) -> bytes:
    """Rows as `gatebook reference load` reads them."""
    lines = (to_json(topic, topic_key(row), at_us, row) for topic, row in rows)
    return b"".join(line + b"\n" for line in lines)


def ndjson_truth(truth: list[Expected]) -> bytes:
    """Truth as `gatebook score` reads it."""
    return b"".join(msgspec.json.encode(one) + b"\n" for one in truth)


class Planner:
    """Traffic of a seed.

    Its first trucks' rows are needed before the start is known. So they are made for a start that is assumed; the
    same trucks come again, with the same cards, when the start is set.

    Attributes:
        truth: what must come of all trucks that are planned so far.
        dropped: the driver whose card no reader at the booth hears, with `drop_sighting`.
    """

    def __init__(self, seed: int, for_us: int | None, *, drop_sighting: bool = False) -> None:
        """`for_us`: how long trucks come and are decided upon; None: without end."""
        self.truth: list[Expected] = []
        self.dropped: str | None = None
        self._seed = seed
        self._for_us = for_us
        self._drop_sighting = drop_sighting
        self._start_us = self._loaded = 0
        self._coming: Iterator[Passage] = iter(())
        self._next: Passage | None = None

    def first_rows(self, assumed_us: int) -> tuple[Row, ...]:
        """Rows of the first trucks, and of what all trucks need."""
        self.start(assumed_us)
        first = self._until(assumed_us + AHEAD_US)
        self._loaded = len(first)
        rows = (row for passage in first for row in passage.crew.rows)
        return (*shared(demo_port(), assumed_us), *rows)

    def start(self, start_us: int) -> None:
        """The first truck may come from now on."""
        self._start_us = start_us
        self._coming = passages(fleet(self._seed), start_us)
        self._next = None

    def extend(self, now_us: int) -> Plan:
        """The trucks up to a while from now, and the rows of those whose rows are not loaded."""
        coming = self._until(now_us + AHEAD_US)
        fresh, self._loaded = coming[self._loaded :], max(0, self._loaded - len(coming))
        if self._drop_sighting and self.dropped is None:
            coming, self.dropped = unheard(coming)
        self.truth += [passage.expected for passage in coming]
        return Plan(tuple(row for passage in fresh for row in passage.crew.rows), coming)

    def _until(self, until_us: int) -> tuple[Passage, ...]:
        """The next trucks that come before then and are decided upon in time."""
        found: list[Passage] = []
        while True:
            passage = self._next or next(self._coming)
            if passage.from_us >= until_us or self._too_late(passage.from_us):
                self._next = passage
                return tuple(found)
            self._next = None
            if not self._too_late(passage.decision.at_us):
                found.append(passage)

    def _too_late(self, at_us: int) -> bool:
        return self._for_us is not None and at_us > self._start_us + self._for_us
