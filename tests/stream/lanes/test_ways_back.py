"""Vehicles that turn round, come back, are merged or told apart."""

import msgspec

from schemas.message import Message
from schemas.reference import Site, TripUsed
from tests.stream.border import PAIR, ROWS, Border, Desk, at, tick, trip
from tests.stream.lanes.test_step import arrive

HOUR = 3_600


def back(desk: Desk, when: float, card: str = "k1.truck1") -> Message:
    return desk.seen(card, "L09-exit", when, direction="US>MX")


def queue_only(desk: Desk) -> list[Message]:
    seen = [
        desk.seen(token, "L01-queue", n * 0.1) for n, token in enumerate(("k1.truck1", "k1.ana"))
    ]
    return [*seen, *(desk.gone(one, 3) for one in seen)]


def test_a_truck_heard_in_the_other_direction_before_any_decision_has_turned_round() -> None:
    desk = Desk()
    border = Border().feed(*queue_only(desk), back(desk, 300))
    notice = border.notice()
    assert (notice.state, "return_leg" in notice.flags) == ("u_turn", True)
    assert border.records() == {}
    assert [one.how for one in border.written("crossings")] == ["u_turn"]


def test_a_lane_of_the_other_direction_that_merely_hears_it_too_is_no_u_turn() -> None:
    desk = Desk()
    border = Border().feed(desk.seen("k1.truck1", "L01-queue", 0), back(desk, 1))
    assert {one.state for one in border.last_notices().values()} == {"approaching"}


def test_an_earlier_position_after_a_later_one_is_a_u_turn_and_a_later_release_outranks_it() -> (
    None
):
    desk = Desk()
    booth = desk.seen("k1.truck1", "L01-primary", 20)
    border = Border().feed(booth, desk.gone(booth, 25), desk.seen("k1.truck1", "L01-queue", 200))
    assert border.notice().state == "u_turn"
    border.feed(Desk("officer").decision("released", 24))
    assert border.notice().state == "entered"


def test_a_tag_that_moved_against_the_lane_is_a_u_turn() -> None:
    desk = Desk()
    seen = desk.seen("k1.truck1", "L01-queue", 0)
    gone = msgspec.structs.replace(desk.gone(seen, 5), travel="reverse")
    assert Border().feed(seen, gone).notice().state == "u_turn"


def test_mere_absence_is_lost_and_a_late_sighting_revives_it() -> None:
    desk = Desk()
    border = Border().feed(*queue_only(desk), tick(2 * HOUR + 60))
    assert border.notice().state == "lost"
    border.feed(desk.seen("k1.truck1", "L01-primary", 1.9 * HOUR))
    assert border.notice().state == "at_primary"
    assert border.unmatched() == {}


def test_the_way_back_after_a_refusal_joins_for_six_hours_and_gives_no_record() -> None:
    desk = Desk()
    refused = Border().feed(*arrive(desk), Desk("officer").decision("refused", 30))
    refused.feed(back(desk, 5 * HOUR))
    released_there = Desk("other").decision("released", 5 * HOUR, "L09", country="MX")
    refused.feed(released_there, back(desk, 5 * HOUR + 1, "k1.ana"))
    assert refused.notice().state == "refused"
    assert "return_leg" in refused.notice().flags
    assert refused.records() == {}
    assert len(refused.feed(back(desk, 12 * HOUR)).last_notices()) == 2


def test_after_an_entry_the_other_direction_is_a_new_crossing() -> None:
    desk = Desk()
    border = Border().feed(*arrive(desk), Desk("officer").decision("released", 30))
    border.feed(back(desk, 2_400))
    assert {(one.direction, one.state) for one in border.last_notices().values()} == {
        ("MX>US", "entered"),
        ("US>MX", "at_primary"),
    }


