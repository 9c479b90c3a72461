"""Reads by the clock: which there are follows from the seed, and how many from the time."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from simulators.load import MOST, Load, LoadField

NOON = 1_772_460_000_000_000
SECOND = 1_000_000


def test_the_first_reads_of_a_seed_are_the_same_however_often_it_is_asked() -> None:
    load = Load(rate=100, total=50, seed=3, new_every=4)
    slow, fast = LoadField(load), LoadField(load)
    fast.heard(NOON)
    slow.heard(NOON)
    one_by_one = [tag for at in range(0, SECOND, 10_000) for tag in fast.heard(NOON + at)]
    at_once = slow.heard(NOON + SECOND)
    assert one_by_one == at_once
    assert Counter(tag.epc for tag in at_once) == load.tags(50)
    assert len(load.tags(50)) == 13
    assert load.tags(50) != Load(rate=100, seed=4, new_every=4).tags(50)


def test_time_begins_when_it_is_asked_first() -> None:
    field = LoadField(Load(rate=10))
    assert field.heard(NOON) == []
    assert field.heard(NOON + 99_999) == []
    assert len(field.heard(NOON + 100_000)) == 1


def test_it_is_done_after_its_last_read_and_says_nothing_more() -> None:
    field = LoadField(Load(rate=1000, total=3))
    field.heard(NOON)
    before = field.done
    assert len(field.heard(NOON + SECOND)) == 3
    assert (before, field.done) == (False, True)
    assert field.heard(NOON + 9 * SECOND) == []
    assert field.taken == 3


def test_a_reader_that_was_kept_from_sending_catches_up_in_pieces() -> None:
    field = LoadField(Load(rate=1000, total=3 * MOST))
    field.heard(NOON)
    sizes = [len(field.heard(NOON + SECOND)) for _ in range(4)]
    assert sizes == [MOST, MOST, MOST, 0]


def test_named_tags_are_read_by_turns_and_an_antenna_that_is_polled_is_the_one() -> None:
    tags = (b"\x01\x02", b"\x03\x04")
    field = LoadField(Load(rate=1000, epcs=tags, antenna=2))
    field.heard(NOON)
    heard = field.heard(NOON + 3_000)
    assert [(tag.epc, tag.antenna) for tag in heard] == [(tags[0], 2), (tags[1], 2), (tags[0], 2)]
    assert {tag.antenna for tag in field.heard(NOON + 6_000, 1, 4)} == {4}


@given(st.lists(st.integers(0, 50_000), max_size=40))
def test_reads_by_tag_are_the_reads_one_by_one(steps: list[int]) -> None:
    load = Load(rate=500, new_every=7)
    field, now_us, found = LoadField(load), NOON, Counter[bytes]()
    for step in steps:
        now_us += step
        for tag, reads in field.counted(now_us, 9):
            found[tag.epc] += reads
    assert found == load.tags(field.taken)
