"""What holds of the stages for any input: convergence, replay, and that garbage stops nothing."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.arrival import ArrivalNotice
from schemas.ids import crossing_id
from schemas.message import Message
from schemas.wire import encode
from tests.stream.border import PAIR, Border, Desk, at, tick, trip


def writers() -> list[list[Message]]:
    """What three writers say of one truck: its queue gateway, its booth gateway and the officer."""
    queue, booth, officer = Desk("gw-queue"), Desk("gw-booth"), Desk("officer")
    tags = ("k1.truck1", "k1.ana", "k1.nobody", "k1.trailer1")
    at_queue = [queue.seen(token, "L01-queue", n * 0.1) for n, token in enumerate(tags)]
    at_booth = [booth.seen(token, "L01-primary", 20 + n * 0.1) for n, token in enumerate(tags)]
    return [
        [*at_queue, *(queue.gone(seen, 3) for seen in at_queue)],
        [*at_booth, *(booth.gone(seen, 33) for seen in at_booth)],
        [officer.decision("secondary", 25), officer.decision("released", 30)],
    ]


def final(border: Border) -> tuple[list[ArrivalNotice], set[Any], set[Any]]:
    """Final content: without ids made from the first event, revisions and times of emission."""
    notices = [
        msgspec.structs.replace(
            notice,
            crossing_id="",
            revision=0,
            at_us=0,
            last_read_us=0,
            source_event_ids=(),
            eta_us=None,
            eta_p90_us=None,
        )
        for notice in border.last_notices().values()
    ]
    records = {(record.person, record.entry) for record in border.records().values()}
    open_rows = {(row.kind, row.subject) for row in border.unmatched().values()}
    return notices, records, open_rows


@st.composite
def interleavings(draw: st.DrawFn) -> list[Message]:
    """All events of the writers, each writer's in order, any of them doubled."""
    left = writers()
    merged: list[Message] = []
    while any(left):
        source = draw(st.sampled_from([events for events in left if events]))
        event = source.pop(0)
        merged.extend([event] * draw(st.sampled_from([1, 1, 2])))
    return merged


@settings(max_examples=150)
@given(interleavings())
def test_any_permitted_interleaving_ends_in_the_same_content(events: list[Message]) -> None:
    in_order = Border().feed(*[event for events in writers() for event in events])
    assert final(Border().feed(*events)) == final(in_order)


@settings(max_examples=100)
@given(interleavings(), st.integers(0, 30))
def test_a_manifest_that_comes_at_any_moment_ends_in_the_same_content(
    events: list[Message], moment: int
) -> None:
    known_before = Border().feed(*events)
    came_late = Border(rows=tuple(row for row in known_before.rows if row != trip()))
    came_late.feed(*events[:moment]).change_row(trip()).feed(*events[moment:])
    assert final(came_late) == final(known_before)


@settings(max_examples=100)
@given(interleavings(), st.integers(0, 40), st.binary(max_size=40))
def test_garbage_between_records_changes_nothing_else(
    events: list[Message], moment: int, garbage: bytes
) -> None:
    clean = Border().feed(*events)
    dirty = Border().feed(*events[:moment]).feed_raw(garbage).feed(*events[moment:])
    (rejected,) = dirty.written("rejected")
    assert rejected.raw == garbage
    assert [pair for pair in dirty.outputs if pair[0] != "rejected"] == clean.outputs


@settings(max_examples=100)
@given(interleavings(), st.integers(0, 40))
def test_replaying_a_prefix_and_then_the_rest_equals_replaying_all(
    events: list[Message], moment: int
) -> None:
    whole = Border().feed(*events, tick(900))
    halves = Border().feed(*events[:moment]).take_over().feed(*events[moment:], tick(900))
    assert [(topic, encode(message)) for topic, message in halves.outputs] == [
        (topic, encode(message)) for topic, message in whole.outputs
    ]


