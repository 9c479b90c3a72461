"""The gateway's own clock: steps of the machine's are taken in the open, and time never goes back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.anchor import SLOWER, Anchor, ClockState, is_synchronised
from gateway.now import anchored_clock

S = 1_000_000_000
WALL = 1_800_000_000 * S


def test_time_is_the_machines_as_it_was_at_the_start_and_then_the_monotonic_clock() -> None:
    anchor = Anchor(WALL, 5 * S)
    assert anchor.now_ns(65 * S) == WALL + 60 * S
    assert anchor.look(WALL + 61 * S, 65 * S) == (0, 0)
    assert anchor.now_ns(65 * S) == WALL + 60 * S


@pytest.mark.parametrize("seconds", [-2, 2])
def test_two_seconds_are_drift_and_more_is_a_step(seconds: int) -> None:
    assert Anchor(WALL, 0).look(WALL + seconds * S, 0) == (0, 0)
    more = seconds * S + (1 if seconds > 0 else -1)
    assert Anchor(WALL, 0).look(WALL + more, 0)[0] == more


def test_a_clock_that_is_set_forward_is_followed_at_once() -> None:
    anchor = Anchor(WALL, 0)
    assert anchor.look(WALL + 3_610 * S, 10 * S) == (3_600 * S, 3_600 * S)
    assert anchor.now_ns(10 * S) == WALL + 3_610 * S
    assert anchor.look(WALL + 3_611 * S, 11 * S) == (0, 0)


def test_a_clock_that_is_set_back_is_caught_up_with_by_running_slower() -> None:
    anchor = Anchor(WALL, 0)
    assert anchor.look(WALL - 30 * S, 0) == (-30 * S, 0)
    assert anchor.now_ns(0) == WALL
    assert anchor.now_ns(100 * S) == WALL + 90 * S
    assert anchor.ahead_ns(100 * S) == 20 * S
    assert anchor.look(WALL + 70 * S, 100 * S) == (0, 0)
    assert anchor.now_ns(30 * SLOWER * S) == WALL + (30 * SLOWER - 30) * S
    assert anchor.ahead_ns(10_000 * S) == 0


def test_a_clock_that_is_set_back_and_forward_again_is_where_it_was() -> None:
    anchor = Anchor(WALL, 0)
    anchor.look(WALL - 3_600 * S, 0)
    assert anchor.look(WALL + 10 * S, 10 * S) == (3_600 * S, S)
    assert anchor.now_ns(10 * S) == WALL + 10 * S
    assert anchor.ahead_ns(10 * S) == 0


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 10**12), st.integers(-(10**13), 10**13), st.booleans()),
        max_size=30,
    )
)
def test_time_never_goes_back_whatever_becomes_of_the_machines_clock(
    steps: list[tuple[int, int, bool]],
) -> None:
    anchor, steady, wall, last = Anchor(WALL, 0), 0, WALL, WALL
    for passed, set_by, looked in steps:
        steady, wall = steady + passed, wall + passed + set_by
        before = anchor.now_ns(steady)
        assert before >= last
        if looked:
            _, jumped = anchor.look(wall, steady)
            assert anchor.now_ns(steady) == before + jumped
        last = anchor.now_ns(steady)


@pytest.mark.parametrize(
    ("machine", "ahead_us", "claims_us", "known"),
    [
        (True, 0, (), True),
        (False, 0, (), False),
        (None, 0, (), None),
        (True, 2_000_001, (), False),
        (False, 0, (1_000_000, -2_000_000), True),
        (None, 0, (0,), True),
        (True, 0, (3_600_000_000,), False),
        (None, 0, (3_600_000_000, 10_000_001), False),
        (True, 0, (3_600_000_000, 0), True),
        (None, 0, (3_600_000_000, 0), None),
        (None, 0, (5_000_000,), None),
    ],
)
def test_readers_with_a_time_server_vouch_for_the_gateways_clock_or_speak_against_it(
    machine: bool | None, ahead_us: int, claims_us: tuple[int, ...], known: bool | None
) -> None:
    assert is_synchronised(ClockState(0, 0, ahead_us, machine), claims_us) is known


def test_the_gateways_clock_shows_the_machines_time_in_microseconds() -> None:
    clock = anchored_clock()
    first, second = clock(), clock()
    assert 1_577_836_800_000_000 < first <= second
    assert clock.look() == ClockState()
