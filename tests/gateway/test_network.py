"""What links over a network share."""

from gateway.network import FIRST_WAIT_S, LAST_WAIT_S, Retry, address


def test_waits_double_up_to_the_longest_and_are_jittered_by_a_half() -> None:
    retry = Retry()
    step_s = FIRST_WAIT_S
    for _ in range(12):
        assert 0.5 * step_s <= retry.wait_s() < 1.5 * step_s
        step_s = min(2 * step_s, LAST_WAIT_S)
    assert step_s == LAST_WAIT_S


def test_what_worked_makes_the_next_wait_the_first_one() -> None:
    retry = Retry()
    for _ in range(12):
        retry.wait_s()
    retry.worked()
    assert retry.wait_s() < 1.5 * FIRST_WAIT_S


def test_an_address_is_written_as_in_a_url() -> None:
    assert address("2001:db8::1", 4001) == "[2001:db8::1]:4001"
    assert address("server", 4001) == "server:4001"
