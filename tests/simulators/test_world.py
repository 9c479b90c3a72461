"""The simulated traffic: the same from the same seed, and such that its truth is what the stages must find."""

from itertools import pairwise

import pytest

from schemas.reference import Credential, Person
from schemas.topics import topic_key
from schemas.wire import to_json
from simulators.fleet import Fleet
from simulators.planning import demo_key, demo_port, ndjson_rows, ndjson_truth
from simulators.truth import compare
from simulators.world import CAST, World, passages
from simulators.world_file import passage_lines
from stream.ndjson import Line, parse_line
from tests.simulators.made import NOON, SECOND, committed, draws, heard, small_world, staged


def as_bytes(world: World) -> bytes:
    truth = ndjson_truth([one.expected for one in world.passages])
    return ndjson_rows(world.rows, NOON) + passage_lines(world.passages) + truth


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert as_bytes(small_world(3)) == as_bytes(small_world(3))


def test_another_seed_gives_other_cards() -> None:
    assert as_bytes(small_world(3)) != as_bytes(small_world(4))


def test_another_start_gives_the_same_cards_at_other_times() -> None:
    first, second = small_world(3), small_world(3, start_us=NOON + 5 * SECOND)
    cards = [[one.crew.cards for one in world.passages] for world in (first, second)]
    assert cards[0] == cards[1]
    assert second.passages[0].from_us - first.passages[0].from_us == 5 * SECOND


@pytest.mark.parametrize("seed", range(12))
def test_thirty_seconds_bring_eight_trucks_and_more_of_every_kind_over_both_links(
    seed: int,
) -> None:
    world = small_world(seed)
    assert len(world.passages) >= 8
    assert {one.crew.story for one in world.passages} == set(CAST)
    stories = [one.crew.story for one in world.passages]
    assert stories.count("refused") == stories.count("unknown_card") == 1
    assert {stay.reader for one in world.passages for stay in one.stays} == {
        "zebra-queue",
        "zebra-primary",
        "r200-l01",
        "r200-l02",
    }


@pytest.mark.parametrize("seed", range(12))
def test_trucks_of_a_lane_keep_apart_and_stand_long_enough_for_a_gateway_to_come_back(
    seed: int,
) -> None:
    world = small_world(seed, seconds=90)
    for lane in ("L01", "L02", "L03", "L04"):
        rows = [one for one in world.passages if one.decision.lane == lane]
        for one in rows:
            booth = [stay for stay in one.stays if stay.reader != "zebra-queue"]
            assert min(stay.until_us - stay.from_us for stay in booth) >= 6 * SECOND
            assert max(stay.from_us for stay in booth) + 3 * SECOND < one.decision.at_us
        for one, after in pairwise(rows):
            # A decision is taken for whatever stood there up to 5 s before.
            assert after.decision.at_us - one.decision.at_us > 7 * SECOND
            assert after.from_us > one.decision.at_us
            assert min(stay.from_us for stay in after.stays[len(after.stays) // 2 :]) > one.until_us


@pytest.mark.parametrize("seed", range(12))
def test_the_desk_of_each_lane_counts_its_decisions_without_gaps(seed: int) -> None:
    ids = [one.decision.event_id.rsplit(".", 1) for one in small_world(seed, seconds=90).passages]
    for desk in {desk for desk, _ in ids}:
        numbers = [int(number) for one, number in ids if one == desk]
        assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("seed", range(8))
def test_the_stages_make_of_what_is_heard_exactly_what_the_truth_says(seed: int) -> None:
    world = small_world(seed, seconds=120)
    outputs = staged(world, heard(world))
    truth = [one.expected for one in world.passages]
    assert [str(one) for one in compare(truth, committed(outputs))] == []


def test_every_reference_row_can_be_loaded_and_holds_no_personal_data() -> None:
    world = small_world(seconds=60)
    for number, (topic, row) in enumerate(world.rows, start=1):
        line = parse_line(number, to_json(topic, topic_key(row), NOON, row))
        assert isinstance(line, Line)
        if isinstance(row, Person):
            assert (row.s92, row.rest) == (None, None)


def test_the_unknown_card_of_a_truck_is_enrolled_nowhere() -> None:
    world = small_world()
    enrolled = {row.token for _, row in world.rows if isinstance(row, Credential)}
    unknown = [one.crew.unknown_token for one in world.passages if one.crew.unknown_token]
    assert len(unknown) == 1
    assert enrolled.isdisjoint(unknown)


def test_traffic_without_end_goes_on_with_new_trucks_and_tokens() -> None:
    coming = passages(Fleet(draws(1), demo_key(1), demo_port()), NOON)
    hour = [next(coming) for _ in range(1500)]
    tokens = [card.token for one in hour for card in one.crew.cards]
    assert len(set(tokens)) == len(tokens)
    assert {one.crew.story for one in hour[16:]} == set(CAST)
