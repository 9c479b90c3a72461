"""Grouping is a pure function of the set of sightings: a busy lane, in any permitted order, ends in the same content."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.message import Message
from schemas.reference import TripTrailer
from tests.stream.border import ROWS, Border, Desk, card, tick, trip
from tests.stream.lanes.test_properties import final

TRUCKS = ("1", "2", "3")

TRIPS = tuple(
    trip(
        f"ABCD000{n}",
        drivers=(f"person:d{n}",),
        truck=f"truck:t{n}",
        trailers=(TripTrailer(trailer=f"trailer:r{n}"),),
    )
    for n in TRUCKS[:2]
)
CARDS = tuple(
    card(f"k1.{letter}{n}", f"{kind}:{letter}{n}", tag)
    for n in TRUCKS
    for letter, kind, tag in (
        ("t", "truck", "truck_tag"),
        ("d", "person", "driver_card"),
        ("r", "trailer", "trailer_tag"),
    )
)
BORDER_ROWS = (ROWS[0], *CARDS, *TRIPS)


@st.composite
def passages(draw: st.DrawFn) -> list[list[Message]]:
    """What two gateways and an officer say of up to three trucks that follow each other closely."""
    queue, booth, officer = Desk("gw-queue"), Desk("gw-booth"), Desk("officer")
    said: list[list[tuple[float, Message]]] = [[], [], []]
    start = 0.0
    for n in draw(st.lists(st.sampled_from(TRUCKS), min_size=1, max_size=3)):
        start += draw(st.sampled_from([1.0, 4.0, 9.0, 14.0, 40.0, 700.0, 8_000.0]))
        lane = draw(st.sampled_from(["L01", "L01", "L02"]))
        cards = [f"k1.{letter}{n}" for letter in "tdr"]
        if draw(st.booleans()):
            cards.append("k1.nobody")
        for at, desk, point, first, stays in (
            (0, queue, f"{lane}-queue", start, 3),
            (1, booth, f"{lane}-primary", start + 20, 13),
        ):
            for place, name in enumerate(cards):
                when = first + place * draw(st.sampled_from([0.0, 0.3, 2.0]))
                if draw(st.integers(0, 9)) == 0:
                    continue
                seen = desk.seen(name, point, when)
                said[at].append((when + 0.3, seen))
                if draw(st.integers(0, 4)):
                    said[at].append((first + stays + 5, desk.gone(seen, first + stays)))
        if draw(st.booleans()):
            outcome = draw(st.sampled_from(["released", "released", "refused", "secondary"]))
            moment = start + draw(st.sampled_from([19.0, 24.0, 30.0, 36.0]))
            said[2].append((moment, officer.decision(outcome, moment, lane)))
        if draw(st.integers(0, 2)) == 0:
            back = start + draw(st.sampled_from([300.0, 2_400.0]))
            back_seen = booth.seen(cards[0], "L02-exit", back, direction="US>MX", lane="L09")
            said[1].append((back, back_seen))
    return [renumbered(sorted(one, key=lambda pair: pair[0])) for one in said]


def renumbered(said: list[tuple[float, Message]]) -> list[Message]:
    """The events with their writer's numbers in the order of writing."""
    names: dict[str, str] = {}
    found: list[Message] = []
    for number, (_, message) in enumerate(said, start=1):
        event: Any = message
        writer, epoch, _ = event.event_id.split(".")
        names[event.event_id] = new = f"{writer}.{epoch}.{number}"
        event = msgspec.structs.replace(event, event_id=new)
        if getattr(event, "seen_event_id", None) is not None:
            event = msgspec.structs.replace(event, seen_event_id=names[event.seen_event_id])
        found.append(event)
    return found


def in_time(writers: list[list[Message]]) -> list[Message]:
    every: list[Any] = [event for events in writers for event in events]
    return sorted(every, key=lambda event: event.at_us)


def interleaved(draw: st.DrawFn, writers: list[list[Message]]) -> list[Message]:
    left = [list(events) for events in writers]
    merged: list[Message] = []
    while any(left):
        source = draw(st.sampled_from([events for events in left if events]))
        merged.append(source.pop(0))
    return merged


@st.composite
def orders(draw: st.DrawFn) -> tuple[list[Message], list[Message]]:
    writers = draw(passages())
    return in_time(writers), interleaved(draw, writers)


def content(border: Border) -> object:
    notices, records, rows = final(border)
    standing = [one for one in notices if one.state != "merged"]
    plain = [msgspec.structs.replace(one, split_from=None) for one in standing]
    live = {
        (one.person, one.entry.at_us)
        for one in border.records().values()
        if one.state != "retracted"
    }
    del records
    return sorted(plain, key=repr), live, rows


@settings(max_examples=300)
@given(orders())
def test_a_busy_lane_in_any_permitted_order_ends_in_the_same_content(
    both: tuple[list[Message], list[Message]],
) -> None:
    plain, mixed = both
    in_order = Border(rows=BORDER_ROWS).feed(*plain, tick(90_000))
    assert content(Border(rows=BORDER_ROWS).feed(*mixed, tick(90_000))) == content(in_order)


@settings(max_examples=60)
@given(orders())
def test_a_busy_lane_restored_before_every_record_gives_the_same_bytes(
    both: tuple[list[Message], list[Message]],
) -> None:
    _, mixed = both
    once = Border(rows=BORDER_ROWS).feed(*mixed)
    killed = Border(rows=BORDER_ROWS, killed_everywhere=True).feed(*mixed)
    assert killed.outputs == once.outputs
    assert killed.digests() == once.digests()
