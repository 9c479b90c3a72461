"""What countries are told of records: the two of the pair, when it changes, once."""

from typing import Any

from msgspec.structs import replace

from schemas.alert import Alert
from schemas.exchange import ExchangeRecord, ExchangeRetraction
from schemas.gate import Tick
from schemas.ids import record_id
from schemas.message import Message
from schemas.reference import Party
from stream.ledger.rows import HORIZON_US, ExchangeRow
from stream.stage import Output
from tests.stream.ledger.telling import AT, MARK, Border, ended, on_exchange, person, site

ANA = record_id(f"crossing-{MARK}-1", f"person:{MARK}-ana")
BEN = record_id(f"crossing-{MARK}-1", f"person:{MARK}-ben")


def told(outputs: list[Output]) -> list[tuple[str, int, Any]]:
    """Country, revision and sealed elements of what was said; for a retraction its reason."""

    def what(message: Message) -> Any:
        if isinstance(message, ExchangeRetraction):
            return message.reason
        assert isinstance(message, ExchangeRecord)
        return message.s92

    return [(to, one.revision, what(one)) for to, one in on_exchange(outputs)]  # type: ignore[attr-defined]


def test_a_record_goes_to_the_two_countries_of_its_pair_with_both_local_times() -> None:
    border = Border()
    first, second = on_exchange(border.give(person(), ended(pair="hou-woo", north=False)))
    assert (first[0], second[0]) == ("CA", "US")
    assert first[1] == second[1]
    assert isinstance(first[1], ExchangeRecord)
    left, arrived = first[1].departure, first[1].arrival
    assert (left.country, left.office_code, left.office_name) == ("US", "0106", "Houlton")
    assert (arrived.country, arrived.office_code) == ("CA", None)
    assert arrived.office_name == "Woodstock Road"
    assert left.at_us == arrived.at_us == AT
    assert left.local == "2026-03-02T09:00:00.000000-05:00"
    assert arrived.local == "2026-03-02T10:00:00.000000-04:00"
    assert (first[1].provisional, first[1].key_id, first[1].s92) == (False, "seal-1", b"sealed-1")


def test_who_is_not_known_yet_is_told_provisionally_and_a_higher_revision_brings_the_rest() -> None:
    border = Border()
    (first, _) = on_exchange(border.give(ended()))
    assert isinstance(first[1], ExchangeRecord)
    assert (first[1].provisional, first[1].s92, first[1].key_id) == (True, None, None)
    assert told(border.give(person())) == [("MX", 2, b"sealed-1"), ("US", 2, b"sealed-1")]
    assert told(border.give(person())) == []
    assert told(border.give(person(rest=b"other"))) == []
    assert told(border.give(person(s92=b"new"))) == [("MX", 3, b"new"), ("US", 3, b"new")]


def test_a_sealed_field_without_the_name_of_its_key_is_not_sent() -> None:
    border = Border()
    (first, _) = on_exchange(border.give(person(key_id=None), ended()))
    assert isinstance(first[1], ExchangeRecord)
    assert (first[1].provisional, first[1].s92) == (True, None)


def test_a_revision_that_changes_nothing_that_countries_are_told_says_nothing() -> None:
    border = Border()
    border.give(person(), ended())
    changed = ended(revision=2)
    lane = replace(changed, entered=replace(changed.entered, lane="L02"))
    assert [one.topic for one in border.give(lane)] == ["border-records"]
    assert told(border.give(ended(revision=3, at_us=AT + 1))) == [
        ("MX", 2, b"sealed-1"),
        ("US", 2, b"sealed-1"),
    ]


def test_a_change_of_person_takes_one_back_and_tells_the_other_and_neither_names_both() -> None:
    border = Border()
    border.give(person("ana", b"ana"), person("ben", b"ben"), ended())
    back = border.give(ended(revision=2, how="withdrawn"))
    new = border.give(ended("ben"))
    for _, message in on_exchange(back):
        assert message == ExchangeRetraction(record_id=ANA, revision=2, reason="no_entry")
    assert told(new) == [("MX", 1, b"ben"), ("US", 1, b"ben")]
    assert {one.record_id for _, one in on_exchange(new)} == {BEN}  # type: ignore[attr-defined]
    assert told(border.give(ended(revision=3))) == [("MX", 3, b"ana"), ("US", 3, b"ana")]


