"""The simulated traffic: when each truck is heard where, what the officer says, and what must come of it.

Pure: the same draws, key and start give the same world, to the byte. A truck rolls past the queue's antennas, drives
to the booth of its lane, stands there, is decided upon and leaves:

    queue 1.6-2.0 s | drive 1.5-2.0 s | booth 7.0-7.5 s, the decision 4.2-4.7 s after it stopped

Trucks of one lane follow each other 9.5 s apart, so that no two are at one read point at once, and so that a decision
can be meant for one of them only. At the booth it stands long enough for a gateway that was killed to hear it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, takewhile
from typing import Final

from schemas.gate import Decision, Outcome, event_id
from schemas.message import Position
from schemas.ports import Port
from schemas.trips import TripFiling
from simulators.fleet import Crew, Draws, Fleet, Row, Story, shared_rows
from simulators.site import AUTHORITY, LANES, PAIR, heard_by, site_row
from simulators.truth import Expected, ExpectedPerson, ExpectedWaiting

#: The first trucks, so that even a short run has one of each kind; later kinds are drawn.
CAST: Final[tuple[Story, ...]] = (
    "passenger",
    "unknown_card",
    "plain",
    "refused",
    "mismatch",
    "plain",
    "no_trip",
    "double",
)
#: The kinds that are drawn later, out of sixteen: what is not named is plain.
_LATER: Final[tuple[Story, ...]] = (
    "refused",
    "unknown_card",
    "mismatch",
    "no_trip",
    "passenger",
    "passenger",
    "double",
    "double",
)
_PLAIN_UNTIL: Final = 16

PERIOD_US: Final = 9_500_000
#: Lanes begin one after the other, so that arrivals are spread.
STAGGER_US: Final = 1_100_000
#: Quietest and loudest signal of a tag, dBm.
RSSI_DBM: Final = (-66, -46)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """A tag can be heard by an antenna from a time to a time."""

    from_us: int
    until_us: int
    reader: str
    antenna: int | None
    epc: bytes
    rssi_dbm: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """One truck's whole story."""

    #: When it comes, and when it is gone.
    from_us: int
    until_us: int
    crew: Crew
    stays: tuple[Stay, ...]
    decision: Decision
    expected: Expected


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Traffic of a while."""

    shared: tuple[Row, ...]
    passages: tuple[Passage, ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        """All reference rows, in the order in which they should be loaded."""
        return (*self.shared, *(row for passage in self.passages for row in passage.crew.rows))


def build_world(fleet: Fleet, start_us: int, for_us: int) -> World:
    """The trucks that are decided upon within `for_us` of `start_us`."""
    every = passages(fleet, start_us)
    # Lanes begin staggered, so the last trucks of some lanes can be too late before those of others.
    came = takewhile(lambda one: one.from_us < start_us + for_us, every)
    in_time = tuple(one for one in came if one.decision.at_us <= start_us + for_us)
    return World(shared=shared(fleet.port, start_us), passages=in_time)


def shared(port: Port, start_us: int) -> tuple[Row, ...]:
    """Rows that do not belong to one truck."""
    return (Row("sites", site_row(port, start_us)), *shared_rows())


def passages(fleet: Fleet, start_us: int) -> Iterator[Passage]:
    """Trucks without end, in the order of their coming."""
    draws = fleet.draws
    for number in count():
        round_of_lane, lane_at = divmod(number, len(LANES))
        from_us = start_us + round_of_lane * PERIOD_US + lane_at * STAGGER_US
        from_us += _between(draws, 0, 400_000)
        story = _story(number, draws)
        timing = _Timing.drawn(draws, from_us)
        who = fleet.crew(number + 1, story, timing.booth_us)
        desk = event_id(f"desk-{LANES[lane_at].lower()}", f"e{start_us}", round_of_lane + 1)
        yield _passage(who, LANES[lane_at], desk, timing, draws)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Timing:
    queue_us: int
    queue_left_us: int
    booth_us: int
    decided_us: int
    left_us: int

    @classmethod
    def drawn(cls, draws: Draws, from_us: int) -> "_Timing":
        queue_left_us = from_us + _between(draws, 1_600_000, 2_000_000)
        booth_us = queue_left_us + _between(draws, 1_500_000, 2_000_000)
        return cls(
            queue_us=from_us,
            queue_left_us=queue_left_us,
            booth_us=booth_us,
            decided_us=booth_us + _between(draws, 4_200_000, 4_700_000),
            left_us=booth_us + _between(draws, 7_000_000, 7_500_000),
        )


def _story(number: int, draws: Draws) -> Story:
    drawn = draws.randrange(0, 16)
    if number < len(CAST):
        return CAST[number]
    if number < _PLAIN_UNTIL or drawn >= len(_LATER):
        return "plain"
    return _LATER[drawn]


def _passage(who: Crew, lane: str, desk: str, timing: _Timing, draws: Draws) -> Passage:
    """`desk`: the id of the decision; each lane's booth counts its own."""
    outcome: Outcome = "refused" if who.story == "refused" else "released"
    stays = (
        *_stays(who, lane, "queue", (timing.queue_us, timing.queue_left_us), draws),
        *_stays(who, lane, "primary", (timing.booth_us, timing.left_us), draws),
    )
    decision = Decision(
        event_id=desk,
        pair=PAIR,
        at_us=timing.decided_us,
        country="US",
        authority=AUTHORITY,
        officer=f"officer-{lane.lower()}",
        outcome=outcome,
        lane=lane,
    )
    return Passage(
        from_us=timing.queue_us,
        until_us=timing.left_us,
        crew=who,
        stays=stays,
        decision=decision,
        expected=_expected(who, lane, decision),
    )


