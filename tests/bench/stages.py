"""How many gate events the lanes and ledger stages take on one core, and what a bare decode costs beside them.

`./run bench stages [CREDENTIALS …]`. Trucks follow each other through one lane, each with three tags, a trip and a
decision, past a reference table with so many cards (10,000 and 1,000,000 where nothing is said: the rates should be
alike). Printed are CPU-bound rates; the ratio is what a slower or busier machine does not change. Then what an
event costs by its kind.
"""

import gc
import sys
import time
from collections import Counter, defaultdict

import msgspec

from schemas.gate import Sighting
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


def filled(rows: list[Message], credentials: int) -> Reference:
    """The table with the traffic's rows and cards of others up to the count."""
    reference = Reference(PORTS)
    for row in rows:
        reference.fold(TOPIC_OF[type(row)], topic_key(row), row)
    for number in range(len(rows), credentials):
        row = card(f"k1.{number:032x}", f"person:x{number}")
        reference.fold("credentials", row.token, row)
    return reference


def kind_of(event: Message) -> str:
    """What an event tells, and where."""
    name = str(event.__struct_config__.tag)
    return f"{name} {event.position}" if isinstance(event, Sighting) else name


def measured(
    records: list[Record], kinds: list[str], reference: Reference
) -> tuple[float, dict[str, float], int]:
    """CPU seconds in all and by kind, and the rows of the ledger's state."""
    lanes, ledger = LANES.new_state(), LEDGER.new_state()
    spent: defaultdict[str, float] = defaultdict(float)
    began = last = time.process_time()
    for record, kind in zip(records, kinds, strict=True):
        for end in through(LANES, lanes, reference, record):
            through(LEDGER, ledger, reference, end)
        now = time.process_time()
        spent[kind] += now - last
        last = now
    return last - began, spent, len(ledger)


def main() -> None:
    """Print the figures."""
    rows, events = traffic()
    place = partition_of(PAIR.encode(), 6)
    records = [
        Record("gate-events", place, n, PAIR.encode(), encode(event), (), 0)
        for n, event in enumerate(events)
    ]
    kinds = [kind_of(event) for event in events]
    began = time.process_time()
    for record in records:
        encode(decode(record.topic, record.value or b""))
    bare = time.process_time() - began
    print(f"{len(records)} events, {TRUCKS} trucks")
    print(f"decode and encode alone   {len(records) / bare:10,.0f} events/s")
    sizes = [int(one) for one in sys.argv[1:]] or [10_000, 1_000_000]
    staged: float = 0.0
    spent: dict[str, float] = {}
    for size in sizes:
        reference = filled(rows, size)
        # The table is there for days: it is not what the collector has to go through.
        gc.freeze()
        staged, spent, in_ledger = measured(records, kinds, reference)
        print(
            f"lanes and ledger stages   {len(records) / staged:10,.0f} events/s"
            f"   {size:,} credentials, {in_ledger} rows in the ledger's state"
        )
        print(f"ratio                     {staged / bare:10.1f} times a bare decode and encode")
        gc.unfreeze()
    counts = Counter(kinds)
    for kind in sorted(spent, key=lambda one: -spent[one]):
        share = spent[kind] / staged
        print(f"{kind:24} {spent[kind] / counts[kind] * 1e6:8.0f} µs {share:7.1%} {counts[kind]:7}")


if __name__ == "__main__":
    main()