#: Times at which everything could go wrong: the bounds of what a message may say, and a real moment.
TIMES = st.sampled_from(
    [0, 1, at(-86_400 * 365), at(0), at(1), at(30), at(10**6), 253_402_300_799_999_999]
)
TOKENS = st.sampled_from(
    ["k1.truck1", "k1.truck2", "k1.ana", "k1.ben", "k1.trailer1", "x", "x" * 200]
)


@st.composite
def absurd(draw: st.DrawFn) -> Message:
    """A message that its schema allows, however little sense it makes."""
    writer, seq = draw(st.sampled_from(["gw1", "gw2", ".", "a.b"])), draw(st.integers(0, 10**19))
    event_id = f"{writer}.e1.{draw(st.sampled_from([seq, seq % 5]))}"
    desk = Desk()
    point = draw(st.sampled_from(["L01-queue", "L01-primary", "L02-exit", "L02-secondary"]))
    seen = msgspec.structs.replace(
        desk.seen(draw(TOKENS), point, 0, event_id=event_id),
        first_us=draw(TIMES),
        last_us=draw(TIMES),
        at_us=draw(TIMES),
        to_booth_s=draw(st.sampled_from([None, 0, 604_800])),
        direction=draw(st.sampled_from(["MX>US", "US>MX", "CA>US", "US>CA"])),
    )
    kind = draw(st.sampled_from(["seen", "gone", "decision", "tick", "keyed", "set_right", "beat"]))
    if kind in ("keyed", "set_right", "beat"):
        return said(draw, kind, event_id)
    if kind == "seen":
        return seen
    if kind == "gone":
        gone = desk.gone(seen, 0, observed=draw(st.booleans()))
        return msgspec.structs.replace(
            gone, event_id=event_id, last_us=draw(TIMES), at_us=draw(TIMES)
        )
    if kind == "tick":
        return msgspec.structs.replace(tick(0), at_us=draw(TIMES))
    outcomes = ["released", "secondary", "held", "refused", "turned_back", "paroled", "withdrawn"]
    return msgspec.structs.replace(
        desk.decision(draw(st.sampled_from(outcomes)), 0, event_id=event_id),
        at_us=draw(TIMES),
        lane=draw(st.sampled_from([None, "L01", "L02", ""])),
        crossing_id=draw(st.sampled_from([None, "nonsense"])),
        country=draw(st.sampled_from(["US", "MX", "CA"])),
        subjects=draw(st.sampled_from(["all", "persons", "vehicle", "cargo"])),
        persons=draw(st.sampled_from([(), ("person:ana",), ("truck:1",), ("person:eva",) * 20])),
    )


def said(draw: st.DrawFn, kind: str, event_id: str) -> Message:
    """What an officer keys or sets right, or a heartbeat, with any content."""
    desk = Desk()
    person = draw(st.sampled_from(["person:ana", "truck:1", "trailer:9", "ABCD0001", "x"]))
    if kind == "keyed":
        event: Any = desk.keyed(person, 0, draw(st.sampled_from([None, "L01"])))
    elif kind == "beat":
        event = desk.beat(0, outbox_age_ms=draw(st.sampled_from([0, -1, 10**12])))
    else:
        event = desk.correction(
            crossing_id(PAIR, "gw1.e1.1"),
            draw(st.sampled_from(["retract", "person", "moment"])),
            person,
            0,
            to_person=draw(st.sampled_from([None, "person:eva", "person:ana", "truck:1"])),
            to_at_us=draw(st.one_of(st.none(), TIMES)),
        )
    changed: Message = msgspec.structs.replace(event, event_id=event_id, at_us=draw(TIMES))
    return changed


@settings(max_examples=300)
@given(st.lists(absurd(), max_size=12))
def test_nothing_that_a_schema_allows_stops_a_stage(events: list[Message]) -> None:
    border = Border().feed(*events).take_over()
    assert Border(killed_everywhere=True).feed(*events).take_over().digests() == border.digests()
    in_force = [one for one in border.records().values() if one.state != "retracted"]
    assert len({(one.crossing_id, one.person) for one in in_force}) == len(in_force)
    assert all(one.entry.at_us == one.exit.at_us for one in in_force)
