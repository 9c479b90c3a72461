"""One recording under two sets of policies."""

from schemas.message import Message
from schemas.topics import topic_key
from stream.ndjson import Line
from stream.policy_compare import Came, Difference, differences, outcomes_under, summary
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
        outcomes_under(shipped(one), recording(), PORTS) for one in ("today", "paper-2021")
    )
    found = {row.field: (row.left, row.right) for row in differences(today, paper)}
    assert found["lanes"] == (("general",), ("fast", "general"))
    assert found["tier"] == (("T2",), ("T3",))


def test_the_same_policies_differ_in_nothing() -> None:
    one, two = (outcomes_under(shipped("today"), recording(), PORTS) for _ in range(2))
    assert len(one) == 1
    assert list(differences(one, two)) == []


def test_time_passes_so_that_a_vehicle_that_nobody_hears_of_any_more_is_lost() -> None:
    late = Desk("gw9").beat(3 * 3600)
    lines_of = [*recording(), Line("gate-events", "lar-wtb", late.at_us, late)]
    (came,) = outcomes_under(shipped("today"), lines_of, PORTS).values()
    assert came.notice is not None
    assert came.notice.state == "lost"
    assert list(came.waiting.values()) == ["crossing_without_end"]


def test_an_officers_word_ends_it_for_the_driver_under_both() -> None:
    desk = Desk("gw2")
    heard = [
        desk.seen("k1.truck1", "L01-primary", 20),
        desk.seen("k1.ana", "L01-primary", 20.1),
    ]
    word = Desk("officer").decision("released", 30)
    one, two = (
        outcomes_under(shipped(name), [*recording(), *lines(*heard, word)], PORTS)
        for name in ("today", "paper-2021")
    )
    assert [came.ends for came in one.values()] == [{"person:ana": "entered"}]
    assert "ends" not in {row.field for row in differences(one, two)}


def test_a_crossing_of_one_set_alone_is_one_line() -> None:
    one = outcomes_under(shipped("today"), recording(), PORTS)
    (name,) = one
    assert list(differences(one, {})) == [Difference(name, "only", ("approaching",), ())]
    assert list(differences({}, dict[str, Came]())) == []


def test_the_summary_tells_reasons_from_what_matters() -> None:
    found = [
        Difference("c1", "reasons", ("fast:a",), ("fast:b",)),
        Difference("c2", "lanes", ("general",), ("fast", "general")),
        Difference("c2", "reasons", (), ("fast:ok",)),
        Difference("c3", "state", ("at_primary",), ("entered",)),
    ]
    assert summary(found, 9) == [
        "9 crossings: 3 differ, 2 of them in more than reasons and missing",
        "lanes: 1 (+fast 1)",
        "state: 1 (at_primary > entered 1)",
    ]


def test_the_card_is_mandatory_under_the_paper_alone() -> None:
    cards = {"k1.ana", "k1.unknown"}
    for token, refers in (("k1.trailer1", True), ("k1.unknown", True), ("k1.ana", False)):
        heard = [one for one in recording() if getattr(one.message, "token", "") not in cards]
        heard += lines(Desk("other").seen(token, "L01-queue", 0.3)) if token in cards else []
        rows = [one for one in recording() if one.topic == "credentials"]
        today, paper = (
            outcomes_under(shipped(one), [*rows, *heard], PORTS) for one in ("today", "paper-2021")
        )
        found = {row.field: (row.left, row.right) for row in differences(today, paper)}
        causes = ((), ("targeted:mandatory-card.no_card@1",))
        assert found.get("referral_causes") == (causes if refers else None)
