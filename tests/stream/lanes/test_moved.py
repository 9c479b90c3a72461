"""Cards that the neighbour lane takes over, as the gateway's tracker says it: one crossing."""

import msgspec

from schemas.ids import crossing_id, record_id
from schemas.message import Message
from tests.stream.border import PAIR, Border, Desk


def moved() -> list[Message]:
    """The tags are heard in the lane beside first; the last one is no card that anyone knows."""
    desk, story = Desk(), list[Message]()
    for n, token in enumerate(("k1.truck1", "k1.ana", "k1.nobody")):
        first = desk.seen(token, "L01-primary", n * 0.1)
        gone = msgspec.structs.replace(desk.gone(first, 4 + n * 0.1), reason="moved")
        there = desk.seen(token, "L02-primary", 4 + n * 0.1, moved_from="L01")
        story += [first, gone, there]
    return [*story, Desk("officer").decision("released", 30, "L02")]


def test_cards_that_move_to_the_neighbour_lane_are_one_crossing_in_that_lane() -> None:
    border = Border().feed(*moved())
    notice = border.notice()
    assert notice.crossing_id == crossing_id(PAIR, "gw1.e1.1")
    assert (notice.state, notice.lane, notice.decision) == ("entered", "L02", "released")
    (record,) = border.records().values()
    assert (record.record_id, record.entry.lane) == (
        record_id(notice.crossing_id, "person:ana"),
        "L02",
    )
