"""The ledger stage: one record a person, its corrections and its retractions."""

import msgspec
import pytest

from schemas.alert import Rejected
from schemas.border import BorderRecord, CrossingEnded, Side
from schemas.wire import decode, encode
from stream.ledger.retention import years_later
from stream.ledger.step import LEDGER
from stream.reference import Reference
from stream.stage import Input
from tests.stream.ledger.desk import LedgerDesk

ENTERED = CrossingEnded(
    crossing_id="c1",
    person="person:ana",
    role="driver",
    revision=1,
    how="entered",
    pair="lar-wtb",
    entered=Side(country="US", office_code="2304", authority="CBP", lane="L01"),
    left=Side(country="MX", office_code="240", authority="ANAM"),
    at_us=1_772_460_000_000_000,
    source_event_ids=("gw1.e1.1",),
)


def write(*ends: CrossingEnded) -> list[BorderRecord]:
    state = LEDGER.new_state()
    written: list[object] = []
    for offset, end in enumerate(ends):
        step = LEDGER.step(state, Reference(), Input(0, offset, end))
        state.apply(step.changes)
        written.extend(output.message for output in step.outputs)
    return [record for record in written if isinstance(record, BorderRecord)]


def end(**changes: object) -> CrossingEnded:
    return msgspec.structs.replace(ENTERED, **changes)


def test_the_entry_is_the_exit_of_the_other_country_at_the_same_moment() -> None:
    (record,) = write(ENTERED)
    assert (record.entry.country, record.exit.country) == ("US", "MX")
    assert record.entry.at_us == record.exit.at_us == ENTERED.at_us
    assert record.exit.basis == "implied_by_entry"
    assert record.delete_after_us == years_later(ENTERED.at_us, 15)


@pytest.mark.parametrize("revision", [0, 1])
def test_a_revision_that_is_not_newer_is_ignored(revision: int) -> None:
    assert len(write(ENTERED, end(revision=revision, at_us=5))) == 1


def test_a_newer_revision_that_says_the_same_writes_nothing() -> None:
    assert len(write(ENTERED, end(revision=2, source_event_ids=("gw1.e1.9",)))) == 1


def test_a_newer_revision_that_differs_corrects_under_the_same_id() -> None:
    first, second = write(ENTERED, end(revision=2, at_us=ENTERED.at_us + 1))
    assert (second.record_id, second.state, second.revision) == (first.record_id, "corrected", 2)


def test_withdrawn_retracts_and_a_higher_revision_revives_under_the_same_id() -> None:
    records = write(
        ENTERED, end(revision=2, how="withdrawn"), end(revision=3, how="refused"), end(revision=4)
    )
    assert [record.state for record in records] == ["live", "retracted", "corrected"]
    assert [record.revision for record in records] == [1, 2, 3]
    assert len({record.record_id for record in records}) == 1


@pytest.mark.parametrize("how", ["refused", "turned_back", "withdrawn", "lost", "u_turn"])
def test_no_entry_gives_no_record(how: str) -> None:
    assert write(end(how=how)) == []


def test_an_end_without_a_person_gives_no_record() -> None:
    assert write(end(person=None)) == []


@pytest.mark.parametrize(
    ("at_us", "later"),
    [
        (951_782_400_000_007, 1_425_081_600_000_007),  # 2000-02-29 becomes 2015-02-28
        (10**18, 10**18 + 15 * 366 * 86_400_000_000),  # beyond the calendar
    ],
)
def test_calendar_years_later(at_us: int, later: int) -> None:
    assert years_later(at_us, 15) == later


def test_a_change_of_person_ends_in_one_live_record_and_the_retraction_names_nobody_else() -> None:
    records = write(
        ENTERED,
        end(revision=2, how="withdrawn"),
        end(revision=2, person="person:ben"),
    )
    last = {record.record_id: record for record in records}
    assert sorted((one.person, one.state) for one in last.values()) == [
        ("person:ana", "retracted"),
        ("person:ben", "live"),
    ]
    retraction = next(one for one in last.values() if one.state == "retracted")
    assert b"person:ben" not in msgspec.json.encode(retraction)


def test_every_revision_says_how_long_it_is_kept_by_its_own_moment() -> None:
    records = write(
        ENTERED, end(revision=2, at_us=ENTERED.at_us + 7), end(revision=3, how="withdrawn")
    )
    assert {record.retention_class for record in records} == {"entry_exit_15y"}
    first, corrected, retracted = (record.delete_after_us for record in records)
    assert corrected == first + 7
    assert retracted == corrected


def test_an_end_that_enters_the_country_that_it_leaves_is_a_dead_letter() -> None:
    desk = LedgerDesk()
    impossible = end(revision=9, left=ENTERED.entered)
    (dead,) = desk.take(impossible)
    assert isinstance(dead, Rejected)
    assert (dead.reason, dead.topic, dead.key) == ("invalid", "crossings", b"person:ana")
    assert decode("crossings", dead.raw or b"") == impossible
    # As if it had never come: its revision counts for nothing.
    desk.take(ENTERED)
    assert desk.records()["c1"].state == "live"


@pytest.mark.parametrize("at_us", [0, 253_402_300_799_999_999])
@pytest.mark.parametrize("revision", [-(2**63), 0, 2**63 - 1])
def test_absurd_moments_and_revisions_give_a_record_that_can_be_written(
    at_us: int, revision: int
) -> None:
    desk = LedgerDesk(killed=True)
    desk.take(end(at_us=at_us, revision=revision), end(crossing_id="c2", at_us=at_us))
    desk.tick(ENTERED.at_us)
    for record in desk.records().values():
        assert decode("border-records", encode(record)) == record
