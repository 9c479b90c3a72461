"""Reads to sightings: thresholds, event time, bounds, and no read lost or counted twice."""

from collections.abc import Sequence
from itertools import permutations
from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import When
from gateway.epc import tag_number
from gateway.reads import Read
from gateway.tracker import Change, Gone, Point, Seen, Stay, Tracker

S = 1_000_000
MS = 1_000
NOW = 1_800_000_000 * S
CARD = b"\x30" * 12

#: An SSCC-96, and the PC of an ISO tag that counts one XPC word beside it.
SSCC: Final = bytes.fromhex("3174257BF4499602D2000000")
ISO_PC: Final = 0x3B17
Words = tuple[int | None, int | None]

POINT = Point(
    id="L01-primary",
    lane="L01",
    position="primary",
    direction="MX>US",
    to_booth_s=0,
    observe_reads=3,
    observe_us=200 * MS,
    glimpse_us=1 * S,
    lost_us=5 * S,
)


def read(at_us: int, epc: bytes = CARD, **fields: object) -> Read:
    return msgspec.structs.replace(Read(epc=epc, at_us=at_us), **fields)


def heard(tracker: Tracker, *times_us: int, point: Point = POINT) -> list[Change]:
    return [change for at_us in times_us for change in tracker.hear(point, read(at_us))]


def seen_at(tracker: Tracker, at_us: int) -> Stay:
    """A stay that is observed, its last read at `at_us`."""
    (seen,) = heard(tracker, at_us - 2 * MS, at_us - MS, at_us)
    assert isinstance(seen, Seen)
    return seen.stay


def test_three_reads_make_a_tag_present_at_once() -> None:
    tracker = Tracker()
    assert heard(tracker, NOW, NOW + 30 * MS) == []
    (seen,) = heard(tracker, NOW + 60 * MS)
    assert isinstance(seen, Seen)
    assert (seen.stay.reads, seen.stay.first_us, seen.stay.last_us) == (3, NOW, NOW + 60 * MS)


def test_two_reads_200_ms_apart_make_a_tag_present() -> None:
    assert heard(Tracker(), NOW, NOW + 199 * MS) == []
    (seen,) = heard(Tracker(), NOW, NOW + 200 * MS)
    assert isinstance(seen, Seen)


def test_one_message_that_counts_three_reads_makes_a_tag_present() -> None:
    (seen,) = Tracker().hear(POINT, read(NOW, reads=3))
    assert isinstance(seen, Seen)


def test_a_present_tag_is_said_once_however_long_it_parks() -> None:
    tracker = Tracker()
    seen_at(tracker, NOW)
    assert heard(tracker, *range(NOW, NOW + 120 * S, S)) == []
    assert len(tracker) == 1


def test_a_glimpse_ends_after_its_time_out_and_was_not_observed() -> None:
    tracker = Tracker()
    heard(tracker, NOW)
    assert tracker.expire(NOW + 1 * S - 1) == []
    (gone,) = tracker.expire(NOW + 1 * S)
    assert isinstance(gone, Gone)
    assert (gone.reason, gone.stay.observed, gone.stay.reads) == ("lost", False, 1)
    assert len(tracker) == 0


def test_a_present_tag_is_lost_after_its_time_out() -> None:
    tracker = Tracker()
    seen_at(tracker, NOW)
    assert tracker.expire(NOW + 5 * S - 1) == []
    (gone,) = tracker.expire(NOW + 5 * S)
    assert isinstance(gone, Gone)
    assert gone.stay.observed


def test_each_read_postpones_the_end() -> None:
    tracker = Tracker()
    seen_at(tracker, NOW)
    heard(tracker, NOW + 4 * S)
    assert tracker.expire(NOW + 8 * S) == []
    assert len(tracker.expire(NOW + 9 * S)) == 1


