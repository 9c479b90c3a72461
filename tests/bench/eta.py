"""How long before the booth a notice comes and how good its ETA is: `./run bench eta [HOURS [SEED]]`, a day by default.

A queue entry that hears four lanes as a group, a gate and a booth in each: three general lanes, one FAST. Trucks come in
two peaks, take the shorter queue of their class and are served one after the other (log-normal: general median 65 s,
FAST 27 s). The lanes stage sees the events alone. One truck in fifty parks for an hour between queue and gate.
"""

import random
import sys
import time
from collections import Counter
from math import exp, pi, sin
from typing import Final, NamedTuple

from msgspec.structs import replace

from schemas.arrival import ArrivalNotice
from schemas.lane_wait import LaneWait
from schemas.message import Message, Position
from schemas.policy import LaneRules, ProgrammeLane
from schemas.reference import Credential, LaneClass, Site, SiteLane, SiteReadPoint
from schemas.topics import partition_of, topic_key
from schemas.wire import encode
from simulators.lead_time import LeadTimer, rank
from stream.lanes.learnt import Passages
from stream.lanes.step import LANES
from stream.log.contract import Record
from stream.reference import Reference
from stream.stage import advance, encode_change
from tests.bench.stages import renumbered
from tests.stream.border import PAIR, PORTS, TOPIC_OF, Desk, at, card, tick, trip

LANES_OF: Final[dict[LaneClass, tuple[str, ...]]] = {
    "general": ("L01", "L02", "L03"),
    "fast": ("L04",),
}
#: Seconds to the booth that the site states for a read point: those of an empty road.
STATED: Final[dict[Position, int]] = {"queue": 300, "gate": 120, "primary": 0}
MEDIAN_S: Final[dict[LaneClass, float]] = {"general": 65.0, "fast": 27.0}
#: Trucks an hour, on average over the day.
AN_HOUR: Final[dict[LaneClass, float]] = {"general": 88.0, "fast": 45.0}
#: Vehicles between a gate and its booth.
BEHIND_GATE: Final = 6


class Truck(NamedTuple):
    """When it is where, in seconds."""

    number: int
    lane: str
    queue: float
    gate: float
    booth: float
    left: float


def rate(kind: LaneClass, hour: float) -> float:
    """Trucks an hour: two peaks, and little at night."""
    wave = 1 + 0.55 * sin(2 * pi * (hour - 9) / 24) + 0.3 * sin(4 * pi * (hour - 8) / 24)
    return max(0.1, AN_HOUR[kind] * wave)


def trucks(hours: float, chance: random.Random) -> list[Truck]:
    """The traffic."""
    found: list[Truck] = []
    for kind, lanes in LANES_OF.items():
        free = dict.fromkeys(lanes, 0.0)
        booths: dict[str, list[float]] = {lane: [] for lane in lanes}
        came: list[tuple[float, float]] = []
        now = 0.0
        while now < hours * 3_600:
            now += chance.expovariate(rate(kind, now / 3_600 % 24) / 3_600)
            parked = 3_600.0 if chance.random() < 0.02 else 0.0
            came.append((now + parked, now))
        for ready, entered in sorted(came):
            lane = min(lanes, key=lambda one: (free[one], one))
            booth = max(ready + 240 + chance.uniform(0, 120), free[lane])
            ahead = booths[lane][-BEHIND_GATE:]
            gate = max(ready + 100, ahead[0] if len(ahead) == BEHIND_GATE else 0.0)
            service = MEDIAN_S[kind] * exp(chance.gauss(0, 0.6))
            free[lane] = booth + service + 8
            booths[lane].append(booth)
            number = len(found)
            found.append(
                Truck(number, lane, entered, min(gate, booth - 20), booth, booth + service)
            )
    return found


#: Who holds a FAST card may use the FAST lane: enough here, the carrier and the goods are left out.
RULES: Final = LaneRules(
    policy_id="lanes",
    effective_from_us=0,
    accepted_at_us=0,
    direction="MX>US",
    programmes=(
        ProgrammeLane(
            name="fast", lane="fast", drivers=("FAST",), loads=("loaded", "empty", "bobtail")
        ),
    ),
)


def driver(truck: Truck) -> Credential:
    """The card of its driver."""
    usual = card(f"d{truck.number}", f"person:{truck.number}")
    return replace(usual, programme="FAST") if truck.lane in LANES_OF["fast"] else usual


def site() -> Site:
    """The lay-out."""
    lanes = [
        SiteLane(id=one, direction="MX>US", lane_class=kind, group="ALL")
        for kind in LANES_OF
        for one in LANES_OF[kind]
    ]
    points = [
        SiteReadPoint(id="ALL-queue", lane="ALL", position="queue", to_booth_s=STATED["queue"])
    ]
    for lane in lanes:
        points += [
            SiteReadPoint(
                id=f"{lane.id}-{position}",
                lane=lane.id,
                position=position,
                to_booth_s=STATED[position],
            )
            for position in ("gate", "primary")
        ]
    return Site(
        pair=PAIR, effective_from_us=0, offices=(), lanes=tuple(lanes), read_points=tuple(points)
    )


