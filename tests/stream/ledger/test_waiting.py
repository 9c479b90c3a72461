"""The unmatched queue of the ledger: it grows old, persons close it, and what is too late goes there."""

from schemas.border import Unmatched
from stream.ledger.state import LedgerState
from stream.ledger.step import LEDGER
from tests.stream.ledger.desk import ANA, DAY, HOUR, NOON, LedgerDesk, closure, end, last_records


def missing() -> LedgerDesk:
    """Somebody who entered twice, a day apart."""
    desk = LedgerDesk()
    desk.tick(NOON)
    desk.take(end("c1", "MX>US", NOON), end("c2", "MX>US", NOON + DAY))
    return desk


def test_a_stay_without_an_end_is_overdue_when_nothing_can_bring_its_end() -> None:
    desk = missing()
    assert desk.tick(NOON + DAY + 8 * DAY) == []
    assert [row.age for row in desk.waiting()] == ["waiting"]
    desk.tick(NOON + DAY + 8 * DAY + HOUR)
    (row,) = desk.waiting()
    assert (row.age, row.since_us) == ("overdue", NOON + DAY)
    assert desk.tick(NOON + 30 * DAY) == []


def test_a_person_closes_a_row_once() -> None:
    desk = missing()
    (row,) = desk.waiting()
    (closed,) = desk.take(closure(row, NOON + 2 * DAY))
    assert isinstance(closed, Unmatched)
    assert (closed.closed_by, closed.closed_at_us) == ("desk.e1.1", NOON + 2 * DAY)
    assert closed.evidence == row.evidence
    assert desk.take(closure(row, NOON + 2 * DAY)) == []
    assert desk.take(closure(row, NOON + 3 * DAY, "desk.e1.2")) == []


def test_what_a_person_closed_is_neither_overdue_nor_opened_again() -> None:
    desk = missing()
    (row,) = desk.waiting()
    desk.take(closure(row, NOON + 2 * DAY))
    desk.take(end("c3", "US>MX", NOON + HOUR))
    desk.take(end("c3", "US>MX", NOON + HOUR, revision=2, how="withdrawn"))
    desk.tick(NOON + 20 * DAY)
    assert desk.waiting() == []


def test_an_overdue_row_that_the_stage_forgot_is_closed_as_the_closure_tells_it() -> None:
    desk = missing()
    desk.tick(NOON + 20 * DAY)
    (row,) = desk.waiting()
    (closed,) = desk.take(closure(row, NOON + 21 * DAY))
    assert isinstance(closed, Unmatched)
    assert closed.unmatched_id == row.unmatched_id
    assert (closed.kind, closed.pair, closed.subject) == (row.kind, row.pair, ANA)
    assert closed.why == "closed by a person: left by air"
    assert desk.waiting() == []


def test_past_the_horizon_a_persons_records_become_one_open_stay() -> None:
    desk = LedgerDesk()
    desk.take(end("c1", "MX>US", NOON), end("c2", "US>MX", NOON + HOUR))
    assert len(desk.state) >= 2
    assert desk.tick(NOON + 9 * DAY) == []
    assert len(desk.state) == 2  # the stay and the clock
    desk.take(end("c3", "MX>US", NOON + 10 * DAY))
    third = desk.records()["c3"]
    assert (third.baseline, third.anomalies) == (False, ())
    assert third.closes is not None
    assert (third.closes.opened_by, third.closes.opened_at_us) == (
        desk.records()["c2"].record_id,
        NOON + HOUR,
    )


def test_a_record_that_is_forgotten_changes_nothing_for_the_ones_after_it() -> None:
    desk = LedgerDesk()
    desk.take(end("c1", "MX>US", NOON), end("c2", "US>MX", NOON + 5 * DAY))
    desk.tick(NOON + 9 * DAY)
    written = desk.take(end("c3", "MX>US", NOON + 10 * DAY))
    assert list(last_records(written)) == ["c3"]
    before = desk.records()["c2"].closes
    assert before is not None
    assert before.opened_by == desk.records()["c1"].record_id


def test_an_open_stay_is_forgotten_when_its_record_must_be_deleted() -> None:
    desk = LedgerDesk()
    desk.take(end("c1", "MX>US", NOON))
    desk.tick(NOON + 9 * DAY)
    assert len(desk.state) == 2
    desk.tick(NOON + 16 * 366 * DAY)
    assert len(desk.state) == 1


def test_an_entry_from_before_the_horizon_waits_and_makes_no_record() -> None:
    desk = LedgerDesk()
    desk.tick(NOON)
    (row,) = desk.take(end("c1", "MX>US", NOON - 9 * DAY))
    assert isinstance(row, Unmatched)
    assert (row.kind, row.subject, row.crossing_id) == ("too_late", ANA, "c1")
    assert desk.take(end("c2", "MX>US", NOON - 9 * DAY, how="refused")) == []
    assert desk.records() == {}


def test_time_that_does_not_go_on_changes_nothing() -> None:
    desk = LedgerDesk()
    desk.tick(NOON)
    before = desk.state.digest()
    assert desk.tick(NOON) == desk.tick(NOON - HOUR) == []
    assert desk.state.digest() == before


def test_records_that_are_forgotten_one_after_the_other_leave_the_newest_stay() -> None:
    desk = LedgerDesk()
    desk.take(end("c1", "MX>US", NOON), end("c2", "US>MX", NOON + 5 * DAY))
    desk.tick(NOON + 9 * DAY)
    desk.tick(NOON + 14 * DAY)
    desk.take(end("c3", "MX>US", NOON + 15 * DAY))
    closes = desk.records()["c3"].closes
    assert closes is not None
    assert closes.opened_by == desk.records()["c2"].record_id


def test_a_record_whose_moment_turns_out_to_be_older_than_the_stay_before_it_opens_none() -> None:
    desk = LedgerDesk()
    desk.take(end("c1", "MX>US", NOON), end("c2", "US>MX", NOON + 5 * DAY))
    desk.tick(NOON + 9 * DAY)
    desk.take(end("c2", "US>MX", NOON - DAY, revision=2))
    restored = LEDGER.new_state()
    for key, row in sorted(desk.changelog.items(), key=lambda pair: pair[0] == "clock"):
        restored.load(key, row)
    desk.state = restored
    desk.tick(NOON + 10 * DAY)
    assert len(desk.state) == 2  # the stay and the clock
    desk.take(end("c3", "US>MX", NOON + 11 * DAY))
    closes = desk.records()["c3"].closes
    assert closes is not None
    assert closes.opened_by == desk.records()["c1"].record_id


def test_nothing_is_left_of_spans_that_are_over() -> None:
    desk = LedgerDesk()
    for number in range(20):
        desk.take(end(f"c{number}", "MX>US", NOON + number * HOUR, person=f"person:{number}"))
    desk.tick(NOON + 10 * DAY)
    assert isinstance(desk.state, LedgerState)
    # Twenty stays wait for their deletion in 15 years; nothing else is due.
    assert len(desk.state._due) == 20


def test_a_nearer_record_takes_over_the_row_of_a_stay_without_an_end() -> None:
    desk = missing()
    desk.take(end("c3", "CA>US", NOON + HOUR))
    rows = {row.since_us: row for row in desk.waiting()}
    assert sorted(rows) == [NOON + HOUR, NOON + DAY]
    assert rows[NOON + HOUR].crossing_id == "c3"
    assert rows[NOON + DAY].evidence[0] == desk.records()["c3"].record_id
