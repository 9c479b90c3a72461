"""Folding outputs: the highest revision is in force, a repeat is noticed."""

from msgspec.structs import replace

from schemas.border import BorderRecord, Unmatched
from simulators.committed import Committed
from tests.simulators.made import heard, small_world, staged

WORLD = small_world()
OUTPUTS = [message for _, message in staged(WORLD, heard(WORLD))]


def test_an_older_revision_that_comes_later_does_not_replace_a_newer_one() -> None:
    record = next(one for one in OUTPUTS if isinstance(one, BorderRecord))
    found = Committed()
    found.take(replace(record, revision=2, state="corrected"))
    found.take(record)
    assert found.records[record.record_id].revision == 2
    assert found.doubled == []


def test_one_id_and_revision_twice_is_a_double() -> None:
    found = Committed()
    for message in (*OUTPUTS, *OUTPUTS):
        found.take(message)
    assert {topic for topic, _ in found.doubled} == {
        "arrivals",
        "crossings",
        "border-records",
        "unmatched",
    }


def test_a_row_of_the_unmatched_queue_may_open_again_but_not_be_written_twice_running() -> None:
    row = next(one for one in OUTPUTS if isinstance(one, Unmatched))
    closed = replace(row, closed_by="x", closed_at_us=1)
    found = Committed()
    for message in (row, closed, row):
        found.take(message)
    assert found.doubled == []
    found.take(row)
    assert [topic for topic, _ in found.doubled] == ["unmatched"]
