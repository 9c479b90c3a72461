"""The comparison finds every difference that is planted, and names it."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from schemas.alert import Alert, Rejected
from schemas.arrival import ArrivalNotice
from schemas.border import BorderRecord, Unmatched
from schemas.message import Message
from simulators.truth import compare, shown
from simulators.verdict import listed, verdict
from tests.simulators.made import committed, heard, small_world, staged

WORLD = small_world()
TRUTH = [one.expected for one in WORLD.passages]
OUTPUTS = staged(WORLD, heard(WORLD))

Outputs = list[tuple[str, Message]]
Plant = Callable[[Outputs], Outputs]


def findings(outputs: Outputs, **options: object) -> list[str]:
    return [str(one) for one in compare(TRUTH, committed(outputs), **options)]  # type: ignore[arg-type]


def last(kind: type[Message], outputs: Outputs) -> int:
    return max(at for at, (_, message) in enumerate(outputs) if isinstance(message, kind))


def of_person(person: str, outputs: Outputs) -> int:
    return next(
        at
        for at, (_, one) in enumerate(outputs)
        if isinstance(one, BorderRecord) and one.person == person
    )


def changed(person: str, change: Callable[[BorderRecord], BorderRecord]) -> Plant:
    def plant(outputs: Outputs) -> Outputs:
        at = of_person(person, outputs)
        record = outputs[at][1]
        assert isinstance(record, BorderRecord)
        return [*outputs[:at], ("border-records", change(record)), *outputs[at + 1 :]]

    return plant


def without_record(outputs: Outputs) -> Outputs:
    at = of_person("person:0003d", outputs)
    return [*outputs[:at], *outputs[at + 1 :]]


def record_twice(outputs: Outputs) -> Outputs:
    return [*outputs, outputs[of_person("person:0003d", outputs)]]


def second_record(outputs: Outputs) -> Outputs:
    record = outputs[of_person("person:0003d", outputs)][1]
    assert isinstance(record, BorderRecord)
    return [*outputs, ("border-records", replace(record, record_id="another"))]


def record_of_the_refused(outputs: Outputs) -> Outputs:
    record = outputs[of_person("person:0003d", outputs)][1]
    assert isinstance(record, BorderRecord)
    refused = replace(record, record_id="another", person="person:0004d")
    return [*outputs, ("border-records", refused)]


def no_unknown_card(outputs: Outputs) -> Outputs:
    return [
        (topic, one)
        for topic, one in outputs
        if not (isinstance(one, Unmatched) and one.kind == "unknown_card")
    ]


def unmatched_closed(outputs: Outputs) -> Outputs:
    row = outputs[last(Unmatched, outputs)][1]
    assert isinstance(row, Unmatched)
    return [*outputs, ("unmatched", replace(row, closed_by="someone", closed_at_us=1))]


def strange_unmatched(outputs: Outputs) -> Outputs:
    row = outputs[last(Unmatched, outputs)][1]
    assert isinstance(row, Unmatched)
    strange = replace(row, unmatched_id="x", kind="driver_unread", subject=None)
    return [*outputs, ("unmatched", strange)]


def another_truck(outputs: Outputs) -> Outputs:
    notice = outputs[last(ArrivalNotice, outputs)][1]
    assert isinstance(notice, ArrivalNotice)
    return [*outputs, ("arrivals", replace(notice, crossing_id="x", links=()))]


def crossing_twice(outputs: Outputs) -> Outputs:
    notice = outputs[last(ArrivalNotice, outputs)][1]
    assert isinstance(notice, ArrivalNotice)
    return [*outputs, ("arrivals", replace(notice, crossing_id="x"))]


def state_behind(outputs: Outputs) -> Outputs:
    notice = outputs[last(ArrivalNotice, outputs)][1]
    assert isinstance(notice, ArrivalNotice)
    again = replace(
        notice, revision=notice.revision + 1, state="at_primary", flags=("no_manifest",)
    )
    return [*outputs, ("arrivals", again)]


def without_arrivals(outputs: Outputs) -> Outputs:
    return [(topic, one) for topic, one in outputs if topic != "arrivals"]


def alert(outputs: Outputs) -> Outputs:
    one = Alert(
        alert_id="a",
        kind="sequence_gap",
        severity="critical",
        subject="gw1",
        pair="lar-wtb",
        at_us=1,
        evidence=(),
        what_to_do="look",
    )
    return [*outputs, ("alerts", one)]


def rejected(outputs: Outputs) -> Outputs:
    one = Rejected(
        stage="lanes",
        topic="gate-events",
        partition=3,
        offset=9,
        key=None,
        raw=b"",
        reason="malformed",
        detail="no map",
    )
    return [*outputs, ("rejected", one)]


def test_outputs_as_they_should_be_have_no_difference() -> None:
    assert findings(OUTPUTS) == []


PLANTS: list[tuple[Plant, str]] = [
    (
        without_record,
        "missing: border record of person:0003d (driver of truck:0003): entry at 2304",
    ),
    (record_twice, "doubled: border-records: "),
    (second_record, "doubled: border record of person:0003d (driver of truck:0003)"),
    (record_of_the_refused, "extra: border record of person:0004d"),
    (
        changed("person:0003d", lambda one: replace(one, entry=replace(one.entry, at_us=1))),
        "wrong: border record of person:0003d: entry time is 1970-01-01",
    ),
    (
        changed("person:0003d", lambda one: replace(one, exit=replace(one.exit, at_us=1))),
        "wrong: border record of person:0003d: exit time is 1970-01-01",
    ),
    (
        changed(
            "person:0003d", lambda one: replace(one, entry=replace(one.entry, office_code="9"))
        ),
        "wrong: border record of person:0003d: entry office is 9, should be 2304",
    ),
    (
        changed("person:0003d", lambda one: replace(one, exit=replace(one.exit, office_code=None))),
        "wrong: border record of person:0003d: exit office is None, should be 240",
    ),
    (
        changed("person:0003d", lambda one: replace(one, entry=replace(one.entry, lane="L01"))),
        "wrong: border record of person:0003d: lane is L01, should be L03",
    ),
    (
        changed("person:0003d", lambda one: replace(one, role="passenger")),
        "wrong: border record of person:0003d: role is passenger, should be driver",
    ),
    (
        changed("person:0003d", lambda one: replace(one, crossing_id="x")),
        "wrong: border record of person:0003d: crossing is x",
    ),
    (
        changed("person:0003d", lambda one: replace(one, state="retracted")),
        "missing: border record of person:0003d",
    ),
    (no_unknown_card, "missing: unmatched unknown_card of demo."),
    (unmatched_closed, "missing: unmatched "),
    (strange_unmatched, "extra: unmatched driver_unread of nobody known"),
    (another_truck, "extra: crossing x in "),
    (crossing_twice, "doubled: crossing of truck:00"),
    (state_behind, "wrong: crossing of truck:00"),
    (without_arrivals, "missing: crossing of truck:0001 (passenger) in L01"),
    (alert, "extra: alert sequence_gap about gw1: look"),
    (rejected, "extra: rejected record gate-events/3 offset 9: malformed, no map"),
]


@pytest.mark.parametrize(("plant", "expected"), PLANTS)
def test_a_planted_difference_is_found_and_named(plant: Plant, expected: str) -> None:
    found = findings(plant(OUTPUTS))
    assert found
    assert any(one.startswith(expected) for one in found), found


def test_a_driver_who_is_not_heard_is_a_missing_record_and_an_extra_row() -> None:
    deaf = next(card for card in WORLD.passages[2].crew.cards if card.kind == "driver_card")
    stays = [
        stay
        for one in WORLD.passages
        for stay in one.stays
        if stay.epc != deaf.epc or stay.reader == "zebra-queue"
    ]
    found = findings(staged(WORLD, heard(WORLD, stays)))
    assert any(one.startswith(f"missing: border record of {deaf.holder}") for one in found)
    assert f"extra: unmatched declared_not_seen of {deaf.holder}" in found


def test_trucks_that_are_not_due_may_have_come_to_anything_yet() -> None:
    half = WORLD.passages[len(WORLD.passages) // 2].decision.at_us
    early = [event for event in heard(WORLD) if getattr(event, "at_us", 0) <= half]
    outputs = staged(WORLD, early)
    assert findings(outputs, due_us=half) == []
    assert findings(outputs) != []


def test_a_topic_that_the_outputs_do_not_have_is_left_out_of_the_comparison() -> None:
    printed: Outputs = [one for one in OUTPUTS if one[0] != "crossings"]
    topics = frozenset(("arrivals", "border-records", "unmatched"))
    assert findings(printed, topics=topics) == []
    assert findings(printed)


def test_a_token_is_shown_by_its_beginning_only() -> None:
    assert shown("k1.0123456789abcdef0123456789abcdef") == "k1.0123~"
    assert shown("person:0001d") == "person:0001d"
    assert shown("desk-l02.e1795549939362485.3") == "desk-l02.e1795549939362485.3"


def test_the_verdict_counts_what_came_what_was_lost_and_what_was_doubled() -> None:
    good = committed(OUTPUTS)
    line = verdict(TRUTH, good, [], 2)
    assert line.startswith(
        "11 trucks, 10 border records, 1 refused, 3 unmatched, 2 restarts, lost 0"
    )
    lost = committed(without_record(OUTPUTS))
    assert verdict(TRUTH, lost, compare(TRUTH, lost), 0).endswith(
        "lost 1, doubled 0: 1 difference from the truth"
    )
    twice = committed(record_twice(OUTPUTS))
    assert "lost 0, doubled 1" in verdict(TRUTH, twice, compare(TRUTH, twice), 0)


def test_a_long_list_of_differences_is_cut_and_counted() -> None:
    found = compare(TRUTH * 30, committed([]))
    assert listed(found)[-1].startswith("and ")
