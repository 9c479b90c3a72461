"""Foreign traffic: two hundred other vehicles in the lanes of a case, before, between and after its own.

Each has a truck, a driver and a trip of its own, is heard at the lane's booth, and is released; every fourth one
has a trailer too and is heard at the queue. None stands where something of the case stands, nor within half a minute of it: there the rules
would rightly join them.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from schemas.gate import Correction, Decision, ManualRead, Sighting, SightingGone, SightingSeen
from schemas.message import Message
from schemas.reference import Credential, CredentialKind, Site, SiteReadPoint
from schemas.topics import TOPICS, topic_key
from schemas.trips import DeclaredPerson, DeclaredTrailer, DeclaredTruck, TripFiling
from stream.ndjson import Line

SECOND: Final = 1_000_000
HOUR: Final = 3_600 * SECOND

#: One vehicle takes this long, and the next one in its lane comes this long after it.
PASSAGE_US: Final = 30 * SECOND
EVERY_US: Final = 60 * SECOND
#: So far from anything of the case.
APART_US: Final = 30 * SECOND

MARK: Final = "foreign"

_TOPIC: Final = {kind: topic.name for topic in TOPICS.values() for kind in topic.messages}


class Lane(NamedTuple):
    """A lane that foreign vehicles use."""

    pair: str
    id: str
    direction: str
    authority: str
    points: tuple[SiteReadPoint, ...]


def with_foreign(lines: Sequence[Line], count: int = 200) -> list[Line]:
    """The case's lines with `count` foreign vehicles among them; as many as there is room for between its own."""
    lanes = list(_lanes(lines))
    events = [line for line in lines if line.topic == "gate-events" and line.key != "tick"]
    if not lanes or not events:
        return list(lines)
    begins, ends = (f(line.at_us for line in events) for f in (min, max))
    between = list(_slots(lanes, lines, begins, ends))[: count // 2]
    left = count - len(between)
    after = list(_slots(lanes, lines, ends, min(ends + 6 * HOUR, _last(lines))))[: left // 2]
    left -= len(after)
    before_us = begins - (left // len(lanes) + 2) * EVERY_US
    before = list(_slots(lanes, lines, before_us, begins))[:left]
    rows: list[Line] = []
    traffic: list[Line] = []
    for number, (lane, at_us) in enumerate((*before, *between, *after)):
        rows += _rows(lane, number, at_us)
        traffic += _passage(lane, number, at_us)
    traffic.sort(key=lambda line: line.at_us)
    return [*rows, *_merged(list(lines), _in_sequence(traffic))]


def is_foreign(thing: object) -> bool:
    """Whether something that came out is about a foreign vehicle."""
    text = str(thing)
    return MARK in text or "FRGN" in text


def _lanes(lines: Sequence[Line]) -> Iterator[Lane]:
    sites = {line.message.pair: line.message for line in lines if isinstance(line.message, Site)}
    for site in sites.values():
        authorities = {office.country: office.authority for office in site.offices}
        for lane in (one for one in site.lanes if one.direction != "US>MX"):
            points = tuple(
                one
                for one in site.read_points
                if one.lane == lane.id and one.position in ("queue", "primary")
            )
            if any(one.position == "primary" for one in points):
                country = lane.direction[3:]
                yield Lane(site.pair, lane.id, lane.direction, authorities.get(country, ""), points)  # type: ignore[call-overload]


def _slots(
    lanes: Sequence[Lane], lines: Sequence[Line], from_us: int, to_us: int
) -> Iterator[tuple[Lane, int]]:
    busy = {(lane.pair, lane.id): list(_busy(lines, lane)) for lane in lanes}
    at_us = from_us
    while at_us + PASSAGE_US <= to_us:
        for lane in lanes:
            free = all(
                at_us + PASSAGE_US + APART_US < first or last + APART_US < at_us
                for first, last in busy[lane.pair, lane.id]
            )
            if free:
                yield lane, at_us
        at_us += EVERY_US


def _busy(lines: Sequence[Line], lane: Lane) -> Iterator[tuple[int, int]]:
    """Spans in which something of the case is at the lane or is said about it; a stay without end lasts on."""
    gone = {line.message.seen_event_id for line in lines if isinstance(line.message, SightingGone)}
    for line in lines:
        match line.message:
            case Sighting(pair=lane.pair, lane=lane.id) as one:
                open_end = isinstance(one, SightingSeen) and one.event_id not in gone
                yield one.first_us, one.last_us + (9_999 * HOUR if open_end else 0)
            case Decision(pair=lane.pair) | ManualRead(pair=lane.pair) | Correction() as word:
                yield word.at_us, word.at_us
            case _:
                pass


def _last(lines: Sequence[Line]) -> int:
    return max(line.at_us for line in lines)


def _rows(lane: Lane, number: int, at_us: int) -> list[Line]:
    name = f"{MARK}-{number}"
    holders: tuple[tuple[CredentialKind, str], ...] = (
        ("driver_card", "person"),
        ("truck_tag", "truck"),
        ("trailer_tag", "trailer"),
    )
    cards = [
        Credential(
            token=f"k1.{kind}-{name}",
            credential_id=f"cr-{kind}-{name}",
            kind=kind,
            holder=f"{holder}:{name}",
        )
        for kind, holder in holders
    ]
    filing = TripFiling(
        filing_id=f"f-{name}",
        trip_number=f"FRGN{number:06d}",
        action="file",
        filed_at_us=at_us - 3 * HOUR,
        carrier=f"party:{MARK}",
        carrier_code="FRGN",
        port_code="2304",
        direction=lane.direction,  # type: ignore[arg-type]
        eta_us=at_us + 60 * SECOND,
        drivers=(DeclaredPerson(id=f"person:{name}"),),
        truck=DeclaredTruck(id=f"truck:{name}"),
        trailers=(DeclaredTrailer(id=f"trailer:{name}"),) if number % 4 == 0 else (),
    )
    return [_line(one, at_us - 3 * HOUR) for one in (*cards, filing)]


def _passage(lane: Lane, number: int, at_us: int) -> Iterator[Line]:
    """Heard at each read point for five seconds, ten after the one before, and then released."""
    name = f"{MARK}-{number}"
    begins = at_us
    is_whole = number % 4 == 0
    points = [one for one in lane.points if is_whole or one.position == "primary"]
    cards = ("truck_tag", "driver_card", "trailer_tag")[: 3 if is_whole else 2]
    for point in sorted(points, key=lambda one: one.position != "queue"):
        seen = [
            _seen(lane, point, f"k1.{kind}-{name}", begins + by * 100_000)
            for by, kind in enumerate(cards)
        ]
        yield from (_line(one, one.at_us) for one in seen)
        yield from (_line(_gone(one), one.first_us + 9 * SECOND) for one in seen)
        begins += 15 * SECOND
    said = Decision(
        event_id="",
        pair=lane.pair,
        at_us=at_us + (18 if number % 4 == 0 else 3) * SECOND,
        country=lane.direction[3:],  # type: ignore[arg-type]
        authority=lane.authority or "CBP",
        officer="officer-9",
        outcome="released",
        lane=lane.id,
    )
    yield _line(said, said.at_us)


def _seen(lane: Lane, point: SiteReadPoint, token: str, at_us: int) -> SightingSeen:
    return SightingSeen(
        event_id=token + point.id,
        pair=lane.pair,
        lane=lane.id,
        read_point=point.id,
        position=point.position,
        to_booth_s=point.to_booth_s,
        direction=lane.direction,  # type: ignore[arg-type]
        token=token,
        first_us=at_us,
        last_us=at_us + 200_000,
        at_us=at_us + 300_000,
        reads=3,
        clock_source="received",
    )


def _gone(seen: SightingSeen) -> SightingGone:
    same = {
        name: getattr(seen, name)
        for name in seen.__struct_fields__
        if name not in ("event_id", "last_us", "at_us", "reads", "v", "moved_from")
    }
    return SightingGone(
        **same,
        event_id="",
        last_us=seen.first_us + 4 * SECOND,
        at_us=seen.first_us + 9 * SECOND,
        reads=40,
        observed=True,
        seen_event_id=seen.event_id,
        reason="lost",
    )


def _in_sequence(traffic: list[Line]) -> list[Line]:
    """The same with event ids in the order in which they come: a gateway's, and an officer's."""
    ids: dict[str, str] = {}
    found = []
    for number, line in enumerate(traffic, 1):
        message = line.message
        name = f"{MARK}.e1.{number}"
        if isinstance(message, SightingSeen):
            ids[message.event_id] = name
            made: Message = replace(message, event_id=name)
        elif isinstance(message, SightingGone):
            first = ids[message.seen_event_id or ""]
            made = replace(message, event_id=name, seen_event_id=first)
        else:
            assert isinstance(message, Decision)
            made = replace(message, event_id=name)
        found.append(line._replace(message=made))
    return found


def _merged(lines: list[Line], traffic: list[Line]) -> list[Line]:
    """The case's lines in their order, each foreign line before the first of them that is later."""
    found: list[Line] = []
    at = 0
    for line in lines:
        while line.topic == "gate-events" and at < len(traffic) and traffic[at].at_us < line.at_us:
            found.append(traffic[at])
            at += 1
        found.append(line)
    return found + traffic[at:]


def _line(message: Message, at_us: int) -> Line:
    return Line(_TOPIC[type(message)], topic_key(message), at_us, message)
