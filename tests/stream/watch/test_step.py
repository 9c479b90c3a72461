"""What the watch stage says of a card, story by story."""

from typing import Any

import pytest
from msgspec.structs import replace

from schemas.policy import WatchLimits
from stream.table import port_table
from stream.watch.stays import MAX_STAYS
from tests.stream.border import at, card
from tests.stream.watch.sightings import (
    CARD,
    DAY,
    DETROIT,
    HOUR,
    LAREDO,
    ROWS,
    SITES,
    Post,
    heard,
    place,
    status,
)

NORTH = "det-amb"


def test_a_card_at_two_ports_within_minutes_is_flagged_once_and_told_at_both() -> None:
    first, second = heard(0, 30), heard(600, pair=NORTH)
    post = Post().take(first, second)
    flag = post.flag()
    assert flag is not None
    (proof,) = flag.proofs
    assert proof.kind == "impossible_travel"
    assert proof.evidence == (first.source_event_id, second.source_event_id)
    assert (proof.pairs, proof.at_us) == (("lar-wtb", NORTH), at(600))
    assert flag.tokens == ("k1.ana",)
    assert sorted(post.alerts()) == [("impossible_travel", NORTH), ("impossible_travel", "lar-wtb")]
    post.take(heard(900, pair=NORTH, lane="L02"), heard(1200))
    assert len(post.written("credential-flags")) == 1
    assert len(post.alerts()) == 2


def test_a_sighting_that_comes_late_is_compared_with_both_neighbours() -> None:
    between = heard(5 * HOUR, pair=NORTH)
    assert Post().take(heard(0), heard(10 * HOUR), between).kinds() == []
    before = heard(1, pair=NORTH)
    after = heard(10 * HOUR - 1, pair=NORTH)
    assert Post().take(heard(0), heard(10 * HOUR), before).kinds() == ["impossible_travel"]
    assert Post().take(heard(0), heard(10 * HOUR), after).kinds() == ["impossible_travel"]


def test_a_long_stay_is_compared_also_when_a_shorter_one_began_after_it() -> None:
    post = Post().take(heard(0, 10 * HOUR), heard(HOUR, lane="L02"), heard(5 * HOUR, pair=NORTH))
    assert post.kinds() == ["impossible_travel"]


def test_a_way_that_was_possible_once_is_looked_at_again_the_next_time() -> None:
    post = Post().take(heard(0), heard(15 * HOUR, pair=NORTH), heard(30 * HOUR))
    assert post.kinds() == []
    assert post.take(heard(30 * HOUR + 600, pair=NORTH)).kinds() == ["impossible_travel"]


def test_a_clock_that_is_untrusted_at_the_end_of_a_stay_takes_its_beginning_back() -> None:
    post = Post().take(heard(0), heard(600, pair=NORTH))
    assert post.kinds() == ["impossible_travel"]
    assert post.take(heard(600, 660, pair=NORTH, untrusted=True)).kinds() == []


def test_a_vehicles_tag_cannot_fly() -> None:
    tag: dict[str, Any] = {"credential_id": "cr-k1.trailer1", "token": "k1.trailer1"}
    told = heard(0, **tag), heard(5 * HOUR, pair=NORTH, **tag)
    assert Post().take(*told).kinds("cr-k1.trailer1") == ["impossible_travel"]
    assert Post().take(heard(0), heard(5 * HOUR, pair=NORTH)).kinds() == []


def test_a_policy_says_what_is_too_fast() -> None:
    slow = WatchLimits(
        policy_id="watch-limits", effective_from_us=0, accepted_at_us=0, road_kmh=10, air_kmh=20
    )
    post = Post().take(heard(0), heard(20 * HOUR, pair=NORTH))
    assert post.kinds() == []
    assert post.take(slow).kinds() == ["impossible_travel"]
    later = replace(slow, effective_from_us=at(DAY))
    assert post.take(later).kinds() == []


def test_untrusted_times_and_stays_of_days_prove_no_travel() -> None:
    for odd in (heard(600, pair=NORTH, untrusted=True), heard(-3 * DAY, 600, pair=NORTH)):
        assert Post().take(heard(0), odd).kinds() == []


def test_it_is_said_when_coordinates_have_no_source_and_nothing_is_when_there_are_none() -> None:
    told = heard(0), heard(600, pair=NORTH)
    unverified = place(NORTH, replace(DETROIT, source=None))
    post = Post().take(unverified, *told)
    assert [proof.unverified for proof in post.flag().proofs] == [True]  # type: ignore[union-attr]
    assert "unverified" in post.written("alerts")[0].what_to_do
    assert "unverified" not in Post().take(*told).written("alerts")[0].what_to_do
    assert Post().take(place(NORTH, None), *told).kinds() == []


def test_a_pair_without_coordinates_is_where_the_port_table_has_it_unverified() -> None:
    post = Post(ports=port_table()).take(place(NORTH, None), heard(0), heard(600, pair=NORTH))
    assert [proof.unverified for proof in post.flag().proofs] == [True]  # type: ignore[union-attr]


