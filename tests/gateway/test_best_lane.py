"""A tag that the antennas of several lanes hear: which lane has it, and what is said when that changes."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.batch import Kept, Totals
from gateway.best_lane import WINDOW, Voice, listen, margin_db, takes_over
from gateway.clock import When
from gateway.config import read_config
from gateway.intake import Intake, Report
from gateway.points import points_by_id
from gateway.sightings import Sightings
from gateway.tracker import Change, Gone, Point, Seen, Stay, Tracker
from schemas.gate import SightingGone, SightingSeen
from schemas.wire import decode
from tests.gateway.rig import KEY, config_text
from tests.gateway.test_tracker import CARD, MS, NOW, POINT, S, read, restored

L01 = msgspec.structs.replace(POINT, rivals=("L02-primary",))
L02 = msgspec.structs.replace(
    POINT, id="L02-primary", lane="L02", rivals=("L01-primary", "L03-primary")
)
L03 = msgspec.structs.replace(POINT, id="L03-primary", lane="L03", rivals=("L02-primary",))

EVENTS = Sightings("lar-wtb", KEY)


def heard(
    tracker: Tracker,
    point: Point,
    dbm: float | None,
    *times_us: int,
    antenna: int | None = None,
) -> list[Change]:
    return [
        change
        for at_us in times_us
        for change in tracker.hear(point, read(at_us, rssi_dbm=dbm, antenna=antenna))
    ]


def held_by_l01(dbm: float | None = -60.0) -> Tracker:
    """A tag that L01 has, its last read there at `NOW`."""
    tracker = Tracker()
    (seen,) = heard(tracker, L01, dbm, NOW - 2 * MS, NOW - MS, NOW)
    assert isinstance(seen, Seen)
    return tracker


def gone_of(stay: Stay) -> SightingGone:
    return EVENTS.gone("gw.e.2", stay, NOW, "lost")


@pytest.mark.parametrize(
    ("age_ms", "margin"),
    [(-100, 6), (0, 6), (500, 6), (750, 4), (1_000, 2), (1_250, 0), (60_000, 0)],
)
def test_the_margin_falls_from_6_db_to_nothing_between_half_a_second_and_five_quarters(
    age_ms: int, margin: float
) -> None:
    assert margin_db(age_ms) == pytest.approx(margin)


def test_the_mean_is_that_of_the_last_20_values() -> None:
    voice, holder = (Voice(point=name, lane=name, last_us=NOW) for name in ("L02", "L01"))
    listen(holder, -60.0, 1, NOW, 5 * S)
    for dbm in [-90.0] * 100 + [-50.0] * WINDOW:
        listen(voice, dbm, 1, NOW, 5 * S)
    assert voice.levels == [-50.0] * WINDOW
    assert takes_over(voice, holder, NOW, 5 * S)


def test_levels_from_before_a_long_silence_do_not_count() -> None:
    voice = Voice(point="L02", lane="L02", last_us=NOW, levels=[-40.0] * 5)
    listen(voice, -70.0, 1, NOW + 5 * S + 1, 5 * S)
    assert voice.levels == [-70.0]


@pytest.mark.parametrize("dbm", [-53.9, -54.0])
def test_a_lane_takes_a_tag_over_when_its_mean_is_more_than_6_db_better(dbm: float) -> None:
    tracker = held_by_l01(-60.0)
    changes = heard(tracker, L02, dbm, NOW + 10 * MS, NOW + 20 * MS, NOW + 30 * MS)
    assert bool(changes) == (dbm > -54)
    if changes:
        gone, seen = changes
        assert isinstance(gone, Gone)
        assert isinstance(seen, Seen)
        assert (gone.reason, gone.stay.point.lane, gone.stay.reads) == ("moved", "L01", 5)
        assert (seen.stay.point.lane, seen.stay.moved_from, seen.stay.reads) == ("L02", "L01", 1)
        assert seen.stay.first_us == NOW + 30 * MS


def test_a_single_strong_reflection_moves_nothing() -> None:
    tracker = held_by_l01(-60.0)
    assert heard(tracker, L02, -20.0, NOW + MS, NOW + 2 * MS) == []


def test_what_a_neighbour_lane_hears_counts_in_the_one_stay_and_is_named() -> None:
    tracker = held_by_l01(-50.0)
    assert heard(tracker, L02, -60.0, *range(NOW, NOW + S, 100 * MS), antenna=7) == []
    (stay,) = tracker.stays()
    event = gone_of(stay)
    assert (event.lane, event.reads, event.other_lanes, event.ambiguous) == (
        "L01",
        13,
        ("L02",),
        False,
    )
    assert (event.peak_rssi_dbm, event.antennas) == (-50.0, ())


def test_a_tag_parked_between_two_lanes_stays_in_the_first() -> None:
    tracker = held_by_l01(-60.0)
    for at_us in range(NOW, NOW + 120 * S, 200 * MS):
        assert heard(tracker, L01, -60.0, at_us) == []
        assert heard(tracker, L02, -55.0, at_us + MS) == []
    assert len(tracker) == 1


def test_the_lane_that_lost_a_tag_needs_the_margin_to_get_it_back() -> None:
    tracker = held_by_l01(-60.0)
    moved = heard(tracker, L02, -50.0, NOW + MS, NOW + 2 * MS, NOW + 3 * MS)
    assert len(moved) == 2
    assert heard(tracker, L01, -43.0, *[NOW + 4 * MS] * 3) == []
    back = heard(tracker, L01, -30.0, *[NOW + 5 * MS] * 10)
    assert [(type(one), one.stay.point.lane) for one in back] == [(Gone, "L02"), (Seen, "L01")]
    assert back[1].stay.moved_from == "L02"


def test_the_stay_after_a_change_knows_the_tags_own_number_and_begins_without_other_lanes() -> None:
    tracker = Tracker()
    tracker.hear(L01, read(NOW, rssi_dbm=-60.0, reads=3, tid=b"\xe2"))
    _, seen = heard(tracker, L02, -50.0, NOW + MS, NOW + 2 * MS, NOW + 3 * MS)
    assert seen.stay.tid == b"\xe2"
    assert EVENTS.seen("gw.e.3", seen.stay, NOW).other_lanes == ()


def test_before_it_is_seen_a_tag_is_silently_where_it_is_heard_best() -> None:
    tracker = Tracker()
    assert heard(tracker, L01, -60.0, NOW) == []
    assert tracker.take_touched().keys() == {("L01-primary", CARD, False)}
    assert heard(tracker, L02, -58.0, NOW + MS) == []
    assert {key[0]: stay is None for key, stay in tracker.take_touched().items()} == {
        "L01-primary": True,
        "L02-primary": False,
    }
    (seen,) = heard(tracker, L02, -59.0, NOW + 2 * MS)
    assert isinstance(seen, Seen)
    event = EVENTS.seen("gw.e.1", seen.stay, NOW)
    assert (event.lane, event.moved_from, event.reads, event.peak_rssi_dbm) == (
        "L02",
        None,
        3,
        -58.0,
    )
    assert event.other_lanes == ("L01",)
    assert len(tracker) == 1


def test_without_dbm_the_first_lane_keeps_the_tag_and_says_that_it_is_ambiguous() -> None:
    for first, second in ((None, -40.0), (-60.0, None), (None, None)):
        tracker = held_by_l01(first)
        assert heard(tracker, L02, second, *range(NOW, NOW + 4 * S, 100 * MS)) == []
        (stay,) = tracker.stays()
        event = gone_of(stay)
        assert (event.lane, event.ambiguous, event.other_lanes) == ("L01", True, ("L02",))


def test_a_lane_that_hears_a_tag_no_more_loses_it_to_the_one_that_does_whatever_the_levels() -> (
    None
):
    for dbm in (None, -80.0):
        tracker = held_by_l01(dbm if dbm is None else -50.0)
        times = range(NOW + S, NOW + 6 * S, S)
        assert heard(tracker, L02, dbm, *times) == []
        gone, seen = heard(tracker, L02, dbm, NOW + 6 * S)
        assert isinstance(gone, Gone)
        assert (gone.reason, seen.stay.point.lane) == ("moved", "L02")


def test_a_read_of_a_neighbour_lane_after_the_time_out_begins_a_stay_there() -> None:
    tracker = held_by_l01(-50.0)
    (gone,) = heard(tracker, L02, -50.0, NOW + 5 * S + 1)
    assert isinstance(gone, Gone)
    assert gone.reason == "lost"
    assert [stay.point.lane for stay in tracker.stays()] == ["L02"]


def test_lanes_that_are_no_neighbours_have_their_own_stays_until_the_one_between_takes_both() -> (
    None
):
    tracker = held_by_l01(-70.0)
    assert len(heard(tracker, L03, -70.0, *[NOW] * 3)) == 1
    assert len(tracker) == 2
    *gone, seen = heard(tracker, L02, -40.0, *[NOW + MS] * 3)
    assert [(type(one), one.stay.point.lane) for one in gone] == [(Gone, "L01"), (Gone, "L03")]
    assert isinstance(seen, Seen)
    assert [stay.point.lane for stay in tracker.stays()] == ["L02"]


def test_a_tag_glimpsed_in_both_outer_lanes_is_not_silently_in_the_one_between_too() -> None:
    tracker = Tracker()
    assert heard(tracker, L01, -70.0, NOW) == heard(tracker, L03, -70.0, NOW) == []
    assert heard(tracker, L02, -40.0, NOW) == []
    assert {stay.point.lane: stay.reads for stay in tracker.stays()} == {"L01": 2, "L03": 1}


def test_a_replay_and_what_is_heard_now_do_not_compete() -> None:
    tracker = held_by_l01(-60.0)
    old = When(NOW - 600 * S, "estimated", 0, True)
    for _ in range(3):
        tracker.hear(L02, read(NOW, rssi_dbm=-30.0), old)
    assert {(stay.point.lane, stay.replayed) for stay in tracker.stays()} == {
        ("L01", False),
        ("L02", True),
    }


def test_a_restart_in_the_middle_of_a_change_takes_the_same_decision() -> None:
    tracker = held_by_l01(-60.0)
    assert heard(tracker, L02, -50.0, NOW + MS, NOW + 2 * MS) == []
    fresh = restored(tracker, NOW + 2 * MS)
    gone, seen = heard(fresh, L02, -50.0, NOW + 3 * MS)
    assert isinstance(gone, Gone)
    assert isinstance(seen, Seen)
    assert gone.stay.reads == 5


def test_a_stay_stored_before_there_were_neighbours_is_read_and_goes_on() -> None:
    point = [getattr(POINT, name) for name in Point.__struct_fields__[:9]]
    old = [point, CARD, None, NOW, NOW, NOW, 3, -60.0, [1], "received", 0, False, True, "gw.e.1"]
    stay = msgspec.msgpack.decode(msgspec.msgpack.encode(old), type=Stay)
    assert (stay.seen_event_id, stay.moved_from, stay.voices, stay.passage) == (
        "gw.e.1",
        None,
        [],
        None,
    )
    stay.point = L01
    tracker = Tracker()
    tracker.restore([stay], NOW)
    assert heard(tracker, L02, -70.0, NOW + MS) == []
    assert heard(tracker, L01, -60.0, NOW + 2 * MS) == []
    assert stay.reads == 5


NEIGHBOURS = 'neighbours = ["L02"]\n[[lane]]\nid = "L02"\ndirection = "MX>US"\n'
BESIDE = """
[[reader]]
id = "beside"
link = "serial:///x/port2"
protocol = "r200"
[[read_point]]
id = "L02-primary"
lane = "L02"
position = "primary"
reader = "beside"
"""


def test_rivals_are_the_read_points_of_one_position_and_one_of_two_lanes_names_the_other() -> None:
    points = points_by_id(read_config(config_text(Path("/x"), lane=NEIGHBOURS, broker=1) + BESIDE))
    assert {name: point.rivals for name, point in points.items()} == {
        "L01-primary": ("L02-primary",),
        "L01-queue": (),
        "L02-primary": ("L01-primary",),
    }


def test_a_change_of_lane_goes_out_as_gone_and_seen_and_the_reads_balance() -> None:
    config = read_config(config_text(Path("/x"), lane=NEIGHBOURS) + BESIDE)
    core = Intake(config, KEY, Kept("e0", 1, [], {}, Totals(), {}), NOW)
    for reader, dbm in (("booth", -60.0), ("beside", -40.0)):
        for _ in range(4):
            core.take(Report(reader, NOW, [read(NOW, rssi_dbm=dbm)]), NOW)
    seen, gone, moved = (decode("gate-events", row.value) for row in core.batch(NOW).events)
    assert isinstance(seen, SightingSeen)
    assert isinstance(gone, SightingGone)
    assert isinstance(moved, SightingSeen)
    assert (seen.lane, seen.moved_from) == ("L01", None)
    assert (gone.lane, gone.reason, gone.seen_event_id) == ("L01", "moved", seen.event_id)
    assert (moved.lane, moved.moved_from, moved.token) == ("L02", "L01", seen.token)
    open_reads = core.status().totals.reads - core.status().totals.reads_gone
    assert (gone.reads, open_reads) == (6, 2)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["L01", "L02", "L03", "replay", "expire", "restart"]),
        st.integers(0, 2),
        st.integers(0, 3_000),
        st.sampled_from([None, -80.0, -60.0, -40.0]),
    ),
    max_size=80,
)


@given(STEPS)
def test_whatever_is_heard_where_every_read_is_in_one_stay_and_neighbours_never_both_have_a_tag(
    steps: list[tuple[str, int, int, float | None]],
) -> None:
    tracker, now_us, given_reads, gone_reads = Tracker(max_open=5), NOW, 0, 0
    present = set[tuple[str, bytes, bool]]()
    for step, card, wait_ms, dbm in steps:
        now_us += wait_ms * MS
        changes: list[Change] = []
        match step:
            case "expire":
                changes = tracker.expire(now_us)
            case "restart":
                tracker = restored(tracker, now_us)
            case _:
                point = {"L01": L01, "L03": L03}.get(step, L02)
                when = When(now_us - 60 * S, "estimated", 0, step == "replay")
                given_reads += 1
                heard_now = read(now_us, bytes([card]), rssi_dbm=dbm)
                changes = list(tracker.hear(point, heard_now, when if when.replayed else None))
        for change in changes:
            name = (change.stay.point.id, change.stay.epc, change.stay.replayed)
            match change:
                case Seen():
                    assert name not in present
                    present.add(name)
                case Gone(stay=stay):
                    assert stay.observed == (name in present)
                    present.discard(name)
                    gone_reads += stay.reads
        open_keys = {(stay.point.id, stay.epc, stay.replayed) for stay in tracker.stays()}
        assert not any(("L02-primary", *key[1:]) in open_keys - {key} for key in open_keys)
    assert len(tracker) <= 5
    assert given_reads == gone_reads + sum(stay.reads for stay in tracker.stays())


def test_reads_found_after_garbage_move_no_tag_and_a_clean_one_then_does() -> None:
    tracker = Tracker()
    heard(tracker, L01, -60.0, NOW, NOW + MS, NOW + 2 * MS)
    strong = read(NOW + 3 * MS, rssi_dbm=-40.0)
    for _ in range(5):
        assert not tracker.hear(L02, msgspec.structs.replace(strong, after_resync=True))
    assert [type(change) for change in tracker.hear(L02, strong)] == [Gone, Seen]


def test_a_clean_read_of_the_neighbour_lane_makes_doubtful_ones_count() -> None:
    tracker = Tracker()
    for number in range(3):
        assert not tracker.hear(L01, read(NOW + number * MS, after_resync=True))
    assert [type(change) for change in tracker.hear(L02, read(NOW + 3 * MS))] == [Seen]
