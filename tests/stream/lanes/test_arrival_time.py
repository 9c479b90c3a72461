"""The time at the booth: learnt from vehicles before, told once, and changed only when it is far off."""

from typing import Any

from msgspec.structs import replace

from schemas.arrival import ArrivalNotice
from schemas.message import Message
from schemas.policy import LaneRules, ProgrammeLane
from stream.lanes.arrival_time import stands
from stream.lanes.learnt import Eta
from tests.stream.border import ROWS, Border, Desk, card, site, trip
from tests.stream.lanes.busy import CLOSED, QUARTER_S, in_order, traffic

FAST = LaneRules(
    policy_id="lanes",
    effective_from_us=0,
    accepted_at_us=0,
    direction="MX>US",
    programmes=(
        ProgrammeLane(
            name="fast", lane="fast", drivers=("FAST",), loads=("loaded", "empty", "bobtail")
        ),
    ),
)
FAST_ROWS = (
    FAST,
    replace(card("k1.eva", "person:eva"), programme="FAST"),
    trip("ABCD0009", drivers=("person:eva",), truck="truck:2", trailers=()),
)


def taught(waits_s: float = 600, *, apart: float = 30) -> list[Message]:
    """Vehicles that wait as long, up to the tick that closes their second quarter of an hour."""
    return in_order(traffic(round(CLOSED / apart), waits_s, apart=apart), CLOSED + 20)


def late(number: int = 1, *, when: float = CLOSED + 45, **changes: Any) -> Message:
    return Desk("gw-late").seen(f"k1.truck{number}", "L01-queue", when, **changes)


def seconds(notice: ArrivalNotice) -> tuple[float, float | None]:
    """ETA and p90 from the first read."""
    assert notice.eta_us is not None
    p90 = notice.eta_p90_us
    first = notice.first_read_us
    return (notice.eta_us - first) / 1e6, None if p90 is None else (p90 - first) / 1e6


def last(border: Border) -> ArrivalNotice:
    notice: ArrivalNotice = border.written("arrivals")[-1]
    return notice


def test_a_lane_that_has_been_busy_tells_its_own_time_and_a_p90() -> None:
    p50, p90 = seconds(last(Border().feed(*taught()).feed(late())))
    assert 560 < p50 < 640
    assert p90 is not None
    assert p50 < p90 < 720


def test_with_too_few_vehicles_the_read_points_usual_time_counts_and_there_is_no_p90() -> None:
    assert seconds(last(Border().feed(*taught(apart=70)).feed(late()))) == (60, None)


def test_another_lane_teaches_nothing() -> None:
    seen = Desk("gw-late").seen("k1.truck1", "L02-queue", CLOSED + 30)
    assert seconds(last(Border().feed(*taught()).feed(seen))) == (60, None)


def test_nothing_is_learnt_before_the_quarter_is_closed() -> None:
    early = in_order(traffic(60, 600), 2 * QUARTER_S + 110)
    assert seconds(last(Border().feed(*early).feed(late(when=2 * QUARTER_S + 110)))) == (60, None)


def test_a_clock_that_is_not_trusted_teaches_nothing() -> None:
    border = Border()
    wrong = Desk("gw-l01").beat(3_600)
    said = taught()
    # The gateway that hears the lane is an hour ahead of the tick beside its heartbeat.
    border.feed(said[0], replace(wrong, event_id="gw-l01.e0.1"))
    assert seconds(last(border.feed(*said[1:], late()))) == (60, None)


def test_once_the_booth_is_behind_there_is_no_eta() -> None:
    border = Border().feed(*taught()).feed(late())
    assert last(border).eta_us is not None
    border.feed(Desk("gw-booth").seen("k1.truck1", "L01-primary", CLOSED + 200))
    assert (last(border).eta_us, last(border).eta_p90_us) == (None, None)


def test_a_second_card_at_the_same_read_point_does_not_move_the_eta() -> None:
    border = Border().feed(*taught()).feed(late())
    first = last(border)
    border.feed(Desk("gw-more").seen("k1.ana", "L01-queue", CLOSED + 33))
    assert last(border).revision > first.revision
    assert last(border).eta_us == first.eta_us


def after(said: list[tuple[float, Message]], until: float) -> list[ArrivalNotice]:
    """The notices of a vehicle that comes when the second quarter has been closed, up to a moment."""
    desk = Desk("gw-late")
    seen = desk.seen("k1.truck1", "L01-queue", CLOSED + 45)
    mine: list[tuple[float, Message]] = [
        (CLOSED + 45.3, seen),
        (CLOSED + 53, desk.gone(seen, CLOSED + 48)),
    ]
    border = Border().feed(*in_order([*said, *mine], until))
    notices: list[ArrivalNotice] = border.written("arrivals")
    return [one for one in notices if any(link.id == "truck:1" for link in one.links)]


def test_an_eta_is_changed_when_a_closed_quarter_moves_it_far() -> None:
    slower = [*traffic(20, 600), *traffic(100, 1_500, start=600)]
    first, second = after(slower, CLOSED + QUARTER_S + 5)
    assert second.revision == first.revision + 1
    assert seconds(second)[0] > seconds(first)[0] * 1.2


def test_an_eta_that_stays_near_gives_no_revision() -> None:
    assert len(after([*traffic(30, 600), *traffic(100, 640, start=900)], CLOSED + 500)) == 1


def test_what_was_said_stands_up_to_two_minutes_or_a_fifth_of_the_way() -> None:
    said = Eta(read_point="x", base_us=0, p50_us=300_000_000)
    assert stands(said, replace(said, p50_us=420_000_000))
    assert not stands(said, replace(said, p50_us=420_000_001))
    long = replace(said, p50_us=3_600_000_000)
    assert stands(long, replace(long, p50_us=4_320_000_000))
    assert not stands(long, replace(long, p50_us=2_879_999_999))


def test_a_worker_restored_at_any_record_writes_the_same_bytes() -> None:
    said = [*taught(), late()]
    plain, killed = Border().feed(*said), Border(killed_everywhere=True).feed(*said)
    assert killed.outputs == plain.outputs
    assert killed.digests() == plain.digests()


def test_where_a_read_point_hears_a_group_the_lanes_that_a_vehicle_may_use_tell() -> None:
    lanes = (replace(site().lanes[0], lane_class="fast"), site().lanes[1])
    border = Border(rows=(replace(site(), lanes=lanes), *ROWS[1:], *FAST_ROWS))
    said = []
    for lane, waits in (("L01", 120), ("L02", 700)):
        said += [
            (moment, heard_by_group(message)) for moment, message in traffic(70, waits, lane=lane)
        ]
    border.feed(*in_order(said, CLOSED + 20))
    at_queue: dict[str, Any] = {"lane": "ALL", "read_point": "ALL-queue", "direction": "MX>US"}
    border.feed(late(2, **at_queue))
    assert 650 < seconds(last(border))[0] < 750
    border.feed(Desk("gw-fast").seen("k1.eva", "L01-queue", CLOSED + 46, **at_queue))
    assert seconds(last(border))[0] < 130


def heard_by_group(message: Message) -> Message:
    if getattr(message, "position", "") != "queue":
        return message
    return replace(message, lane="ALL", read_point="ALL-queue")
