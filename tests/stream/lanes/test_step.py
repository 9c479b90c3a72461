"""The lanes and ledger stages, told as stories at one booth."""

from collections.abc import Callable

import msgspec
import pytest

from schemas.ids import crossing_id, record_id
from schemas.message import Message
from schemas.wire import encode
from tests.stream.border import PAIR, ROWS, Border, Desk, at, card, tick, trip
from tests.stream.lanes.test_moved import moved

Story = Callable[[], list[Message]]


def arrive(desk: Desk, start: float = 0, lane: str = "L01", *tokens: str) -> list[Message]:
    """The tags of a truck at the queue, gone from there, then at primary."""
    tokens = tokens or ("k1.truck1", "k1.ana", "k1.trailer1")
    queue = [desk.seen(token, f"{lane}-queue", start + n * 0.1) for n, token in enumerate(tokens)]
    gone = [desk.gone(seen, start + 3) for seen in queue]
    booth = [
        desk.seen(token, f"{lane}-primary", start + 20 + n * 0.1) for n, token in enumerate(tokens)
    ]
    return [*queue, *gone, *booth]


def plain() -> list[Message]:
    return [*arrive(Desk()), Desk("officer").decision("released", 30)]


def refused() -> list[Message]:
    return [*arrive(Desk()), Desk("officer").decision("refused", 30)]


def unknown_card() -> list[Message]:
    desk = Desk()
    return [
        *arrive(desk, 0, "L01", "k1.truck1", "k1.nobody"),
        Desk("officer").decision("released", 30),
    ]


def driver_unread() -> list[Message]:
    return [*arrive(Desk(), 0, "L01", "k1.truck2"), Desk("officer").decision("released", 30)]


def two_trucks() -> list[Message]:
    desk, officer = Desk(), Desk("officer")
    first = arrive(desk)
    second = arrive(desk, 12, "L01", "k1.truck2", "k1.ben")
    return [*first, officer.decision("released", 30), *second, officer.decision("released", 45)]


def decided_early() -> list[Message]:
    return [Desk("officer").decision("released", 30), *arrive(Desk())]


def changed_mind() -> list[Message]:
    officer = Desk("officer")
    first, second = officer.decision("released", 30), officer.decision("refused", 33)
    return [*arrive(Desk()), first, second]


def given_up() -> list[Message]:
    return [*arrive(Desk()), tick(60), tick(2 * 3600 + 60)]


def both_given_up() -> list[Message]:
    desk = Desk()
    first, second = arrive(desk), arrive(desk, 1, "L02", "k1.truck2", "k1.ben")
    return [*first, *second, tick(60), tick(2 * 3600 + 60)]


def closed_later() -> list[Message]:
    return [*plain(), tick(100), tick(700)]


STORIES: tuple[Story, ...] = (
    plain,
    refused,
    unknown_card,
    driver_unread,
    two_trucks,
    decided_early,
    changed_mind,
    given_up,
    both_given_up,
    closed_later,
    moved,
)


def test_a_released_truck_gives_one_crossing_and_one_record_whose_entry_is_the_exit() -> None:
    story = plain()
    border = Border().feed(*story)
    notice = border.notice()
    crossing = crossing_id(PAIR, "gw1.e1.1")
    assert notice.crossing_id == crossing
    assert (notice.state, notice.lane, notice.decision) == ("entered", "L01", "released")
    (record,) = border.records().values()
    assert record.record_id == record_id(crossing, "person:ana")
    assert (record.entry.country, record.entry.office_code, record.entry.lane) == (
        "US",
        "2304",
        "L01",
    )
    assert (record.exit.country, record.exit.office_code) == ("MX", "240")
    assert record.entry.at_us == record.exit.at_us == at(30)
    assert (record.role, record.state, record.revision) == ("driver", "live", 1)
    assert border.unmatched() == {}


