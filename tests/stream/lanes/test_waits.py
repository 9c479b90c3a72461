"""Waits of a lane, quarter of an hour by quarter of an hour."""

from msgspec.structs import replace

from schemas.lane_wait import LaneWait
from schemas.message import Message
from stream.lanes.learnt import MAX_POINTS, Quarters, quarters_key
from stream.lanes.rows import Crossing, Heard
from stream.lanes.waits import MAX_CLOSED, passage_of
from tests.stream.border import PAIR, Border, Desk, at, tick
from tests.stream.lanes.busy import CLOSED, QUARTER_S, in_order, traffic, vehicle


def waits(border: Border, lane: str = "L01") -> list[LaneWait]:
    return [one for one in border.written("lane-waits") if one.lane == lane]


def test_a_closed_quarter_tells_who_was_served_how_long_they_waited_and_who_is_still_there() -> (
    None
):
    border = Border().feed(*in_order(traffic(64, 600), CLOSED + 5))
    first, second = waits(border)
    assert (first.from_us, first.until_us) == (at(0), at(QUARTER_S))
    assert (first.served, first.measured, first.p50_s, first.p90_s) == (10, 10, 600, 600)
    assert (second.served, second.measured) == (30, 30)
    assert second.open_vehicles == 20
    assert (second.direction, second.lane_class, second.complete) == ("MX>US", "general", True)
    assert second.at_us == at(CLOSED)


def test_quantiles_are_those_of_the_waits_in_the_quarter() -> None:
    desk = Desk("gw-l01")
    said: list[tuple[float, Message]] = []
    for number, wait in enumerate((60, 90, 120, 150, 180, 210, 240, 270, 300, 600)):
        said += vehicle(desk, f"k1.x{number}", number * 30, number * 30 + wait)
    (first,) = waits(Border().feed(*in_order(said, QUARTER_S + 130)))
    assert (first.served, first.p50_s, first.p90_s) == (10, 180, 300)


def test_a_vehicle_that_is_heard_at_the_booth_first_is_served_and_not_measured() -> None:
    said: list[tuple[float, Message]] = [(30.3, Desk("gw-l01").seen("k1.x", "L01-primary", 30))]
    (first,) = waits(Border().feed(*in_order(said, QUARTER_S + 130)))
    assert (first.served, first.measured, first.p50_s) == (1, 0, None)


def test_a_quarter_without_anybody_says_so() -> None:
    border = Border().feed(*in_order(traffic(1, 60), CLOSED + 5))
    assert [(one.served, one.open_vehicles) for one in waits(border)] == [(1, 0), (0, 0)]


def test_what_comes_after_a_quarter_was_closed_changes_nothing_of_it() -> None:
    before = Border().feed(*in_order(traffic(3, 60), CLOSED + 5))
    late = [message for _, message in vehicle(Desk("gw-stored"), "k1.late", 500, 560)]
    after = Border().feed(*in_order(traffic(3, 60), CLOSED + 5)).feed(*late)
    assert waits(after) == waits(before)
    assert [one.served for one in waits(after.feed(tick(CLOSED + QUARTER_S)))] == [3, 0, 0]


def test_a_lane_whose_gateway_is_silent_is_not_complete() -> None:
    said = in_order(traffic(3, 60), CLOSED + 5)
    beat = replace(Desk("gw-l01").beat(1), event_id="gw-l01.e0.1")
    border = Border().feed(said[0], beat, *said[1:])
    assert [one.complete for one in waits(border)] == [False, False]


def test_nothing_is_closed_before_the_first_tick_and_little_after_years_without_one() -> None:
    border = Border().feed(*[message for _, message in traffic(3, 60)])
    assert waits(border) == []
    border.feed(tick(200))
    assert waits(border) == []
    border.feed(tick(86_400 * 365))
    assert len(waits(border)) == MAX_CLOSED


def test_the_wait_lasts_from_the_first_read_before_the_booth_to_the_first_there() -> None:
    crossing = Crossing(
        crossing_id="x",
        pair=PAIR,
        at_us=0,
        direction="MX>US",
        lane="L01",
        heard=(
            stay("queue", 0),
            stay("gate", 300),
            stay("approach", 500),
            stay("primary", 600),
            stay("primary", 610),
            stay("queue", 620),
        ),
    )
    passage = passage_of(crossing)
    assert passage is not None
    assert (passage.lane, passage.primary_us, passage.wait_us) == ("L01", at(600), 600_000_000)
    assert {point: us // 1_000_000 for point, us in passage.took_us.items()} == {
        "L01-queue": 600,
        "L01-gate": 300,
        "L01-approach": 100,
    }
    wrong = [
        replace(one, untrusted=one.position == "queue", ambiguous=one.position == "gate")
        for one in crossing.heard
    ]
    doubtful = passage_of(replace(crossing, heard=tuple(wrong)))
    assert doubtful is not None
    assert doubtful.wait_us is None
    assert set(doubtful.took_us) == {"L01-approach"}
    assert passage_of(replace(crossing, heard=crossing.heard[:3])) is None


def stay(position: str, when: float) -> Heard:
    return Heard(
        token="k1.x",
        who="truck:1",
        read_point=f"L01-{position}",
        lane="L01",
        position=position,  # type: ignore[arg-type]
        direction="MX>US",
        to_booth_s=None,
        first_us=at(when),
        last_us=at(when + 3),
        gone=True,
        event_ids=("gw1.e1.1",),
    )


def test_read_points_beyond_a_bound_are_not_remembered() -> None:
    desk = Desk("gw-l01")
    said: list[tuple[float, Message]] = []
    for number in range(MAX_POINTS + 5):
        for moment, message in vehicle(desk, f"k1.x{number}", number * 3, 30 + number * 3):
            if getattr(message, "position", "") == "queue":
                message = replace(message, read_point=f"point-{number}")  # noqa: PLW2901
            if getattr(message, "position", "") == "primary":
                message = replace(message, lane=f"M{number}", read_point=f"M{number}-primary")  # noqa: PLW2901
            said.append((moment, message))
    border = Border().feed(*in_order(said, CLOSED + 5))
    row = border.state_of("lanes").get(quarters_key(PAIR))
    assert isinstance(row, Quarters)
    assert 0 < len(row.points) <= MAX_POINTS


def test_no_message_of_waits_names_anybody() -> None:
    fields = set(LaneWait.__struct_fields__)
    assert fields.isdisjoint({"crossing_id", "person", "token", "credential_id", "evidence"})