def test_a_trip_used_at_another_pair_diverts_the_crossing_without_a_record() -> None:
    border = Border().feed(*queue_only(Desk()))
    here = border.notice().crossing_id
    use = TripUsed(crossing_id="elsewhere", pair="otm-otm", how="used", at_us=at(1_800))
    border.change_row(trip(status="used", used_by="elsewhere", uses=(use,)))
    assert border.notice().state == "diverted"
    (said,) = border.written("trip-filings")
    assert (said.crossing_id, said.how, said.trip_number) == (here, "diverted", "ABCD0001")
    assert border.records() == {}


def test_a_crossing_that_goes_on_from_another_pair_says_which_one_it_continues() -> None:
    border = Border().feed(*arrive(Desk()))
    use = TripUsed(crossing_id="elsewhere", pair="otm-otm", how="diverted", at_us=at(-600))
    border.change_row(trip(uses=(use,)))
    assert border.notice().continues == "elsewhere"


def test_an_entry_uses_its_trip_and_a_refusal_after_it_releases_it() -> None:
    officer = Desk("officer")
    border = Border().feed(*arrive(Desk()), officer.decision("released", 30))
    border.feed(officer.decision("refused", 33))
    said = [(one.how, one.revision) for one in border.written("trip-filings")]
    assert said == [("used", 1), ("released", 2)]


def test_two_crossings_that_a_manifest_proves_to_be_one_vehicle_merge_into_the_one_opened_first() -> (
    None
):
    desk = Desk()
    border = Border(rows=ROWS[:-1])
    border.feed(desk.seen("k1.truck1", "L01-queue", 0), desk.seen("k1.ana", "L02-queue", 60))
    first, second = border.last_notices()
    border.change_row(trip())
    notices = border.last_notices()
    assert notices[second].state == "merged"
    assert notices[second].merged_into == first
    assert {link.id for link in notices[first].links if link.basis == "read"} == {
        "truck:1",
        "person:ana",
    }


def test_two_vehicles_told_apart_by_an_end_of_a_stay_that_comes_late_are_split() -> None:
    desk = Desk()
    rows = tuple(row for row in ROWS if row != trip())
    booth = desk.seen("k1.truck1", "L01-primary", 0)
    border = Border(rows=rows).feed(booth, desk.seen("k1.ben", "L01-primary", 60))
    assert len(border.last_notices()) == 1
    border.feed(desk.gone(booth, 10))
    first, second = border.last_notices().values()
    assert second.split_from == first.crossing_id
    assert {link.id for link in second.links if link.basis == "read"} == {"person:ben"}


def test_a_sighting_older_than_the_horizon_opens_nothing_and_waits_unmatched() -> None:
    border = Border().feed(tick(8 * 86_400), Desk().seen("k1.truck1", "L01-queue", 0))
    assert border.written("arrivals") == []
    assert {row.kind for row in border.unmatched().values()} == {"too_late"}


def test_events_that_come_hours_late_end_in_the_record_that_they_tell() -> None:
    border = Border().feed(
        tick(5 * HOUR), *arrive(Desk()), Desk("officer").decision("released", 30)
    )
    border.feed(tick(5 * HOUR + 10))
    assert border.notice().state == "closed"
    assert len(border.records()) == 1


def test_every_sighting_of_a_card_is_told_to_the_watch_stage_under_its_credential() -> None:
    desk = Desk()
    seen = desk.seen("k1.ana", "L01-queue", 0)
    border = Border().feed(seen, desk.gone(seen, 30))
    told = border.written("credential-sightings")
    assert [(one.credential_id, one.last_us) for one in told] == [
        ("cr-k1.ana", at(0.2)),
        ("cr-k1.ana", at(30)),
    ]
    assert {one.crossing_id for one in told} == {border.notice().crossing_id}


def test_a_site_row_alone_changes_nothing() -> None:
    site = next(row for row in ROWS if isinstance(row, Site))
    border = Border().feed(*arrive(Desk()))
    before = len(border.outputs)
    assert len(border.change_row(site).outputs) == before
    assert site.pair == PAIR