def test_a_read_further_away_in_time_than_the_time_out_begins_another_stay() -> None:
    for distance in (5 * S + 1, -(5 * S + 3 * MS)):
        tracker = Tracker()
        seen_at(tracker, NOW)
        (gone,) = tracker.hear(POINT, read(NOW), When(NOW + distance, "estimated", 0, False))
        assert isinstance(gone, Gone)
        assert (gone.reason, gone.stay.reads) == ("lost", 3)
        assert [stay.reads for stay in tracker.stays()] == [1]


def test_a_read_within_the_time_out_widens_the_stay_on_either_side() -> None:
    tracker = Tracker()
    stay = seen_at(tracker, NOW)
    for distance in (5 * S, -4 * S):
        assert tracker.hear(POINT, read(NOW), When(NOW + distance, "estimated", 0, False)) == ()
    assert (stay.first_us, stay.last_us, stay.reads) == (NOW - 4 * S, NOW + 5 * S, 5)


def test_time_outs_of_a_stay_run_on_gateway_time_not_on_the_readers() -> None:
    tracker = Tracker()
    hour_ago = When(NOW - 3_600 * S, "estimated", 0, True)
    for _ in range(3):
        tracker.hear(POINT, read(NOW), hour_ago)
    assert tracker.expire(NOW + 4 * S) == []
    assert len(tracker.expire(NOW + 5 * S)) == 1


def test_a_replay_does_not_disturb_the_stay_of_a_tag_that_is_there_now() -> None:
    tracker = Tracker()
    live = seen_at(tracker, NOW)
    for number in range(20):
        old = When(NOW - 600 * S + number * S, "estimated", 0, True)
        tracker.hear(POINT, read(NOW + number * MS), old)
        tracker.hear(POINT, read(NOW + number * MS))
    assert live.reads == 23
    assert {stay.replayed: stay.reads for stay in tracker.stays()} == {False: 23, True: 20}


def test_a_stay_keeps_its_strongest_signal_its_antennas_in_order_and_the_tags_own_number() -> None:
    tracker = Tracker()
    for antenna, rssi, tid in ((2, -60.0, None), (1, -50.0, b"\xe2"), (2, None, None)):
        tracker.hear(POINT, read(NOW, antenna=antenna, rssi_dbm=rssi, tid=tid))
    (stay,) = tracker.stays()
    assert (stay.peak_rssi_dbm, stay.antennas, stay.tid) == (-50.0, (2, 1), b"\xe2")


def test_two_cards_and_two_read_points_are_four_stays() -> None:
    tracker = Tracker()
    other = msgspec.structs.replace(POINT, id="L02-primary", lane="L02")
    for point in (POINT, other):
        for epc in (CARD, b"\x31" * 12):
            tracker.hear(point, read(NOW, epc))
    assert len(tracker) == 4


def test_when_too_many_are_open_the_oldest_glimpse_is_closed() -> None:
    tracker = Tracker(max_open=3)
    seen_at(tracker, NOW)
    for number in (1, 2):
        assert tracker.hear(POINT, read(NOW, bytes([number]))) == ()
    (gone,) = tracker.hear(POINT, read(NOW, b"\x03"))
    assert isinstance(gone, Gone)
    assert (gone.reason, gone.stay.epc, len(tracker)) == ("overflow", b"\x01", 3)


def test_without_a_glimpse_the_oldest_present_one_is_closed() -> None:
    tracker = Tracker(max_open=2)
    for number in (1, 2):
        tracker.hear(POINT, read(NOW, bytes([number]), reads=3))
    gone, seen = tracker.hear(POINT, read(NOW, b"\x03", reads=3))
    assert isinstance(gone, Gone)
    assert isinstance(seen, Seen)
    assert gone.stay.epc == b"\x01"


def test_touched_stays_are_given_once_and_closed_ones_as_none() -> None:
    tracker = Tracker()
    heard(tracker, NOW)
    key = ("L01-primary", CARD, False)
    assert list(tracker.take_touched()) == [key]
    assert tracker.take_touched() == {}
    tracker.expire(NOW + S)
    assert tracker.take_touched() == {key: None}


