"""Of several vehicles that a booth hears, an officer's word by lane is about the one that stands in front of him."""

from msgspec.structs import replace

from schemas.reference import SiteReadPoint
from tests.stream.border import ROWS, Border, Desk, card, site

SECONDARY = replace(
    site(),
    read_points=(
        *site().read_points,
        SiteReadPoint(id="L01-secondary", lane="L01", position="secondary", to_booth_s=None),
    ),
)
BORDER_ROWS = (SECONDARY, *ROWS[1:], card("k1.truck3", "truck:3", "truck_tag"))


def test_the_word_is_for_who_stands_at_primary_although_another_came_to_secondary_later() -> None:
    desk, officer = Desk(), Desk("officer")
    border = Border(rows=BORDER_ROWS).feed(
        first := desk.seen("k1.truck1", "L01-primary", 0),
        desk.seen("k1.ana", "L01-primary", 0.1),
        officer.decision("secondary", 20),
        desk.gone(first, 25),
        desk.seen("k1.truck2", "L01-primary", 100),
        desk.seen("k1.ben", "L01-primary", 100.1),
        desk.seen("k1.truck1", "L01-secondary", 120),
        officer.decision("released", 140),
    )
    states = {notice.links[0].id: notice.state for notice in border.last_notices().values()}
    assert states == {"person:ana": "secondary", "person:ben": "entered"}
    assert [one.person for one in border.records().values()] == ["person:ben"]


def test_a_card_that_the_neighbour_lanes_booth_hears_too_takes_no_word_that_is_said_there() -> None:
    desk, officer = Desk(), Desk("officer")
    border = Border(rows=BORDER_ROWS).feed(
        desk.seen("k1.truck2", "L02-primary", 0),
        desk.seen("k1.ben", "L02-primary", 0.1),
        desk.seen("k1.truck1", "L01-primary", 1),
        desk.seen("k1.ana", "L01-primary", 1.1),
        desk.seen("k1.ana", "L02-primary", 5),
        officer.decision("refused", 40, "L02"),
    )
    states = {notice.links[0].id: notice.state for notice in border.last_notices().values()}
    assert states == {"person:ana": "at_primary", "person:ben": "refused"}