def _stays(
    who: Crew, lane: str, position: Position, span: tuple[int, int], draws: Draws
) -> list[Stay]:
    """One stay a card: they come into the field one after the other, the front of the truck first."""
    from_us, until_us = span
    reader, point = heard_by(lane, position)
    return [
        Stay(
            from_us=from_us + at * _between(draws, 30_000, 90_000),
            until_us=until_us,
            reader=reader.id,
            antenna=point.antenna,
            epc=card.epc,
            rssi_dbm=draws.randrange(*RSSI_DBM),
        )
        for at, card in enumerate(who.cards)
    ]


def _expected(who: Crew, lane: str, decision: Decision) -> Expected:
    """What must come of it, by the rules that the stages follow."""
    flags = {
        "mismatch": "driver_mismatch",
        "no_trip": "no_manifest",
        "unknown_card": "unknown_card",
    }
    persons: list[ExpectedPerson] = []
    waiting: list[ExpectedWaiting] = []
    for card in who.cards:
        if card.kind != "driver_card":
            continue
        if card.token == who.unknown_token:
            waiting.append(ExpectedWaiting(kind="unknown_card", subject=card.token))
        elif card.holder in who.passengers:
            persons.append(ExpectedPerson(person=card.holder, role="passenger"))
        else:
            persons.append(ExpectedPerson(person=card.holder, role="driver"))
    if decision.outcome == "released" and who.trip is not None:
        read = {one.person for one in persons}
        waiting += [
            ExpectedWaiting(kind="declared_not_seen", subject=person)
            for person in (*who.drivers, *who.passengers)
            if person not in read
        ]
    persons_known = dict.fromkeys((*who.drivers, *who.passengers, *(one.person for one in persons)))
    return Expected(
        truck=who.truck,
        things=(who.truck, *who.trailers, *persons_known, *(one.subject for one in waiting[:1])),
        story=who.story,
        lane=lane,
        trip=who.trip,
        how="entered" if decision.outcome == "released" else "refused",
        at_us=decision.at_us,
        flags=tuple(sorted({*_goods(who), *([flags[who.story]] if who.story in flags else [])})),
        persons=tuple(persons),
        waiting=tuple(waiting),
    )


def _goods(who: Crew) -> list[str]:
    """What the filing says of goods that need a look."""
    filings = [row.message for row in who.rows if isinstance(row.message, TripFiling)]
    shipments = [one for filing in filings for one in filing.shipments]
    found = ["other_department"] if any(one.other_department for one in shipments) else []
    lines = [line for shipment in shipments for line in shipment.commodities]
    return ["hazmat", *found] if any(line.hazmat for line in lines) else found


def _between(draws: Draws, low: int, high: int) -> int:
    return draws.randrange(low, high)