def test_the_notice_comes_at_the_queue_and_says_when_the_truck_will_be_at_the_booth() -> None:
    border = Border().feed(Desk().seen("k1.truck1", "L01-queue", 0))
    notice = border.notice()
    assert (notice.state, notice.position, notice.revision) == ("approaching", "queue", 1)
    assert notice.eta_us == at(60)
    assert notice.eta_p90_us is None
    assert notice.eligibility.lanes == ()
    assert notice.eligibility.reasons == ("no_policy",)
    assert {(link.role, link.id, link.basis) for link in notice.links} == {
        ("truck", "truck:1", "read"),
        ("driver", "person:ana", "declared"),
        ("trailer", "trailer:1", "declared"),
        ("trip", "ABCD0001", "declared"),
    }
    assert notice.provisional


def test_nothing_is_written_when_a_reader_of_the_notice_would_see_no_change() -> None:
    desk = Desk()
    seen = desk.seen("k1.truck1", "L01-queue", 0)
    border = Border().feed(seen)
    before = len(border.outputs)
    border.feed(desk.gone(seen, 4))
    assert len(border.outputs) == before


def test_a_refused_truck_gives_no_record() -> None:
    border = Border().feed(*refused())
    assert border.notice().state == "refused"
    assert border.records() == {}
    (ended,) = border.written("crossings")
    assert (ended.person, ended.how) == ("person:ana", "refused")


def test_a_later_refusal_retracts_the_record_under_the_same_id() -> None:
    border = Border().feed(*changed_mind())
    records = border.written("border-records")
    assert [record.state for record in records] == ["live", "retracted"]
    assert len({record.record_id for record in records}) == 1
    assert [record.revision for record in records] == [1, 2]


def test_an_unknown_card_and_a_declared_driver_who_was_not_heard_wait_unmatched() -> None:
    border = Border().feed(*unknown_card())
    assert border.records() == {}
    assert {(row.kind, row.subject) for row in border.unmatched().values()} == {
        ("unknown_card", "k1.nobody"),
        ("declared_not_seen", "person:ana"),
    }
    assert "unknown_card" in border.notice().flags


def test_an_unknown_card_that_is_enrolled_before_the_release_gets_its_record() -> None:
    border = Border().feed(*unknown_card()[:-1])
    border.change_row(card("k1.nobody", "person:eva"))
    border.feed(Desk("officer").decision("released", 30))
    (record,) = border.records().values()
    assert record.person == "person:eva"
    assert {row.kind for row in border.unmatched().values()} == {"declared_not_seen"}
    assert "driver_mismatch" in border.notice().flags


def test_a_truck_without_any_card_or_trip_enters_with_its_driver_unread() -> None:
    border = Border().feed(*driver_unread())
    assert {row.kind for row in border.unmatched().values()} == {"driver_unread"}
    (ended,) = border.written("crossings")
    assert (ended.person, ended.how) == (None, "entered")
    assert border.records() == {}
    assert "no_manifest" in border.notice().flags


def test_a_driver_heard_after_the_release_still_gets_the_record_of_that_moment() -> None:
    desk = Desk()
    border = Border().feed(
        *arrive(desk, 0, "L01", "k1.truck1"), Desk("officer").decision("released", 30)
    )
    assert {row.kind for row in border.unmatched().values()} == {"declared_not_seen"}
    border.feed(desk.seen("k1.ana", "L01-primary", 31))
    (record,) = border.records().values()
    assert record.entry.at_us == at(30)
    assert border.unmatched() == {}


def test_a_driver_heard_only_at_the_queue_gets_no_record() -> None:
    desk = Desk()
    border = Border().feed(
        desk.seen("k1.truck1", "L01-queue", 0),
        desk.seen("k1.ana", "L01-queue", 0.1),
        desk.seen("k1.truck1", "L01-primary", 20),
        Desk("officer").decision("released", 25),
    )
    assert border.records() == {}
    assert {row.kind for row in border.unmatched().values()} == {"declared_not_seen"}