def restored(tracker: Tracker, now_us: int, max_open: int = 5) -> Tracker:
    """As after a restart: what was open, through its stored form."""
    stored = [msgspec.msgpack.encode(stay) for stay in tracker.stays()]
    fresh = Tracker(max_open)
    fresh.restore([msgspec.msgpack.decode(row, type=Stay) for row in stored], now_us)
    return fresh


def test_a_restart_resumes_stays_so_that_none_is_seen_twice() -> None:
    tracker = Tracker()
    seen_at(tracker, NOW)
    heard(tracker, NOW + S)
    fresh = restored(tracker, NOW + 3 * S)
    assert heard(fresh, NOW + 4 * S) == []
    (gone,) = fresh.expire(NOW + 9 * S)
    assert gone.stay.reads == 5


def test_after_a_restart_quiet_counts_from_the_restart() -> None:
    tracker = Tracker()
    seen_at(tracker, NOW)
    fresh = restored(tracker, NOW + 60 * S)
    assert fresh.expire(NOW + 64 * S) == []
    assert len(fresh.expire(NOW + 65 * S)) == 1


def test_after_a_restart_with_a_clock_set_back_stays_end_as_ever() -> None:
    tracker = Tracker()
    seen_at(tracker, NOW)
    fresh = restored(tracker, NOW - 3_600 * S)
    assert len(fresh.expire(NOW - 3_595 * S)) == 1


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["read", "late", "replay", "expire", "restart"]),
        st.integers(0, 3),
        st.integers(0, 3_000),
        st.integers(1, 4),
    ),
    max_size=60,
)


@given(STEPS)
def test_every_read_is_in_exactly_one_stay_and_seen_comes_once_before_gone(
    steps: list[tuple[str, int, int, int]],
) -> None:
    tracker, now_us, given_reads = Tracker(max_open=5), NOW, 0
    gone_reads, present = 0, set[tuple[bytes, int]]()
    for step, card, wait_ms, reads in steps:
        now_us += wait_ms * MS
        changes: list[Change] = []
        match step:
            case "expire":
                changes = tracker.expire(now_us)
            case "restart":
                tracker = restored(tracker, now_us)
            case _:
                when = {
                    "read": None,
                    "late": When(now_us - 2 * S, "estimated", 0, False),
                    "replay": When(now_us - 60 * S, "estimated", 0, True),
                }[step]
                given_reads += reads
                changes = list(tracker.hear(POINT, read(now_us, bytes([card]), reads=reads), when))
        for change in changes:
            name = (change.stay.epc, change.stay.replayed)
            match change:
                case Seen():
                    assert name not in present
                    present.add(name)
                case Gone(stay=stay):
                    assert stay.observed == (name in present)
                    present.discard(name)
                    gone_reads += stay.reads
    assert len(tracker) <= 5
    assert given_reads == gone_reads + sum(stay.reads for stay in tracker.stays())
    assert present == {(stay.epc, stay.replayed) for stay in tracker.stays() if stay.observed}


# --- reads that were found after garbage


def doubtful(at_us: int, reads: int = 1) -> Read:
    return read(at_us, after_resync=True, reads=reads)


def test_reads_found_after_garbage_alone_make_no_tag_present() -> None:
    tracker = Tracker()
    for number in range(20):
        assert not tracker.hear(POINT, doubtful(NOW + number * 100 * MS))
    (gone,) = tracker.expire(NOW + 60 * S)
    assert isinstance(gone, Gone)
    assert (gone.stay.observed, gone.stay.reads) == (False, 20)


def test_with_one_clean_read_those_found_after_garbage_count() -> None:
    for place in range(3):
        tracker = Tracker()
        reads = [doubtful(NOW), doubtful(NOW + MS), doubtful(NOW + 2 * MS)]
        reads[place] = read(NOW + place * MS)
        changes = [change for one in reads for change in tracker.hear(POINT, one)]
        assert [type(change) for change in changes] == [Seen]


def test_that_all_reads_were_doubtful_is_remembered_over_a_restart() -> None:
    tracker = Tracker()
    tracker.hear(POINT, doubtful(NOW, reads=2))
    tracker = restored(tracker, NOW + MS)
    assert not tracker.hear(POINT, doubtful(NOW + MS))
    assert tracker.hear(POINT, read(NOW + 2 * MS))


