"""What officers key and set right, told as stories."""

import msgspec

from schemas.ids import record_id
from schemas.message import Message
from tests.stream.border import ROWS, Border, Desk, at, card, trip
from tests.stream.lanes.test_step import arrive, plain


def in_force(border: Border) -> set[tuple[str, int]]:
    return {
        (one.person, one.entry.at_us)
        for one in border.records().values()
        if one.state != "retracted"
    }


def truck_alone() -> list[Message]:
    return arrive(Desk(), 0, "L01", "k1.truck1")


def test_a_driver_whom_the_officer_keys_at_the_booth_gets_the_record() -> None:
    officer = Desk("officer")
    border = Border().feed(*truck_alone(), officer.keyed("person:ana", 25))
    link = next(one for one in border.notice().links if one.role == "driver")
    assert (link.id, link.basis, link.credential_id) == ("person:ana", "read", None)
    assert link.keyed_by == "officer.e1.1"
    border.feed(officer.decision("released", 30))
    assert in_force(border) == {("person:ana", at(30))}
    assert border.unmatched() == {}


def test_a_driver_keyed_before_the_truck_is_heard_waits_and_then_counts() -> None:
    officer = Desk("officer")
    border = Border().feed(officer.keyed("person:eva", 25), *truck_alone())
    border.feed(officer.decision("released", 30))
    assert ("person:eva", at(30)) in in_force(border)
    assert {row.kind for row in border.unmatched().values()} == {"declared_not_seen"}


def test_what_the_other_sides_officer_keys_makes_no_record() -> None:
    officer = Desk("officer")
    other = Desk("other").keyed("person:eva", 25, country="MX", authority="ANAM")
    border = Border().feed(*truck_alone(), other, officer.decision("released", 30))
    assert in_force(border) == set()


def test_a_keyed_trip_is_the_trip_of_the_crossing() -> None:
    border = Border(rows=(*ROWS, trip("ABCD0002", drivers=(), truck=None, trailers=())))
    border.feed(*truck_alone(), Desk("officer").keyed("ABCD0002", 25))
    assert ("trip", "ABCD0002") in {(link.role, link.id) for link in border.notice().links}


def test_a_change_of_person_withdraws_one_record_and_makes_the_other_in_one_step() -> None:
    border = Border().feed(*plain())
    crossing = border.notice().crossing_id
    before = len(border.written("crossings"))
    border.feed(
        Desk("chief").correction(crossing, "person", "person:ana", 90, to_person="person:eva")
    )
    ended = border.written("crossings")[before:]
    assert [(one.person, one.how) for one in ended] == [
        ("person:ana", "withdrawn"),
        ("person:eva", "entered"),
    ]
    assert len({one.revision for one in ended}) == 1
    assert in_force(border) == {("person:eva", at(30))}
    assert border.records()[record_id(crossing, "person:ana")].state == "retracted"


def test_a_correction_of_the_moment_keeps_the_record_and_raises_its_revision() -> None:
    border = Border().feed(*plain())
    crossing = border.notice().crossing_id
    border.feed(Desk("chief").correction(crossing, "moment", "person:ana", 90, to_at_us=at(28)))
    (record,) = border.records().values()
    assert (record.state, record.revision, record.entry.at_us) == ("corrected", 2, at(28))


def test_a_retraction_takes_the_record_back_and_a_doubled_one_changes_nothing() -> None:
    border = Border().feed(*plain())
    taken = Desk("chief").correction(border.notice().crossing_id, "retract", "person:ana", 90)
    border.feed(taken)
    assert in_force(border) == set()
    before = len(border.outputs)
    assert len(border.feed(taken).outputs) == before


def test_a_correction_by_the_other_country_changes_nothing() -> None:
    border = Border().feed(*plain())
    taken = Desk("chief").correction(
        border.notice().crossing_id, "retract", "person:ana", 90, country="MX"
    )
    border.feed(taken)
    assert in_force(border) == {("person:ana", at(30))}


def test_a_correction_of_a_crossing_that_nobody_knows_waits_unmatched() -> None:
    border = Border().feed(Desk("chief").correction("nonsense", "retract", "person:ana", 90))
    assert {row.kind for row in border.unmatched().values()} == {"correction_without_crossing"}


def test_the_entered_countrys_word_wins_and_the_other_sides_release_is_an_export_clearance() -> (
    None
):
    other = Desk("other").decision("released", 24, country="MX", authority="ANAM")
    border = Border().feed(*arrive(Desk()), other, Desk("officer").decision("refused", 30))
    assert border.notice().state == "refused"
    assert "export_cleared" in border.notice().flags
    assert in_force(border) == set()


def test_a_decision_about_one_person_does_not_decide_for_the_vehicle() -> None:
    officer = Desk("officer")
    border = Border().feed(*arrive(Desk(), 0, "L01", "k1.truck1", "k1.ana", "k1.ben"))
    border.feed(
        officer.decision("released", 30),
        officer.decision("refused", 32, subjects="persons", persons=("person:ben",)),
    )
    assert border.notice().state == "entered"
    assert in_force(border) == {("person:ana", at(30))}


def test_an_undeclared_card_heard_only_beside_the_trucks_lane_raises_an_alert_and_makes_no_record() -> (
    None
):
    desk = Desk()
    border = Border().feed(
        *[desk.seen(f"k1.{name}", "L01-queue", 0) for name in ("truck1", "ana", "ben")],
        desk.seen("k1.truck1", "L01-primary", 20),
        desk.seen("k1.ana", "L01-primary", 20.1),
        desk.seen("k1.ben", "L02-primary", 20.2),
        Desk("officer").decision("released", 30),
    )
    assert in_force(border) == {("person:ana", at(30))}
    assert [(one.kind, one.subject) for one in border.written("alerts")] == [
        ("undeclared_card", "cr-k1.ben")
    ]


def test_a_driver_that_is_a_truck_gets_no_record_and_stops_nothing() -> None:
    odd = msgspec.structs.replace(card("k1.odd", "truck:9"), kind="driver_card")
    border = Border(rows=(*ROWS, odd)).feed(
        *arrive(Desk(), 0, "L01", "k1.odd"), Desk("officer").decision("released", 30)
    )
    assert in_force(border) == set()
    assert "card_holder_no_person" in border.notice().flags


def test_a_decision_about_the_cargo_ends_nothing() -> None:
    border = Border().feed(
        *arrive(Desk()), Desk("officer").decision("refused", 30, subjects="cargo")
    )
    assert border.notice().state == "at_primary"


def test_a_person_whom_the_decision_names_gets_a_record_unheard() -> None:
    named = Desk("officer").decision("released", 30, subjects="all", persons=("person:ana",))
    border = Border().feed(*truck_alone(), named)
    assert in_force(border) == {("person:ana", at(30))}
