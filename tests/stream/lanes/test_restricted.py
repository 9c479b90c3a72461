"""Watch lists: who is told of a hit, and that nobody else can tell that there was one."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.message import Message
from schemas.restricted import Listing, RestrictedReferral, WatchListEntry
from schemas.wire import encode
from stream.reference import Reference
from tests.stream.border import Border, Desk, at, card, tick, trip
from tests.stream.lanes.test_convergence import BORDER_ROWS, orders
from tests.stream.lanes.test_step import arrive, plain

ANA = "cr-k1.ana"


def listing(**changes: Any) -> Listing:
    usual = Listing(
        list_id="tco-us",
        version=7,
        entry_id="e42",
        owner="US",
        effective_from_us=0,
        accepted_at_us=0,
        reason="call the desk",
    )
    return msgspec.structs.replace(usual, **changes)


def listed(credential_id: str = ANA, **changes: Any) -> WatchListEntry:
    return WatchListEntry(credential_id=credential_id, listings=(listing(**changes),))


def referrals(border: Border) -> list[RestrictedReferral]:
    return border.written("referrals-restricted")


def hits(border: Border) -> list[tuple[str, str, bool]]:
    """Of the last referral."""
    return [(hit.credential_id, hit.basis, hit.late) for hit in referrals(border)[-1].hits]


def test_a_card_on_a_list_makes_a_referral_with_list_version_and_entry() -> None:
    border = Border().change_row(listed()).feed(*plain())
    first, last = referrals(border)
    assert [hit.basis for hit in first.hits] == ["declared"], "the truck's trip names the driver"
    (hit,) = last.hits
    assert (hit.credential_id, hit.list_id, hit.version, hit.entry_id) == (ANA, "tco-us", 7, "e42")
    assert (hit.owner, hit.basis, hit.late) == ("US", "read", False)
    assert (last.revision, last.cleared) == (2, False)
    assert last.crossing_id == border.notice().crossing_id


def test_without_a_listed_card_nothing_is_written() -> None:
    border = Border().change_row(listed("cr-other")).feed(*plain())
    assert referrals(border) == []


def test_an_entry_that_comes_while_the_truck_waits_refers_it_then() -> None:
    border = Border().feed(*arrive(Desk()))
    assert referrals(border) == []
    assert hits(border.change_row(listed())) == [(ANA, "read", False)]


def test_an_entry_that_is_taken_off_the_topic_clears_the_referral() -> None:
    border = Border().change_row(listed()).feed(*arrive(Desk())).delete_row("watch-lists", ANA)
    last = referrals(border)[-1]
    assert (last.revision, last.cleared, last.hits) == (3, True, ())


def test_a_listing_that_was_never_right_is_withdrawn_by_its_end() -> None:
    border = Border().change_row(listed()).feed(*plain(), tick(100), tick(800))
    border.change_row(listed(effective_to_us=0))
    assert referrals(border)[-1].cleared
    border.change_row(listed())
    assert [one.revision for one in referrals(border)] == [1, 2, 3, 4]


def test_a_listing_counts_as_of_primary() -> None:
    over = Border().change_row(listed(effective_to_us=at(20))).feed(*plain())
    assert [one.cleared for one in referrals(over)] in ([], [False, True])
    early = Border().change_row(listed(effective_from_us=at(21))).feed(*plain())
    assert not referrals(early) or referrals(early)[-1].cleared


def test_a_listing_accepted_after_the_end_is_late() -> None:
    border = Border().feed(*plain()).change_row(listed(accepted_at_us=at(4_000)))
    assert hits(border) == [(ANA, "read", True)]


def test_a_driver_whom_a_trip_declares_and_nobody_heard_counts() -> None:
    border = Border().change_row(listed()).feed(*arrive(Desk(), 0, "L01", "k1.truck1"))
    assert hits(border) == [(ANA, "declared", False)]


def test_a_person_whom_an_officer_keyed_counts() -> None:
    ben = listed("cr-k1.ben")
    border = Border().feed(*arrive(Desk()), Desk("officer").keyed("person:ben", 25))
    assert hits(border.change_row(ben)) == [("cr-k1.ben", "keyed", False)]


def test_a_card_that_nobody_knows_is_found_by_its_token() -> None:
    border = Border().change_row(listed("k1.nobody"))
    border.feed(*arrive(Desk(), 0, "L01", "k1.truck1", "k1.nobody"))
    assert hits(border) == [("k1.nobody", "read", False)]


def test_an_amendment_that_takes_the_listed_driver_out_clears_the_referral() -> None:
    border = Border().change_row(listed()).feed(*arrive(Desk(), 0, "L01", "k1.truck1"))
    border.change_row(trip(drivers=("person:ben",)))
    assert referrals(border)[-1].cleared


def test_another_token_of_a_listed_card_counts() -> None:
    second = msgspec.structs.replace(card("k2.ana", "person:ana"), credential_id=ANA)
    border = Border().change_row(listed()).change_row(second)
    border.feed(*arrive(Desk(), 0, "L01", "k1.truck2", "k2.ana"))
    assert hits(border) == [(ANA, "read", False)]


def test_a_new_card_of_a_declared_driver_that_is_listed_counts() -> None:
    border = Border().change_row(listed("cr-k9.ana")).feed(*arrive(Desk(), 0, "L01", "k1.truck1"))
    assert referrals(border) == []
    border.change_row(card("k9.ana", "person:ana"))
    assert hits(border) == [("cr-k9.ana", "declared", False)]
    border.delete_row("credentials", "k9.ana")
    assert referrals(border)[-1].cleared


def test_a_declared_drivers_card_that_turns_out_to_be_anothers_clears_the_referral() -> None:
    border = Border().change_row(listed()).feed(*arrive(Desk(), 0, "L01", "k1.truck1"))
    assert hits(border) == [(ANA, "declared", False)]
    border.change_row(card("k1.ana", "person:eva"))
    assert referrals(border)[-1].cleared


def test_the_tokens_of_a_card_are_known_whenever_they_are_asked_for_first() -> None:
    for ask_early in (True, False):
        reference = Reference()
        if ask_early:
            assert reference.tokens_of("c1") == []
        for token, name in (("k2", "c1"), ("k1", "c1"), ("k3", "c2"), ("k3", "c1"), ("k1", "c9")):
            row = msgspec.structs.replace(card(token, "person:ana"), credential_id=name)
            reference.fold("credentials", token, row)
        reference.fold("credentials", "k2", None)
        assert reference.tokens_of("c1") == ["k3"]
        assert reference.tokens_of("c9") == ["k1"]
        assert reference.tokens_of("c2") == []


def test_what_was_told_is_forgotten_with_the_crossing() -> None:
    week = 7 * 86_400
    border = Border().change_row(listed()).feed(*plain(), tick(700), tick(week - 1))
    assert any(key.startswith("watched:") for key, _ in border.state_of("lanes").items())
    border.feed(tick(week + 60))
    assert not any(key.startswith("watched:") for key, _ in border.state_of("lanes").items())


def test_a_restart_says_nothing_again_and_remembers_what_was_said() -> None:
    story = [*arrive(Desk()), Desk("officer").decision("released", 30)]
    border = Border(killed_everywhere=True).change_row(listed()).feed(*story)
    assert referrals(border) == referrals(Border().change_row(listed()).feed(*story))
    assert len(referrals(border.take_over())) == 2


CARDS = ("cr-k1.t1", "cr-k1.d1", "cr-k1.d2", "cr-k1.r3", "k1.nobody", "cr-elsewhere")
Change = tuple[str, WatchListEntry | None]


@st.composite
def entries(draw: st.DrawFn) -> Change:
    """A row of a list, or the end of one."""
    name = draw(st.sampled_from(CARDS))
    if draw(st.integers(0, 3)) == 0:
        return name, None
    moments = st.sampled_from([0, at(10), at(21), at(5_000)])
    until = draw(st.none() | moments)
    found = listed(
        name, effective_from_us=draw(moments), accepted_at_us=draw(moments), effective_to_us=until
    )
    return name, found


def told_others(border: Border) -> list[tuple[str, bytes]]:
    return [
        (topic, encode(message))
        for topic, message in border.outputs
        if topic != "referrals-restricted"
    ]


def rows_of_others(border: Border) -> dict[str, msgspec.Struct]:
    rows = border.state_of("lanes").items()
    return {key: row for key, row in rows if not key.startswith("watched:")}


def run(events: list[Message], changes: dict[int, list[Change]]) -> Border:
    border = Border(rows=BORDER_ROWS)
    for number, event in enumerate(events):
        for name, row in changes.get(number, ()):
            if row is None:
                border.delete_row("watch-lists", name)
            else:
                border.change_row(row)
        border.feed(event)
    return border


@st.composite
def stories(draw: st.DrawFn) -> tuple[list[Message], dict[int, list[Change]]]:
    _, events = draw(orders())
    moments = st.integers(0, max(len(events) - 1, 0))
    rows = draw(st.lists(st.tuples(moments, entries()), min_size=1, max_size=6))
    changes: dict[int, list[Change]] = {}
    for moment, change in rows:
        changes.setdefault(moment, []).append(change)
    return events, changes


@pytest.mark.timeout(600)
@settings(max_examples=500, deadline=None)
@given(stories())
def test_nobody_else_can_tell_whether_there_are_watch_lists(
    story: tuple[list[Message], dict[int, list[Change]]],
) -> None:
    events, changes = story
    without, given_lists = (
        run(events, rows).feed(tick(20_000)).take_over() for rows in ({}, changes)
    )
    assert told_others(given_lists) == told_others(without)
    assert rows_of_others(given_lists) == rows_of_others(without)


def last_hits(border: Border) -> dict[str, Any]:
    last = {one.crossing_id: one.hits for one in referrals(border)}
    return {name: found for name, found in last.items() if found}


@pytest.mark.timeout(600)
@settings(max_examples=150, deadline=None)
@given(stories())
def test_whenever_entries_come_the_referrals_end_the_same(
    story: tuple[list[Message], dict[int, list[Change]]],
) -> None:
    events, changes = story
    in_order = [change for number in sorted(changes) for change in changes[number]]
    assert last_hits(run(events, changes)) == last_hits(run(events, {0: in_order}))
