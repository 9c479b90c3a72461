"""A person sets a border record right after the lanes stage has let go of its crossing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.alert import Rejected
from schemas.border import BorderRecord, CrossingEnded, RecordCorrection, Unmatched
from schemas.exchange import ExchangeRecord, ExchangeRetraction
from schemas.gate import Tick
from schemas.ids import record_id
from schemas.message import Message
from tests.stream.ledger.desk import ANA, DAY, HOUR, NOON, LedgerDesk, closure, end
from tests.stream.ledger.test_properties import content, ends

pytestmark = pytest.mark.timeout(300)

LATE = NOON + 7 * DAY + HOUR


def correction(
    crossing: str,
    to_at_us: int | None = None,
    *,
    at_us: int = LATE,
    event_id: str = "desk.e1.1",
    person: str = ANA,
) -> RecordCorrection:
    return RecordCorrection(
        event_id=event_id,
        record_id=record_id(crossing, person),
        crossing_id=crossing,
        person=person,
        pair="lar-wtb",
        at_us=at_us,
        authority="CBP",
        officer="officer-7",
        what="retract" if to_at_us is None else "moment",
        to_at_us=to_at_us,
        reason="another person sat there",
    )


def test_a_retraction_takes_the_record_back_and_mends_the_chain_and_the_exchange() -> None:
    desk = LedgerDesk()
    desk.take(end("c1", "MX>US", NOON), end("c2", "MX>US", NOON + HOUR))
    assert [row.kind for row in desk.waiting()] == ["missing_exit"]
    desk.tick(LATE)
    written = desk.take(correction("c1"))
    first, second = desk.records()["c1"], desk.records()["c2"]
    assert (first.state, first.revision) == ("retracted", 2)
    assert first.source_event_ids[-1] == "desk.e1.1"
    assert (second.baseline, second.revision, second.anomalies) == (True, 2, ())
    assert desk.waiting() == []
    assert len([one for one in written if isinstance(one, ExchangeRetraction)]) == 2
    assert desk.take(correction("c1")) == []


def test_a_moment_moves_the_record_in_its_chain_and_the_two_countries_are_told() -> None:
    desk = LedgerDesk()
    desk.take(end("c1", "MX>US", NOON + HOUR), end("c2", "US>MX", NOON))
    desk.tick(LATE)
    written = desk.take(correction("c1", NOON - HOUR))
    record = desk.records()["c1"]
    assert (record.state, record.entry.at_us, record.baseline) == ("corrected", NOON - HOUR, True)
    again = desk.records()["c2"]
    assert again.closes is not None
    assert again.closes.basis == "exit"
    assert len([one for one in written if isinstance(one, ExchangeRecord)]) == 2


def test_a_persons_word_stands_over_ends_that_come_later() -> None:
    desk = LedgerDesk()
    desk.take(end("c1", "MX>US", NOON), correction("c1"))
    assert desk.take(end("c1", "MX>US", NOON + 5, revision=2)) == []
    assert desk.records()["c1"].state == "retracted"
    desk.take(correction("c1", NOON + 9, at_us=LATE + 1))
    assert desk.records()["c1"].state == "corrected"
    assert desk.records()["c1"].entry.at_us == NOON + 9


def test_a_correction_that_comes_before_its_record_waits_for_it() -> None:
    desk = LedgerDesk()
    desk.take(correction("c1"))
    (row,) = desk.waiting()
    assert (row.kind, row.subject, row.age) == ("correction_without_crossing", ANA, "waiting")
    desk.take(end("c1", "MX>US", NOON))
    assert desk.waiting() == []
    assert desk.records() == {}


def test_a_correction_whose_record_never_comes_grows_overdue_and_a_person_closes_it() -> None:
    desk = LedgerDesk()
    desk.take(correction("c1", at_us=NOON))
    desk.tick(NOON + 9 * DAY)
    (row,) = desk.waiting()
    assert row.age == "overdue"
    desk.take(closure(row, NOON + 9 * DAY))
    assert desk.waiting() == []


def test_a_record_that_is_forgotten_but_for_its_stay_is_left_to_a_person() -> None:
    desk = LedgerDesk()
    desk.take(end("c1", "MX>US", NOON))
    desk.tick(NOON + 9 * DAY)
    (row,) = desk.take(correction("c1", at_us=NOON + 9 * DAY))
    assert isinstance(row, Unmatched)
    assert (row.age, row.evidence[1]) == ("overdue", record_id("c1", ANA))
    assert "only the stay" in row.why
    after = desk.take(end("c2", "US>MX", NOON + 9 * DAY))
    (record,) = [one for one in after if isinstance(one, BorderRecord)]
    assert record.closes is not None
    assert record.closes.opened_by == record_id("c1", ANA)


def test_no_record_is_moved_among_those_that_are_forgotten() -> None:
    desk = LedgerDesk()
    desk.take(end("c1", "MX>US", NOON))
    desk.tick(LATE)
    (row,) = desk.take(correction("c1", NOON - 2 * DAY))
    assert isinstance(row, Unmatched)
    assert "before the records" in row.why
    assert desk.records()["c1"].revision == 1


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        (replace(correction("c1"), record_id="r"), "$.record_id"),
        (replace(correction("c1"), person="person:ben"), "$.record_id"),
        (replace(correction("c1"), what="moment"), "$.to_at_us"),
        (replace(correction("c1", NOON), what="retract"), "$.to_at_us"),
        (correction("c1", LATE + 1), "$.to_at_us"),
    ],
)
def test_a_correction_that_cannot_be_is_a_dead_letter(wrong: RecordCorrection, path: str) -> None:
    desk = LedgerDesk()
    desk.take(end("c1", "MX>US", NOON))
    (dead,) = desk.take(wrong)
    assert isinstance(dead, Rejected)
    assert dead.detail.startswith(path)
    assert desk.records()["c1"].revision == 1


@st.composite
def said(draw: st.DrawFn) -> list[Message]:
    """Ends, and corrections of their records and of one that never comes."""
    sent: list[CrossingEnded] = draw(ends())
    found: list[Message] = [*sent]
    for number in range(draw(st.integers(1, 4))):
        of = draw(st.sampled_from(sent))
        crossing = draw(st.sampled_from((of.crossing_id, of.crossing_id, "never")))
        moment = draw(st.sampled_from((None, NOON - HOUR, NOON, NOON + 90_000_000, NOON + DAY)))
        at_us = LATE + draw(st.integers(0, 2))
        event_id = f"desk.e1.{number}"
        person = of.person or ANA
        found.append(correction(crossing, moment, at_us=at_us, event_id=event_id, person=person))
    return found


@settings(max_examples=500)
@given(said(), st.randoms(use_true_random=False))
def test_any_order_of_ends_and_corrections_comes_to_the_same(
    sent: list[Message], chance: object
) -> None:
    wanted, found = LedgerDesk(), LedgerDesk()
    wanted.take(*sent)
    order = list(sent)
    chance.shuffle(order)  # type: ignore[attr-defined]
    found.take(*order, *order)
    assert content(found) == content(wanted)


@settings(max_examples=200)
@given(said(), st.integers(0, 10))
def test_corrections_survive_a_kill_before_every_record(sent: list[Message], place: int) -> None:
    order = [*sent[:place], Tick(partition=0, at_us=NOON + 7 * DAY), *sent[place:]]
    order.append(Tick(partition=0, at_us=NOON + 30 * DAY))
    plain, killed = LedgerDesk(), LedgerDesk(killed=True)
    plain.take(*order)
    killed.take(*order)
    assert killed.outputs == plain.outputs
    assert killed.state.digest() == plain.state.digest()