# --- many tags, and for long


def test_500_tags_in_the_field_are_500_stays_and_no_read_is_lost() -> None:
    tracker = Tracker()
    seen = gone = 0
    tags = [number.to_bytes(12, "big") for number in range(500)]
    for turn in range(40):
        for place, epc in enumerate(tags):
            at_us = NOW + turn * 2 * S + place * 4 * MS
            seen += sum(isinstance(one, Seen) for one in tracker.hear(POINT, read(at_us, epc)))
    assert (seen, len(tracker)) == (500, 500)
    for change in tracker.expire(NOW + 200 * S):
        assert isinstance(change, Gone)
        gone += change.stay.reads
    assert gone == 40 * 500


def test_a_glimpse_in_a_crowd_is_waited_for_no_longer_than_a_present_tag() -> None:
    tracker = Tracker()
    for number in range(2_000):
        tracker.hear(POINT, read(NOW, number.to_bytes(12, "big")))
    assert tracker.expire(NOW + POINT.lost_us - 1) == []
    assert len(tracker.expire(NOW + POINT.lost_us)) == 2_000
    tracker.hear(POINT, read(NOW + 20 * S))
    assert len(tracker.expire(NOW + 21 * S)) == 1


def test_a_tag_that_parks_for_an_hour_is_one_stay_of_bounded_size() -> None:
    tracker = Tracker()
    point = msgspec.structs.replace(POINT, rivals=("L02-primary",), entry=(1,), exit=(2,))
    sizes = set()
    for turn in range(36_000):
        at_us = NOW + turn * 100 * MS
        tracker.hear(point, read(at_us, antenna=turn % 200, rssi_dbm=-50.0))
        if turn in {1_000, 35_999}:
            (stay,) = tracker.stays()
            sizes.add(len(msgspec.msgpack.encode(stay)) // 10)
        assert not tracker.expire(at_us)
    assert len(sizes) == 1
    (gone,) = tracker.expire(NOW + 2 * 3_600 * S)
    assert isinstance(gone, Gone)
    assert gone.stay.reads == 36_000


def test_thresholds_are_those_of_the_lane() -> None:
    fast = msgspec.structs.replace(POINT, id="L02-gate", observe_reads=1, lost_us=1 * S)
    tracker = Tracker()
    assert tracker.hear(fast, read(NOW)) != tracker.hear(POINT, read(NOW, b"\x31" * 12)) == ()
    assert [change.stay.point.id for change in tracker.expire(NOW + 1 * S)] == [
        "L02-gate",
        "L01-primary",
    ]


@pytest.mark.parametrize(
    "words", list(permutations([(None, None), (None, 0x8001), (ISO_PC, 0x8001)]))
)
def test_the_scheme_is_right_in_whichever_read_the_pc_comes(words: Sequence[Words]) -> None:
    tracker = Tracker()
    for number, (pc, xpc) in enumerate(words):
        tracker.hear(POINT, read(NOW + number, SSCC, pc=pc, xpc=xpc))
    (gone,) = tracker.expire(NOW + 60 * S)
    assert (gone.stay.pc, gone.stay.xpc) == (ISO_PC, 0x8001)
    tag = tag_number(SSCC, gone.stay.pc, gone.stay.xpc)
    assert (tag.why, tag.afi) == ("iso", 0x17)


@pytest.mark.parametrize(
    "words", list(permutations([(None, None), (None, 0x8001), (0x3A00, None), (0x3A00, 0x8001)]))
)
def test_an_xpc_without_a_pc_alone_or_late_changes_no_scheme(words: Sequence[Words]) -> None:
    tracker = Tracker()
    for number, (pc, xpc) in enumerate(words):
        tracker.hear(POINT, read(NOW + number, SSCC, pc=pc, xpc=xpc))
        (stay,) = tracker.stays()
        assert tag_number(SSCC, stay.pc, stay.xpc).scheme == "sscc-96"
