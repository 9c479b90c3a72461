"""What holds of every set of ends, in whatever order they come.

`--hypothesis-profile=search` looks for new examples.
"""

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.border import BorderRecord, Closure, CrossingEnded, Unmatched
from schemas.gate import Tick
from schemas.message import Message
from stream.ledger.step import LEDGER
from stream.reference import Reference
from stream.stage import Input
from tests.stream.ledger.desk import DAY, HOUR, NOON, LedgerDesk, closure, end

# Five hundred examples each, on machines that do other things too.
pytestmark = pytest.mark.timeout(300)

WAYS = ("MX>US", "US>MX", "US>CA", "CA>US", "CA>MX", "MX>CA")
#: Moments that lie close together, and far apart.
MOMENTS = (0, 1, 30_000_000, 5 * 60_000_000, HOUR, 2 * HOUR, DAY, DAY + HOUR, 3 * DAY)


@st.composite
def ends(draw: st.DrawFn) -> list[CrossingEnded]:
    """All ends of up to seven crossings of two persons, each crossing's by revision."""
    found: list[CrossingEnded] = []
    for number in range(draw(st.integers(1, 7))):
        way = draw(st.sampled_from(WAYS))
        revisions = dict.fromkeys(("person:ana", "person:ben"), 0)
        for _ in range(draw(st.integers(1, 3))):
            person = draw(st.sampled_from(sorted(revisions)))
            revisions[person] += draw(st.integers(1, 2))
            found.append(
                end(
                    f"c{number}",
                    way,
                    NOON + draw(st.sampled_from(MOMENTS)),
                    revision=revisions[person],
                    how=draw(st.sampled_from(("entered", "entered", "withdrawn", "refused"))),
                    person=person,
                )
            )
    return found


def told(outputs: Sequence[Message]) -> tuple[dict[str, BorderRecord], dict[str, Unmatched]]:
    """The records in force and the open rows of the queue, without what the order of arrival decides."""
    records: dict[str, BorderRecord] = {}
    rows: dict[str, Unmatched] = {}
    for one in outputs:
        if isinstance(one, BorderRecord):
            assert records.get(one.record_id, one).revision <= one.revision
            records[one.record_id] = one
        elif isinstance(one, Unmatched):
            rows[one.unmatched_id] = one
    plain = {
        key: replace(one, revision=0, state="live", source_event_ids=())
        for key, one in records.items()
        if one.state != "retracted"
    }
    return plain, {key: row for key, row in rows.items() if row.closed_by is None}


def content(desk: LedgerDesk) -> tuple[dict[str, BorderRecord], dict[str, Unmatched]]:
    return told(desk.outputs)


@settings(max_examples=500)
@given(ends(), st.randoms(use_true_random=False))
def test_any_order_of_the_same_ends_comes_to_the_same_records_and_queue(
    sent: list[CrossingEnded], chance: object
) -> None:
    wanted, found = LedgerDesk(), LedgerDesk()
    wanted.take(*sent)
    order = list(sent)
    chance.shuffle(order)  # type: ignore[attr-defined]
    found.take(*order, *order)
    assert content(found) == content(wanted)


@settings(max_examples=500)
@given(ends())
def test_what_is_in_force_is_what_the_highest_revision_says(sent: list[CrossingEnded]) -> None:
    desk = LedgerDesk()
    desk.take(*sent)
    last: dict[tuple[str, str | None], CrossingEnded] = {}
    for one in sent:
        last[one.crossing_id, one.person] = one
    wanted = {key: one.at_us for key, one in last.items() if one.how == "entered"}
    records, _ = content(desk)
    assert {(one.crossing_id, one.person): one.entry.at_us for one in records.values()} == wanted
    assert len(records) == len(wanted)


