"""Time-outs that wait for a gateway, and clocks that cannot be trusted."""

import msgspec
import pytest

from tests.stream.border import ROWS, Border, Desk, card, tick
from tests.stream.lanes.test_step import arrive

HOUR = 3_600


def test_a_crossing_is_not_lost_while_its_gateway_is_silent_but_after_six_hours_it_is() -> None:
    desk = Desk()
    border = Border().feed(desk.beat(-5), tick(0), *arrive(desk), tick(60))
    border.feed(tick(2 * HOUR + 60))
    assert (border.notice().state, "waiting_for_gateway" in border.notice().flags) == (
        "at_primary",
        True,
    )
    border.feed(tick(8 * HOUR + 60))
    assert (border.notice().state, "waiting_for_gateway" in border.notice().flags) == (
        "lost",
        False,
    )


@pytest.mark.parametrize(("age_ms", "state"), [(0, "lost"), (600_000, "at_primary")])
def test_a_gateway_that_is_alive_is_waited_for_only_while_its_outbox_is_behind(
    age_ms: int, state: str
) -> None:
    desk = Desk()
    border = Border().feed(tick(0), *arrive(desk), tick(2 * HOUR - 10))
    border.feed(desk.beat(2 * HOUR - 8, outbox_age_ms=age_ms), tick(2 * HOUR + 60))
    assert border.notice().state == state


def test_a_gateway_that_comes_back_ends_the_wait() -> None:
    desk = Desk()
    border = Border().feed(desk.beat(-5), tick(0), *arrive(desk), tick(2 * HOUR + 60))
    border.feed(desk.beat(2 * HOUR + 65), tick(2 * HOUR + 70))
    assert border.notice().state == "lost"


def test_a_clock_far_ahead_of_the_ticks_is_not_trusted_and_proves_no_u_turn() -> None:
    desk, ahead = Desk(), Desk("gw-ahead")
    seen = desk.seen("k1.truck1", "L01-queue", 0)
    border = Border().feed(tick(0), seen, desk.gone(seen, 3), ahead.beat(400))
    border.feed(ahead.seen("k1.truck1", "L09-exit", 450, direction="US>MX"))
    assert "u_turn" not in {one.state for one in border.last_notices().values()}
    assert any("untrusted_clock" in one.flags for one in border.last_notices().values())


def test_a_closed_crossing_with_ids_of_real_length_takes_at_most_a_kibibyte() -> None:
    desk = Desk("gw-lar-wtb-03")
    names = [f"k1.{n:032x}" for n in range(3)]
    holders = ("truck:00a1b2c3", "person:00a1b2c3", "trailer:00a1b2c3")
    kinds = ("truck_tag", "driver_card", "trailer_tag")
    cards = [card(*one) for one in zip(names, holders, kinds, strict=True)]
    border = Border(rows=(ROWS[0], *cards)).feed(*arrive(desk, 0, "L01", *names))
    border.feed(Desk("officer").decision("released", 30), tick(700))
    rows = {key: row for key, row in border.state_of("lanes").items() if "crossing" in key}
    assert [len(msgspec.msgpack.encode(row)) <= 1_024 for row in rows.values()] == [True]