def test_taken_back_is_said_once_and_new_rows_of_the_person_say_nothing_more() -> None:
    border = Border()
    border.give(person(), ended())
    assert len(told(border.give(ended(revision=2, how="refused")))) == 2
    assert told(border.give(ended(revision=3, how="turned_back"))) == []
    assert told(border.give(person(s92=b"new"))) == []
    assert told(border.restart()) == []


def test_nobody_is_told_of_a_crossing_that_never_was_an_entry() -> None:
    border = Border()
    assert told(border.give(person(), ended(how="refused"), ended("ben", how="lost"))) == []


def test_a_deleted_person_takes_nothing_back() -> None:
    border = Border()
    border.give(person(), ended())
    assert told(border.delete(f"person:{MARK}-ana")) == []
    assert told(border.restart()) == []
    assert told(border.give(ended(revision=2, at_us=AT + 1))) == [("MX", 2, None), ("US", 2, None)]


def test_another_kind_of_party_under_the_id_says_nothing() -> None:
    border = Border()
    border.give(person(), ended())
    border.reference.fold("parties", f"person:{MARK}-ana", Party(id="x", name="y"))
    assert told(border.restart()) == []


def test_a_site_that_comes_later_corrects_the_local_times() -> None:
    border = Border()
    border.give(person(), ended())
    zones = {"US": "America/Denver", "MX": "America/Monterrey"}
    (first, _) = on_exchange(border.give(site(**zones)))
    assert isinstance(first[1], ExchangeRecord)
    assert first[1].arrival.local == "2026-03-02T07:00:00.000000-07:00"
    assert told(border.give(site(**zones), site("hou-woo"))) == []


def test_a_zone_that_nobody_knows_leaves_the_port_tables() -> None:
    border = Border()
    (first, _) = on_exchange(border.give(site(US="Mars/Olympus"), person(), ended()))
    assert isinstance(first[1], ExchangeRecord)
    assert first[1].arrival.local == "2026-03-02T08:00:00.000000-06:00"
    assert first[1].departure.local == "2026-03-02T14:00:00.000000+00:00"


def test_a_restart_says_what_changed_meanwhile_and_else_nothing() -> None:
    border = Border()
    border.give(person(), ended(), ended("ben"))
    assert told(border.restart()) == []
    assert told(border.restart(person("ben", b"ben"))) == [("MX", 2, b"ben"), ("US", 2, b"ben")]
    assert told(border.restart()) == []


def test_countries_that_are_not_those_of_the_pair_are_told_nothing_and_staff_are() -> None:
    border = Border()
    wrong = replace(ended(pair="hou-woo"), pair="lar-wtb")
    outputs = border.give(person(), wrong)
    assert [one.topic for one in outputs] == ["border-records", "alerts"]
    (alert,) = [one.message for one in outputs if isinstance(one.message, Alert)]
    assert (alert.kind, alert.subject) == ("exchange_withheld", "lar-wtb")
    assert "person" not in str(alert)


def test_a_site_that_is_set_right_tells_who_had_to_be_told_and_takes_back_where_it_was_wrong() -> (
    None
):
    border = Border()
    right = site(US="America/Chicago", MX="America/Matamoros")
    wrong = replace(right, offices=site("hou-woo", US="America/Chicago").offices)
    border.give(wrong, person())
    assert told(border.give(ended())) == []
    assert told(border.give(right)) == [("MX", 1, b"sealed-1"), ("US", 1, b"sealed-1")]
    assert told(border.give(wrong)) == [
        ("MX", 2, "record_in_error"),
        ("US", 2, "record_in_error"),
    ]
    assert told(border.give(right)) == [("MX", 3, b"sealed-1"), ("US", 3, b"sealed-1")]


def test_a_record_that_moves_to_another_country_is_taken_back_where_it_was_told() -> None:
    border = Border()
    first = replace(ended(pair="hou-woo"), pair="xxx-yyy")
    border.give(person(), first)
    moved = replace(ended(revision=2), pair="xxx-yyy")
    assert told(border.give(moved)) == [
        ("CA", 2, "record_in_error"),
        ("MX", 2, b"sealed-1"),
        ("US", 2, b"sealed-1"),
    ]


def test_past_the_horizon_a_new_row_of_the_person_says_nothing_and_no_row_is_left() -> None:
    border = Border()
    border.give(person(), ended())
    border.give(Tick(partition=0, at_us=AT + HORIZON_US + 3_600_000_000))
    assert told(border.give(person(s92=b"new"))) == []
    assert [row for _, row in border.state.items() if isinstance(row, ExchangeRow)] == []