def test_two_trucks_in_one_lane_stay_two_crossings() -> None:
    border = Border().feed(*two_trucks())
    assert len(border.last_notices()) == 2
    assert {(record.person, record.entry.at_us) for record in border.records().values()} == {
        ("person:ana", at(30)),
        ("person:ben", at(45)),
    }


def test_a_decision_before_its_sighting_waits_and_is_then_used() -> None:
    border = Border().feed(*decided_early())
    assert len(border.records()) == 1
    assert border.unmatched() == {}
    rows = [row for row in border.written("unmatched") if row.kind == "decision_without_crossing"]
    assert [row.closed_by is None for row in rows] == [True, False]


def test_after_seven_days_nothing_is_remembered_but_sequences_gateways_quarters_time_and_the_audit_trail() -> (
    None
):
    week = 7 * 86_400
    border = Border().feed(*plain(), Desk("officer-2").decision("released", 500, lane="L02"))
    border.feed(tick(700), tick(week - 1))
    assert len(border.state_of("lanes")) == 9
    border.feed(tick(week + 501))
    assert {key.partition(":")[0] for key, _ in border.state_of("lanes").items()} == {
        "clock",
        "gateway",
        "quarters",
        "sequence",
        "trail",
    }
    assert {row.kind for row in border.unmatched().values()} == {"decision_without_crossing"}


def test_only_the_entered_countrys_officer_decides() -> None:
    other = Desk("officer-mx").decision("released", 30, country="MX", authority="ANAM")
    border = Border().feed(*arrive(Desk()), other)
    assert border.notice().state == "at_primary"
    assert border.records() == {}


def test_a_truck_that_nobody_hears_of_any_more_is_lost_and_waits_unmatched() -> None:
    border = Border().feed(*given_up())
    assert border.notice().state == "lost"
    assert {row.kind for row in border.unmatched().values()} == {"crossing_without_end"}


def test_an_entered_truck_closes_after_ten_minutes_and_says_that_its_exit_was_not_read() -> None:
    border = Border().feed(*closed_later())
    assert border.notice().state == "closed"
    assert "exit_read_missing" in border.notice().flags
    assert len(border.written("border-records")) == 1


def test_an_early_tick_changes_nothing() -> None:
    border = Border().feed(*plain())
    before = len(border.outputs)
    assert len(border.feed(tick(40)).outputs) == before


def test_the_same_truck_is_a_new_crossing_once_ten_minutes_have_passed() -> None:
    desk, officer = Desk(), Desk("officer")
    border = Border(rows=(*ROWS, trip("ABCD0002", eta_us=at(2400))))
    border.feed(*arrive(desk), officer.decision("released", 30))
    border.feed(*arrive(desk, 2400), officer.decision("released", 2430))
    assert len(border.last_notices()) == 2
    assert len(border.records()) == 2


def test_a_manifest_that_comes_late_gives_a_new_revision_with_its_shipments() -> None:
    border = Border(rows=ROWS[:-1]).feed(*arrive(Desk()))
    assert "no_manifest" in border.notice().flags
    before = border.notice().revision
    border.change_row(trip(accepted_at_us=at(10)))
    after = border.notice()
    assert after.revision == before + 1
    assert "no_manifest" not in after.flags
    assert ("trip", "ABCD0001") in {(link.role, link.id) for link in after.links}


def test_a_manifest_accepted_after_the_end_does_not_rewrite_it() -> None:
    border = Border(rows=ROWS[:-1]).feed(*plain())
    before = len(border.outputs)
    border.change_row(trip(accepted_at_us=at(600)))
    assert len(border.outputs) == before


def test_a_glimpse_opens_no_crossing() -> None:
    desk = Desk()
    seen = desk.seen("k1.truck1", "L01-queue", 0)
    border = Border().feed(desk.gone(seen, 0.1, observed=False))
    assert border.written("arrivals") == []