def test_a_site_that_turns_out_to_be_elsewhere_takes_the_flag_back() -> None:
    post = Post().take(heard(0), heard(600, pair=NORTH))
    assert post.take(place(NORTH, LAREDO)).kinds() == []
    assert post.flag().tokens == ("k1.ana",)  # type: ignore[union-attr]
    assert post.take(SITES[1]).kinds() == ["impossible_travel"]


@pytest.mark.parametrize(("lane", "kinds"), [("L02", []), ("L03", ["two_lanes"]), ("ALL", [])])
def test_two_lanes_at_once_are_told_unless_they_are_neighbours_or_a_group(
    lane: str, kinds: list[str]
) -> None:
    assert Post().take(heard(0, 60), heard(20, 50, lane=lane)).kinds() == kinds


def test_it_is_enough_that_one_lane_names_the_other_as_its_neighbour() -> None:
    assert Post().take(heard(0, 60, lane="L02"), heard(20, 50)).kinds() == []


def test_two_lanes_one_after_the_other_are_no_clone() -> None:
    assert Post().take(heard(0, 30), heard(40, 60, lane="L03")).kinds() == []
    assert Post().take(heard(0, 30), heard(27, 60, lane="L03")).kinds() == []


def test_one_gateways_own_clock_needs_no_allowance() -> None:
    other = heard(27, 60, lane="L03", source_event_id="gw-lar-wtb-L01.e1.9")
    assert Post().take(heard(0, 30), other).kinds() == ["two_lanes"]


def test_a_sighting_in_nobody_knows_which_lane_proves_no_two_lanes() -> None:
    assert Post().take(heard(0, 60), heard(20, 50, lane="L03", ambiguous=True)).kinds() == []


def test_the_begin_and_the_end_of_a_stay_are_one_stay() -> None:
    post = Post().take(heard(0), heard(0, 60, seq=2))
    (row,) = [row for key, row in post.state.items() if key.startswith("card:")]
    (stay,) = row.stays  # type: ignore[attr-defined]
    assert (stay.first_us, stay.last_us, stay.event_id) == (at(0), at(60), "gw-lar-wtb-L01.e1.1")


def test_another_chip_under_the_same_number_is_told() -> None:
    one, two = heard(0, tid_token="t1"), heard(9 * HOUR, tid_token="t2")
    post = Post().take(one, two)
    assert post.kinds() == ["tid_mismatch"]
    assert post.alerts() == [("tid_mismatch", "lar-wtb")]
    assert Post().take(one, replace(two, tid_token="t1")).kinds() == []


def test_two_chips_within_one_stay_are_told() -> None:
    assert Post().take(heard(0, tid_token="t1"), heard(5, tid_token="t2")).kinds() == [
        "tid_mismatch"
    ]


def test_another_chip_than_the_cards_own_is_told_also_when_the_row_comes_later() -> None:
    row = replace(card("k1.ana", "person:ana"), tid_token="t1")
    post = Post().take(heard(0, tid_token="t2"))
    assert post.kinds() == []
    assert post.take(row).kinds() == ["tid_mismatch"]
    assert post.take(replace(row, tid_token="t2")).kinds() == []


def test_two_keys_of_one_card_give_its_chip_two_names() -> None:
    other = replace(card("k2.ana", "person:ana"), credential_id=CARD)
    told = heard(0, tid_token="t1"), heard(100, token="k2.ana", tid_token="u1", lane="L02")
    assert Post(rows=(*ROWS, other)).take(*told).kinds() == []


def test_all_that_is_wrong_with_a_card_stands_in_one_row() -> None:
    post = Post().take(
        heard(0, 60, tid_token="t1"),
        heard(20, 50, lane="L03", tid_token="t2"),
        heard(600, pair=NORTH),
    )
    assert post.kinds() == ["impossible_travel", "tid_mismatch", "two_lanes"]


@pytest.mark.parametrize("state", ["lost", "stolen", "revoked", "suspended"])
def test_a_card_that_is_heard_while_it_is_not_in_force_is_flagged_and_told_by_the_lanes_stage(
    state: str,
) -> None:
    row = status(state, -60)  # type: ignore[arg-type]
    post = Post().take(row, heard(0))
    assert post.kinds() == ["dead_card"]
    assert post.alerts() == []
    assert Post().take(status(state, 60), heard(0)).kinds() == []  # type: ignore[arg-type]


def test_a_status_that_comes_after_the_sighting_is_compared_with_all_that_are_kept() -> None:
    post = Post().take(heard(0), heard(HOUR), heard(2 * HOUR))
    assert post.take(status("stolen", HOUR - 60, 3 * HOUR)).kinds() == ["dead_card"]
    assert post.flag().proofs[0].evidence == (heard(HOUR).source_event_id,)  # type: ignore[union-attr]


def test_a_dead_card_that_no_crossing_took_is_told_here() -> None:
    lone = heard(0, crossing_id=None)
    assert Post().take(status("lost", -60), lone).alerts() == [("credential_status", "lar-wtb")]
    post = Post().take(lone, status("lost", -60, 60))
    assert post.alerts() == [("credential_status_late", "lar-wtb")]


