"""Planning a while ahead: every truck once, its rows before it comes."""

from schemas.reference import Credential
from schemas.topics import topic_key
from simulators.fleet import Row
from simulators.planning import AHEAD_US, Planner
from tests.simulators.made import NOON, SECOND, small_world


def keys(rows: tuple[Row, ...]) -> list[tuple[str, str]]:
    return [(topic, topic_key(row)) for topic, row in rows]


def test_what_is_planned_is_the_world_of_the_seed() -> None:
    planner = Planner(7, 30 * SECOND)
    planner.first_rows(NOON - 5 * SECOND)
    planner.start(NOON)
    assert planner.extend(NOON).passages == small_world(7).passages
    assert planner.truth == [one.expected for one in small_world(7).passages]


def test_rows_are_loaded_once_and_before_their_truck_comes() -> None:
    planner = Planner(7, None)
    loaded = keys(planner.first_rows(NOON - 7 * SECOND))
    start = NOON
    planner.start(start)
    tokens = {key for topic, key in loaded if topic == "credentials"}
    for now in range(start, start + 5 * AHEAD_US, 5 * SECOND):
        plan = planner.extend(now)
        loaded += keys(plan.rows)
        tokens |= {row.token for _, row in plan.rows if isinstance(row, Credential)}
        for one in plan.passages:
            known = {card.token for card in one.crew.cards} - {one.crew.unknown_token}
            assert known <= tokens
            assert one.from_us > now
    assert len(loaded) == len(set(loaded))
    trucks = [one.truck for one in planner.truth]
    assert trucks == [f"truck:{number:04d}" for number in range(1, len(trucks) + 1)]
    assert len(trucks) > 100


def test_nobody_is_decided_upon_after_the_time_is_over() -> None:
    planner = Planner(7, 50 * SECOND)
    planner.first_rows(NOON)
    planner.start(NOON)
    for now in range(NOON, NOON + 100 * SECOND, 5 * SECOND):
        planner.extend(now)
    assert max(one.at_us for one in planner.truth) <= NOON + 50 * SECOND
    assert planner.truth == [one.expected for one in small_world(seconds=50).passages]


def test_one_driver_is_dropped_once() -> None:
    planner = Planner(7, None, drop_sighting=True)
    planner.first_rows(NOON)
    planner.start(NOON)
    planner.extend(NOON)
    first = planner.dropped
    planner.extend(NOON + AHEAD_US)
    assert first == planner.dropped == "person:0001d"
