"""All stages in one process: order, restarts, time, and records that no stage can use."""

from schemas.alert import Alert, Rejected
from schemas.gate import Tick
from schemas.message import Message
from schemas.topics import partition_of, topic_key
from schemas.wire import decode
from stream.reference import Reference
from stream.stage import NOTHING, Given, Output, ReferenceChanged, Step
from stream.stages import STAGES
from stream.state import Change, KeyedState
from stream.straight import TICK_US, Straight, Written
from tests.stream.border import PAIR, PORTS, ROWS, TOPIC_OF, Desk, at
from tests.stream.border import card as border_card
from tests.stream.counting import Count, Counting, card, seen


def straight() -> Straight:
    return Straight(tuple(STAGES.values()), Reference(PORTS))


def take(runner: Straight, *messages: Message) -> list[Written]:
    return [
        one
        for message in messages
        for one in runner.take(TOPIC_OF[type(message)], topic_key(message), at(0), message)
    ]


def passage() -> list[Message]:
    desk, officer = Desk(), Desk("officer")
    return [
        *ROWS,
        desk.seen("k1.truck1", "L01-primary", 0),
        desk.seen("k1.ana", "L01-primary", 0.1),
        officer.decision("released", 5),
    ]


def test_what_one_record_leads_to_is_all_written_before_the_next_one_is_taken() -> None:
    runner = straight()
    take(runner, *passage()[:-1])
    written = take(runner, passage()[-1])
    topics = [one.topic for one in written]
    assert topics.index("crossings") < topics.index("border-records")
    assert {"arrivals", "crossings", "border-records", "trip-filings"} <= set(topics)


def test_the_same_records_give_the_same_bytes() -> None:
    assert take(straight(), *passage()) == take(straight(), *passage())


def test_a_runner_that_is_restored_goes_on_as_the_one_that_was_not() -> None:
    whole, cut = straight(), straight()
    *before, last = passage()
    take(whole, *before)
    take(cut, *before)
    other = Straight(tuple(STAGES.values()), cut.reference)
    other.restore(cut.rows())
    assert other.digests() == whole.digests() != {}
    assert take(other, last) == take(whole, last)


def test_rows_are_a_copy_and_hold_nothing_of_the_reference() -> None:
    runner = straight()
    take(runner, *passage())
    rows = runner.rows()
    for kept in rows.values():
        kept.clear()
    assert runner.rows() != rows
    assert not any("credentials" in key for kept in runner.rows().values() for key in kept)


def test_time_passes_in_steps_of_a_worker_and_for_stages_with_timers_that_hold_something() -> None:
    runner = straight()
    assert runner.pass_time(at(0)) == []
    take(runner, *passage()[:-1])
    assert runner.pass_time(at(0) + TICK_US - 1) == []
    assert [decode(one.topic, one.value) for one in runner.pass_time(at(9_000))]
    assert runner.counts["records"] == len(passage()) - 1


def test_bytes_that_are_no_message_become_a_dead_letter_and_stop_nothing() -> None:
    runner = straight()
    partition = partition_of(PAIR.encode(), 6)
    (letter,) = runner.take_raw("gate-events", partition, PAIR, at(0), b"\xc1 nonsense")
    found = decode(letter.topic, letter.value)
    assert isinstance(found, Rejected)
    assert (found.topic, found.raw) == ("gate-events", b"\xc1 nonsense")
    assert [one.topic for one in take(runner, *passage())].count("border-records") == 1


def test_a_reference_row_that_cannot_be_read_is_counted_and_changes_nothing() -> None:
    runner = straight()
    assert runner.take_raw("credentials", 0, "k1.ana", at(0), b"nonsense") == []
    assert runner.counts["rows_rejected"] == 1


def test_a_deleted_row_is_looked_at_again_at_once() -> None:
    runner = Straight((Counting(),), Reference(PORTS))
    for message in (card("a", "c1"), seen(1, "a", PAIR)):
        runner.take(TOPIC_OF[type(message)], topic_key(message), 0, message)
    (alert,) = runner.take("credentials", "a", 0, None)
    assert decode(alert.topic, alert.value).what_to_do == "seen 1, card None"  # type: ignore[attr-defined]


def test_a_tick_goes_into_the_partition_that_it_names() -> None:
    runner = straight()
    take(runner, *passage()[:-1])
    before = runner.digests()
    elsewhere = (partition_of(PAIR.encode(), 6) + 1) % 6
    tick = Tick(partition=elsewhere, at_us=at(90_000))
    runner.take("gate-events", topic_key(tick), at(90_000), tick)
    here = ("lanes", partition_of(PAIR.encode(), 6))
    assert runner.digests()[here] == before[here]


def test_outputs_carry_the_time_of_the_record_that_they_follow_from() -> None:
    (*_, last) = take(straight(), *passage())
    assert last.at_us == at(0)


class Loud:
    """Says far too much whenever a row changes."""

    name = "loud"
    input = "gate-events"
    changelog = "lanes-changelog"
    references: tuple[str, ...] = ("credentials",)
    ticks = False

    def new_state(self) -> KeyedState:
        return KeyedState(Count)

    def step(self, state: KeyedState, reference: Reference, given: Given) -> Step:
        del state, reference
        if not isinstance(given, ReferenceChanged):
            return NOTHING
        alert = Alert(
            alert_id="loud",
            kind="sequence_gap",
            severity="critical",
            subject="gw1",
            pair="lar-wtb",
            at_us=0,
            evidence=("x" * 200,) * 6_000,
            what_to_do="nothing",
        )
        return Step(
            [Change("row", Count(pair="lar-wtb", seen=1, card=None))], [Output("alerts", alert)]
        )


def test_what_follows_from_a_row_and_is_too_large_is_left_out_and_counted() -> None:
    runner = Straight((Loud(),), Reference(PORTS))
    heard, row = Desk().seen("k1.ana", "L01-queue", 0), border_card("k1.ana", "person:ana")
    runner.take("gate-events", topic_key(heard), 0, heard)
    assert runner.take("credentials", row.token, 0, row) == []
    assert runner.counts["outputs_too_large"] == 1
    assert runner.digests() == {}
