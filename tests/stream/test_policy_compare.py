"""One recording under two sets of policies."""

from schemas.message import Message
from schemas.topics import topic_key
from stream.ndjson import Line
from stream.policy_compare import differences, notices_under
from stream.shipped import shipped
from tests.stream.border import PORTS, TOPIC_OF, Desk
from tests.stream.lanes.test_judge import TRUSTED, party


def lines(*messages: Message) -> list[Line]:
    return [Line(TOPIC_OF[type(one)], topic_key(one), 0, one) for one in messages]


def recording() -> list[Line]:
    desk = Desk()
    return lines(
        *TRUSTED,
        party("carrier-1", "OEA"),
        desk.seen("k1.truck1", "L01-queue", 0),
        desk.seen("k1.ana", "L01-queue", 0.1),
        desk.seen("k1.trailer1", "L01-queue", 0.2),
    )


def test_a_carrier_of_another_countrys_programme_may_use_the_lane_under_the_paper_alone() -> None:
    today, paper = (
        notices_under(shipped(one), recording(), PORTS) for one in ("today", "paper-2021")
    )
    found = {row.field: (row.left, row.right) for row in differences(today, paper)}
    assert found["lanes"] == (("general",), ("fast", "general"))
    assert found["tier"] == (("T2",), ("T3",))


def test_the_same_policies_differ_in_nothing() -> None:
    one, two = (notices_under(shipped("today"), recording(), PORTS) for _ in range(2))
    assert len(one) == 1
    assert list(differences(one, two)) == []
