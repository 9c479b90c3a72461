"""Time-outs that wait for a gateway, and clocks that cannot be trusted."""

from typing import cast

import msgspec
import pytest

from stream.lanes.packed import pack, unpack
from stream.lanes.shelves import LanesState
from tests.stream.border import ROWS, Border, Desk, at, card, tick
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


#: As long as the epochs that gateways make.
EPOCH = "01JZ9Q3M8N7K5W2X4Y6A8B0C1D"


class LongDesk(Desk):
    def next_id(self) -> str:
        self.seq += 1
        return f"{self.writer}.{EPOCH}.{1_000_000 + self.seq}"


def closed_crossing() -> Border:
    desk = LongDesk("gw-lar-wtb-03")
    names = [f"k1.{n:032x}" for n in range(3)]
    holders = ("truck:00a1b2c3", "person:00a1b2c3", "trailer:00a1b2c3")
    kinds = ("truck_tag", "driver_card", "trailer_tag")
    cards = [card(*one) for one in zip(names, holders, kinds, strict=True)]
    border = Border(rows=(ROWS[0], *cards)).feed(*arrive(desk, 0, "L01", *names))
    return border.feed(LongDesk("officer").decision("released", 30), tick(700))


def test_a_closed_crossing_with_ids_of_real_length_takes_at_most_a_kibibyte() -> None:
    border = closed_crossing()
    rows = {key: row for key, row in border.state_of("lanes").items() if "crossing" in key}
    assert [len(msgspec.msgpack.encode(row)) <= 1_024 for row in rows.values()] == [True]


def test_a_closed_crossing_is_the_same_when_it_is_read_again_from_its_small_row() -> None:
    border = closed_crossing()
    state, again = border.state_of("lanes"), LanesState()
    for key, row in state.items():
        again.load(key, msgspec.msgpack.encode(row))
    assert isinstance(state, LanesState)
    assert [one.closed for one in state.closed()] == [True]
    assert list(again.closed()) == list(state.closed())
    assert [len(one.heard) for one in again.closed()] == [6]


def test_a_small_row_that_names_a_text_it_has_not_is_no_row() -> None:
    (crossing,) = cast("LanesState", closed_crossing().state_of("lanes")).closed()
    row = pack(crossing)
    with pytest.raises(msgspec.DecodeError):
        unpack(msgspec.structs.replace(row, texts=row.texts[:2]))


def test_an_id_that_does_not_end_in_a_plain_number_is_packed_as_it_is() -> None:
    (crossing,) = cast("LanesState", closed_crossing().state_of("lanes")).closed()
    ids = ("gw.e.007", "gw.e.x", "odd", f"gw.e.{'9' * 30}")
    stay = msgspec.structs.replace(crossing.heard[0], event_ids=ids)
    odd = msgspec.structs.replace(crossing, heard=(stay,))
    assert unpack(pack(odd)) == odd


def test_a_tick_looks_only_at_the_crossings_whose_time_has_come() -> None:
    desk = Desk()
    border = Border().feed(desk.seen("k1.truck1", "L01-queue", 0), tick(1))
    border.feed(desk.seen("k1.truck2", "L02-queue", 3_600), tick(3_601))
    state = cast("LanesState", border.state_of("lanes"))
    assert state.due(at(3_700)) == []
    assert [one.heard[0].token for one in state.due(at(2 * 3_600 + 60))] == ["k1.truck1"]
    assert len(state.due(at(3 * 3_600 + 60))) == 2