@settings(max_examples=500)
@given(ends())
def test_every_exit_has_its_entry_at_the_same_moment_and_every_stay_its_opening(
    sent: list[CrossingEnded],
) -> None:
    desk = LedgerDesk()
    desk.take(*sent)
    records, rows = content(desk)
    opened = Counter(one.opens for one in records.values())
    assert all(count == 1 for count in opened.values())
    closed = Counter(one.closes.stay_id for one in records.values() if one.closes)
    assert all(count == 1 for count in closed.values())
    assert closed.keys() <= opened.keys()
    for one in records.values():
        assert one.entry.at_us == one.exit.at_us
        assert one.entry.country != one.exit.country
        if one.closes is None:
            assert one.baseline
            continue
        opener = records[one.closes.opened_by]
        assert (opener.person, opener.opens) == (one.person, one.closes.stay_id)
        assert (opener.entry.country, opener.entry.at_us) == (
            one.closes.country,
            one.closes.opened_at_us,
        )
        # A person's records leave the country of the open stay, or they carry an anomaly and wait.
        unknown = one.closes.country != one.exit.country
        assert unknown == bool({"entered_twice", "no_open_stay"} & set(one.anomalies))
        assert unknown == (one.closes.basis == "missing_exit")
        assert unknown == (f"missing_exit|{one.closes.stay_id}" in rows)
    by_person = Counter(one.person for one in records.values() if one.baseline)
    assert all(count == 1 for count in by_person.values())
    assert by_person.keys() == {one.person for one in records.values()}


@st.composite
def inputs(draw: st.DrawFn) -> list[Message]:
    """Ends in any order with ticks between them that make some of them forgotten or too late."""
    sent: list[Message] = [*draw(st.permutations(draw(ends())))]
    at_us = NOON
    for place in sorted(draw(st.lists(st.integers(0, len(sent)), max_size=4))):
        at_us += draw(st.sampled_from((HOUR, 4 * DAY, 8 * DAY)))
        sent.insert(place, Tick(partition=0, at_us=at_us))
    return sent


def stepped(sent: Sequence[Message], *, killed: bool = False) -> LedgerDesk:
    """The stage after the inputs; a person closes every row of the queue that is a day old."""
    desk = LedgerDesk(killed=killed)
    for number, one in enumerate(sent):
        desk.take(one)
        if isinstance(one, Tick):
            old = [row for row in desk.waiting() if row.since_us < one.at_us - DAY]
            said: list[Closure] = [
                closure(row, one.at_us, f"desk.e1.{number}{at}") for at, row in enumerate(old)
            ]
            desk.take(*said)
    return desk


@settings(max_examples=500)
@given(inputs())
def test_a_stage_that_is_killed_before_every_record_writes_the_same_and_ends_the_same(
    sent: list[Message],
) -> None:
    plain, killed = stepped(sent), stepped(sent, killed=True)
    assert killed.outputs == plain.outputs
    assert killed.state.digest() == plain.state.digest()
    assert plain.restored().digest() == plain.state.digest()


@settings(max_examples=500)
@given(inputs())
def test_a_restored_state_forgets_what_the_old_one_would_have(sent: list[Message]) -> None:
    desk = stepped(sent)
    last = Input(0, 0, Tick(partition=0, at_us=NOON + 60 * DAY))
    steps = [LEDGER.step(state, Reference(), last) for state in (desk.state, desk.restored())]
    assert steps[0] == steps[1]
    desk.state.apply(steps[0].changes)
    assert [row for _, row in desk.state.items() if type(row).__name__ == "RecordRow"] == []


@settings(max_examples=500)
@given(inputs())
def test_an_input_that_is_stepped_twice_changes_nothing_the_second_time(
    sent: list[Message],
) -> None:
    desk = LedgerDesk()
    for one in sent:
        desk.take(one)
        before = desk.state.digest()
        again = desk.take(one)
        # An entry that is too late is not remembered: its row of the queue says the same twice.
        assert all(isinstance(row, Unmatched) and row.kind == "too_late" for row in again)
        assert desk.state.digest() == before
