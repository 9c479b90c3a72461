"""How many gate events the lanes and ledger stages take on one core, and what a bare decode costs beside them.

`./run bench stages`. Trucks follow each other through one lane, each with three tags, a trip and a decision. Printed are
CPU-bound rates; the ratio is what a slower or busier machine does not change.
"""

import time

import msgspec

from schemas.message import Message
from schemas.reference import TripTrailer
from schemas.topics import partition_of, topic_key
from schemas.wire import decode, encode
from stream.lanes.step import LANES
from stream.ledger.step import LEDGER
from stream.log.contract import Record
from stream.reference import Reference
from stream.stage import Stage, advance, encode_change
from stream.state import KeyedState
from tests.stream.border import PAIR, PORTS, TOPIC_OF, Desk, at, card, site, tick, trip

TRUCKS = 1_500
APART_S = 20


def traffic() -> tuple[list[Message], list[Message]]:
    """Reference rows, and events in the order of their writing with a tick every ten seconds."""
    rows: list[Message] = [site()]
    timed: list[tuple[float, Message]] = [
        (moment, tick(moment)) for moment in range(0, TRUCKS * APART_S, 10)
    ]
    desk, officer = Desk(), Desk("officer")
    for number in range(TRUCKS):
        start = number * APART_S
        holders = {
            f"t{number}": "truck_tag",
            f"d{number}": "driver_card",
            f"r{number}": "trailer_tag",
        }
        names = {"truck_tag": "truck", "driver_card": "person", "trailer_tag": "trailer"}
        rows += [card(name, f"{names[kind]}:{number}", kind) for name, kind in holders.items()]
        rows.append(
            trip(
                f"T{number}",
                eta_us=at(start + 60),
                drivers=(f"person:{number}",),
                truck=f"truck:{number}",
                trailers=(TripTrailer(trailer=f"trailer:{number}"),),
            )
        )
        for point, first, last in (
            ("queue", start, start + 3),
            ("primary", start + 20, start + 33),
        ):
            for name in holders:
                seen = desk.seen(name, f"L01-{point}", first)
                timed += [(first + 0.3, seen), (last + 5, desk.gone(seen, last))]
        timed.append((start + 30, officer.decision("released", start + 30)))
    timed.sort(key=lambda one: one[0])
    return rows, renumbered([event for _, event in timed])


def renumbered(events: list[Message]) -> list[Message]:
    """The events with each writer's numbers in the order of writing."""
    last: dict[str, int] = {}
    names: dict[str, str] = {}
    found = []
    for event in events:
        old = getattr(event, "event_id", None)
        if old is not None:
            writer, epoch, _ = old.split(".")
            last[writer] = last.get(writer, 0) + 1
            names[old] = new = f"{writer}.{epoch}.{last[writer]}"
            event = msgspec.structs.replace(event, event_id=new)  # noqa: PLW2901
            seen = getattr(event, "seen_event_id", None)
            if seen is not None:
                event = msgspec.structs.replace(event, seen_event_id=names[seen])  # noqa: PLW2901
        found.append(event)
    return found


def through(stage: Stage, state: KeyedState, reference: Reference, record: Record) -> list[Record]:
    """One record through a stage, encoded as a worker would write it; returns its ends of crossings."""
    written = []
    for step in advance(stage, state, reference, record):
        state.apply(step.changes)
        for change in step.changes:
            encode_change(change)
        for topic, message in step.outputs:
            value, key = encode(message), topic_key(message).encode()
            if topic == LEDGER.input:
                written.append(Record(topic, partition_of(key, 6), 0, key, value, (), 0))
    return written


def main() -> None:
    """Print the figures."""
    rows, events = traffic()
    reference = Reference(PORTS)
    for row in rows:
        reference.fold(TOPIC_OF[type(row)], topic_key(row), row)
    place = partition_of(PAIR.encode(), 6)
    records = [
        Record("gate-events", place, n, PAIR.encode(), encode(event), (), 0)
        for n, event in enumerate(events)
    ]
    began = time.process_time()
    for record in records:
        encode(decode(record.topic, record.value or b""))
    bare = time.process_time() - began
    lanes, ledger = LANES.new_state(), LEDGER.new_state()
    began = time.process_time()
    for record in records:
        for end in through(LANES, lanes, reference, record):
            through(LEDGER, ledger, reference, end)
    staged = time.process_time() - began
    print(f"{len(records)} events, {TRUCKS} trucks, {len(ledger)} border records")
    print(f"decode and encode alone   {len(records) / bare:10,.0f} events/s")
    print(f"lanes and ledger stages   {len(records) / staged:10,.0f} events/s")
    print(f"ratio                     {staged / bare:10.1f} times a bare decode and encode")


if __name__ == "__main__":
    main()
