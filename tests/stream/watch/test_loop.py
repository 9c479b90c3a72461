"""From sightings to flag to notice and back: lanes and watch stage feeding each other."""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from schemas.alert import Alert
from schemas.arrival import ArrivalNotice
from schemas.gate import SightingSeen
from schemas.message import Message
from schemas.policy import LaneRules, ProgrammeLane
from schemas.reference import Site
from schemas.topics import topic_key
from schemas.wire import decode
from stream.reference import Reference
from stream.stages import STAGES
from stream.straight import Straight, Written
from tests.stream.border import PORTS, ROWS, TOPIC_OF, Desk, at, card, site
from tests.stream.watch.sightings import DETROIT, HOUR, LAREDO, status

FAST = ProgrammeLane(name="fast", lane="fast", drivers=("FAST",), carrier=(), loads=("loaded",))
RULES = LaneRules(
    policy_id="lanes:south",
    effective_from_us=0,
    accepted_at_us=0,
    direction="MX>US",
    programmes=(FAST,),
)


def placed(row: Site) -> tuple[Site, Site]:
    return replace(row, coordinates=LAREDO), replace(row, pair="det-amb", coordinates=DETROIT)


def written(messages: Iterable[Message], straight: Straight | None = None) -> list[Message]:
    """What the stages write for messages."""
    runner = straight or Straight(tuple(STAGES.values()), Reference(PORTS))
    found: list[Written] = []
    for one in messages:
        found += runner.take(TOPIC_OF[type(one)], topic_key(one), at(0), one)
    return [decode(one.topic, one.value) for one in found]


def notices(told: Sequence[Message], pair: str = "lar-wtb") -> list[ArrivalNotice]:
    return [one for one in told if isinstance(one, ArrivalNotice) and one.pair == pair]


def alerts(told: Sequence[Message]) -> list[str]:
    return [one.kind for one in told if isinstance(one, Alert)]


def rows() -> list[Message]:
    others = [row for row in ROWS if not isinstance(row, Site) and topic_key(row) != "k1.ana"]
    driver = replace(card("k1.ana", "person:ana"), programme="FAST")
    return [*placed(site()), RULES, driver, *others]


def arrives(desk: Desk) -> list[SightingSeen]:
    return [desk.seen(token, "L01-queue", 0) for token in ("k1.truck1", "k1.ana", "k1.trailer1")]


def test_a_clone_heard_elsewhere_closes_the_special_lane_until_the_authority_has_looked() -> None:
    straight = Straight(tuple(STAGES.values()), Reference(PORTS))
    before = notices(written([*rows(), *arrives(Desk())], straight))[-1]
    assert "fast" in before.eligibility.lanes
    clone = Desk("gw2").seen("k1.ana", "L01-queue", 600, pair="det-amb")
    told = written([clone], straight)
    assert alerts(told) == ["impossible_travel", "impossible_travel"]
    flagged = notices(told)[-1]
    assert "fast" not in flagged.eligibility.lanes
    assert "impossible_travel" in flagged.flags
    assert "impossible_travel" in notices(told, "det-amb")[-1].flags
    free = notices(written([status("active", 900, programme="FAST")], straight))[-1]
    assert "fast" in free.eligibility.lanes
    assert "impossible_travel" not in free.flags


def test_a_clone_heard_after_the_crossing_marks_its_notice_and_leaves_what_it_was_eligible_for() -> (
    None
):
    straight = Straight(tuple(STAGES.values()), Reference(PORTS))
    released = Desk("officer").decision("released", 30, lane=None)
    come = notices(written([*rows(), *arrives(Desk())], straight))[-1]
    written([replace(released, crossing_id=come.crossing_id)], straight)
    told = written([Desk("gw2").seen("k1.ana", "L01-queue", HOUR, pair="det-amb")], straight)
    (after,) = notices(told)
    assert after.state == "entered"
    assert "fast" in after.eligibility.lanes
    assert "impossible_travel_late" in after.flags
    assert notices(told, "det-amb")[-1].flags.count("impossible_travel") == 1


def test_a_stolen_card_gives_one_alert_and_the_notice_names_its_status_only() -> None:
    told = written([*rows(), *arrives(Desk()), status("stolen", -60, 60, programme="FAST")])
    assert alerts(told) == ["credential_status"]
    last = notices(told)[-1]
    assert "fast" not in last.eligibility.lanes
    assert {"card_stolen", "dead_card"} & set(last.flags) == {"card_stolen"}


def test_a_flag_that_is_taken_back_leaves_the_notice_as_if_it_had_never_been() -> None:
    plain = written([*rows(), *arrives(Desk())])
    clone = Desk("gw2").seen("k1.ana", "L01-queue", 600, pair="det-amb")
    told = written([*rows(), *arrives(Desk()), clone, status("active", 900, programme="FAST")])
    same = {"revision": 0, "at_us": 0}
    assert replace(notices(told)[-1], **same) == replace(notices(plain)[-1], **same)