def test_an_expired_card_is_dead() -> None:
    row = replace(card("k1.ana", "person:ana"), expires_us=at(-1))
    assert Post().take(row, heard(0)).kinds() == ["dead_card"]


def test_a_card_that_its_authority_puts_in_force_again_is_free_of_what_was_heard_before() -> None:
    post = Post().take(heard(0), heard(600, pair=NORTH))
    assert post.take(status("active", 900)).kinds() == []
    assert post.take(heard(1000, pair=NORTH), heard(1100)).kinds() == ["impossible_travel"]
    assert post.flag().proofs[0].at_us == at(1100)  # type: ignore[union-attr]


def test_a_card_that_is_known_only_later_is_judged_under_its_id() -> None:
    strangers = [
        heard(when, credential_id="k1.new", token="k1.new", pair=pair, tid_token="t1")
        for when, pair in ((0, "lar-wtb"), (600, NORTH))
    ]
    post = Post().take(*strangers)
    assert post.kinds("k1.new") == ["impossible_travel"]
    post.take(card("k1.new", "person:new"))
    assert post.kinds("k1.new") == []
    assert post.kinds("cr-k1.new") == ["impossible_travel"]
    assert post.take(replace(card("k1.new", "person:new"), tid_token="t2")).kinds("cr-k1.new") == [
        "impossible_travel",
        "tid_mismatch",
    ]


def test_a_sighting_under_a_token_whose_card_is_known_already_counts_for_the_card() -> None:
    stranger = heard(600, credential_id="k1.ana", token="k1.ana", pair=NORTH)
    assert Post().take(heard(0), stranger).kinds() == ["impossible_travel"]


def test_sightings_are_forgotten_after_two_days_but_not_those_that_prove_something() -> None:
    post = Post().take(heard(0)).tick(2 * DAY + 60)
    assert [key for key, _ in post.state.items()] == ["clock"]
    clone = Post().take(heard(0), heard(600, pair=NORTH), heard(HOUR)).tick(9 * DAY)
    assert clone.kinds() == ["impossible_travel"]
    assert len(clone.written("credential-flags")) == 1
    assert len(clone.state.get(f"card:{CARD}").stays) == 2  # type: ignore[union-attr]


def test_a_sighting_from_before_the_last_two_days_is_passed_over() -> None:
    post = Post().tick(3 * DAY).take(heard(0), heard(600, pair=NORTH))
    assert post.outputs == []
    assert len(post.state) == 1


def test_times_of_1970_and_2100_prove_nothing_and_go_with_the_next_tick() -> None:
    for odd in (-56 * 365 * DAY, 74 * 365 * DAY):
        post = Post().tick(0).take(heard(0), heard(odd, odd + 1, seq=7, pair=NORTH)).tick(10)
        assert post.kinds() == []
        assert len(post.state.get(f"card:{CARD}").stays) == 1  # type: ignore[union-attr]


def test_a_time_ahead_of_the_ticks_is_believed_when_it_has_come() -> None:
    post = Post().tick(0).take(heard(0), heard(600, pair=NORTH))
    assert post.kinds() == []
    assert post.tick(530).kinds() == []
    assert post.tick(545).kinds() == ["impossible_travel"]


def test_a_tag_that_flickers_for_days_keeps_a_bounded_row() -> None:
    post = Post().take(heard(0, 10), heard(600, pair=NORTH))
    post.take(*(heard(1000 + 100 * number, pair=NORTH) for number in range(100)))
    assert len(post.state.get(f"card:{CARD}").stays) <= MAX_STAYS  # type: ignore[union-attr]
    assert post.kinds() == ["impossible_travel"]


def test_a_trailer_that_is_quiet_is_said_to_stand_where_it_was_heard_last() -> None:
    tag: dict[str, Any] = {"credential_id": "cr-k1.trailer1", "token": "k1.trailer1"}
    post = Post().tick(0).take(heard(0, 5, **tag), heard(100, 130, lane="L03", **tag))
    assert post.tick(600).places() == []
    post.tick(2000).tick(3000)
    (told,) = post.places()
    assert (told.trailer, told.lane, told.last_us) == ("trailer:1", "L03", at(130))
    post.tick(4 * DAY).take(heard(4 * DAY, pair=NORTH, **tag)).tick(4 * DAY + HOUR)
    assert [one.pair for one in post.places()] == ["lar-wtb", NORTH]
    post.tick(7 * DAY).tick(95 * DAY)
    assert len(post.state) == 1


def test_a_drivers_card_has_no_last_place() -> None:
    assert Post().tick(0).take(heard(0)).tick(HOUR).places() == []


def test_a_new_owner_says_only_what_changed() -> None:
    post = Post().take(heard(0), heard(600, pair=NORTH))
    count = len(post.outputs)
    assert len(post.take_over().outputs) == count
    post.reference.fold("sites", NORTH, place(NORTH, None))
    assert post.take_over().kinds() == []
