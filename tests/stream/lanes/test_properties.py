"""What holds of the stages for any input: convergence, replay, and that garbage stops nothing."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.message import Message
from schemas.wire import encode
from tests.stream.border import Border, Desk, tick, trip


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


def final(border: Border) -> object:
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