def test_goods_with_a_public_code_are_no_cards() -> None:
    border = Border().feed(Desk().seen("k1.box", "L01-queue", 0, scheme="sgtin-96"))
    assert border.outputs == []


def test_a_gap_in_a_gateways_sequence_raises_one_alert_and_a_repeat_none() -> None:
    desk = Desk()
    first, second = desk.seen("k1.truck1", "L01-queue", 0), desk.seen("k1.ana", "L01-queue", 0.1)
    lost = desk.seen("k1.trailer1", "L01-queue", 0.2)
    fourth = desk.seen("k1.ben", "L01-queue", 0.3)
    border = Border().feed(first, second, second, fourth, fourth)
    (alert,) = border.written("alerts")
    assert (alert.kind, alert.subject) == ("sequence_gap", "gw1")
    assert "3 to 3" in alert.what_to_do
    before = len(border.written("arrivals"))
    border.feed(lost, lost)
    assert len(border.written("arrivals")) == before + 1
    assert len(border.written("alerts")) == 1


def test_an_id_without_a_sequence_is_not_used_and_raises_an_alert() -> None:
    event = msgspec.structs.replace(Desk().seen("k1.truck1", "L01-queue", 0), event_id="nonsense")
    border = Border().feed(event)
    assert [alert.kind for alert in border.written("alerts")] == ["bad_event_id"]
    assert border.written("arrivals") == []


@pytest.mark.parametrize(
    ("raw", "key", "reason"),
    [
        (b"\xc1", PAIR, "malformed"),
        (None, PAIR, "malformed"),
        (msgspec.msgpack.encode({"type": "nonsense"}), PAIR, "unknown_type"),
        (
            msgspec.msgpack.encode({"type": "tick", "v": 9, "partition": 1, "at_us": 1}),
            PAIR,
            "unsupported_version",
        ),
        (
            msgspec.msgpack.encode({"type": "tick", "partition": 1, "at_us": "x"}),
            PAIR,
            "wrong_type",
        ),
        (encode(Desk().seen("k1.truck1", "L01-queue", 0)), "another-key", "wrong_partition"),
    ],
)
def test_what_cannot_be_taken_is_rejected_whole_and_stops_nothing(
    raw: bytes | None, key: str, reason: str
) -> None:
    border = Border().feed_raw(raw, key).feed(*plain())
    (rejected,) = border.written("rejected")
    assert (rejected.reason, rejected.raw, rejected.offset) == (reason, raw, 0)
    assert len(border.records()) == 1


def test_a_truck_covered_in_tags_keeps_its_row_bounded() -> None:
    desk = Desk()
    border = Border().feed(*[desk.seen(f"k1.x{n}", "L01-queue", n * 0.001) for n in range(150)])
    cards = [link for link in border.notice().links if link.basis == "read"]
    assert len(cards) == 100
    assert "too_many_cards" in border.notice().flags


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_every_record_doubled_gives_the_same_outputs(story: Story) -> None:
    once = Border().feed(*story())
    twice = Border().feed(*[message for message in story() for _ in (1, 2)])
    assert twice.outputs == once.outputs
    assert twice.digests() == once.digests()


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_a_state_restored_before_every_record_gives_the_same_bytes(story: Story) -> None:
    once = Border().feed(*story())
    killed = Border(killed_everywhere=True).feed(*story())
    assert [(topic, encode(message)) for topic, message in killed.outputs] == [
        (topic, encode(message)) for topic, message in once.outputs
    ]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_taking_over_says_nothing_new(story: Story) -> None:
    border = Border().feed(*story())
    before = list(border.outputs)
    assert border.take_over().outputs == before


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_entries_equal_exits_and_a_person_enters_once_in_a_crossing(story: Story) -> None:
    border = Border().feed(*story())
    live = [record for record in border.records().values() if record.state != "retracted"]
    assert all(record.entry.at_us == record.exit.at_us for record in live)
    assert len({(record.crossing_id, record.person) for record in live}) == len(live)