def events(every: list[Truck], hours: float) -> list[Message]:
    """What the gateway and the officers say, with a tick every ten seconds."""
    desk, officer = Desk(), Desk("officer")
    timed: list[tuple[float, Message]] = [
        (float(moment), tick(moment)) for moment in range(0, int(hours * 3_600), 10)
    ]
    timed += [(moment + 1.0, desk.beat(moment + 1)) for moment in range(0, int(hours * 3_600), 30)]
    for one in every:
        for point, first in (
            ("ALL-queue", one.queue),
            (f"{one.lane}-gate", one.gate),
            (f"{one.lane}-primary", one.booth),
        ):
            stays = one.left - one.booth if point.endswith("primary") else 3.0
            for place, name in enumerate((f"t{one.number}", f"d{one.number}")):
                seen = desk.seen(
                    name,
                    point,
                    first + place / 4,
                    to_booth_s=STATED[point.split("-")[1]],  # type: ignore[index]
                )
                timed += [
                    (first + place / 4 + 0.3, seen),
                    (first + stays + 5, desk.gone(seen, first + stays)),
                ]
        timed.append((one.left, officer.decision("released", one.left, one.lane)))
    timed.sort(key=lambda pair: pair[0])
    return renumbered([event for moment, event in timed if moment < hours * 3_600])


def known(every: list[Truck]) -> Reference:
    """The rows of the lanes stage."""
    reference = Reference(PORTS)
    rows: list[Message] = [site(), RULES]
    for one in every:
        declared = {"drivers": (f"person:{one.number}",), "truck": f"truck:{one.number}"}
        rows += [card(f"t{one.number}", f"truck:{one.number}", "truck_tag"), driver(one)]
        rows.append(trip(f"T{one.number}", eta_us=at(one.queue + 900), trailers=(), **declared))
    for row in rows:
        reference.fold(TOPIC_OF[type(row)], topic_key(row), row)
    return reference


class Run:
    """One run of the stage over the traffic, and what came of it."""

    def __init__(self, every: list[Truck]) -> None:
        """Nothing has run."""
        self.reference = known(every)
        self.timer = LeadTimer()
        self.waits: list[LaneWait] = []
        self.counts: Counter[str] = Counter()
        #: The largest row of each read point, in bytes.
        self.sizes: dict[str, int] = {}
        self._state = LANES.new_state()

    def take(self, offset: int, event: Message) -> None:
        """One event."""
        place = partition_of(PAIR.encode(), 6)
        key = topic_key(event).encode()
        record = Record("gate-events", place, offset, key, encode(event), (), 0)
        for step in advance(LANES, self._state, self.reference, record):
            self._state.apply(step.changes)
            for change in step.changes:
                if isinstance(change.value, Passages):
                    size = len(encode_change(change) or b"")
                    self.sizes[change.key] = max(self.sizes.get(change.key, 0), size)
            for topic, message in step.outputs:
                self._told(topic, message)

    def _told(self, topic: str, message: Message) -> None:
        self.counts[topic] += 1
        if isinstance(message, ArrivalNotice):
            self.timer.take(message)
        elif isinstance(message, LaneWait):
            self.waits.append(message)


def show(run: Run, every: list[Truck]) -> None:
    """Print the figures."""
    figures = run.timer.figures()
    stated = sorted(round(abs(one.booth - one.queue - STATED["queue"]) * 1e6) for one in every)
    print(figures)
    print(f"ETAs changed at a read point: {figures.moves / max(1, figures.noticed):.2f} a truck")
    print(
        f"by the stated {STATED['queue']} s alone the ETA would be off by "
        f"p50 {rank(stated, 50)} s, p90 {rank(stated, 90)} s"
    )
    sizes = run.sizes.values()
    print(f"rows of read points: {len(sizes)}, the largest {max(sizes, default=0)} B")
    for wait in run.waits:
        since_s = (wait.from_us - at(0)) // 1_000_000
        if since_s % 10_800 == 0 and wait.lane in {"L01", "L04"}:
            print(
                f"{since_s // 3_600:3} h {wait.lane}: {wait.served} served, wait p50 {wait.p50_s} s, "
                f"p90 {wait.p90_s} s, {wait.open_vehicles} there"
            )


def main() -> None:
    """Read the arguments, run, print."""
    given = sys.argv[1:]
    hours, seed = float(given[0]) if given else 24.0, int(given[1]) if len(given) > 1 else 7
    every = trucks(hours, random.Random(seed))
    said = events(every, hours)
    run = Run(every)
    began = time.process_time()
    for offset, event in enumerate(said):
        run.take(offset, event)
    took = time.process_time() - began
    print(f"{len(every)} trucks, {len(said)} events, {took:.0f} s of CPU; {dict(run.counts)}")
    show(run, every)


if __name__ == "__main__":
    main()
