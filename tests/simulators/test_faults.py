"""Faults: what they take away, and that noise takes no good read away."""

import pytest

from gateway.protocols import PROTOCOLS
from gateway.reads import Read, Rejected
from simulators.device import Tag
from simulators.faults import NoisyLine, NoisyTopic, unheard
from simulators.readers.r200 import POLL_US, R200Reader
from simulators.readers.zebra_iotc import REPORT_US, ZebraReader
from tests.simulators.made import draws, small_world

NOON = 1_772_460_000_000_000
CARD = bytes.fromhex("E200BB022200117E00112233")
MULTIPLE_POLL = bytes.fromhex("BB00270003222710837E")


@pytest.mark.parametrize("seed", range(6))
def test_one_driver_is_not_heard_at_the_booth_and_everything_else_is(seed: int) -> None:
    world = small_world(seed)
    deaf, person = unheard(world.passages)
    assert person == "person:0001d"
    before = [stay for one in world.passages for stay in one.stays]
    after = [stay for one in deaf for stay in one.stays]
    (gone,) = set(before) - set(after)
    assert gone.reader == "r200-l01"
    assert len(after) == len(before) - 1


def test_without_a_driver_who_enters_with_a_card_of_his_own_nothing_is_taken_away() -> None:
    refused = tuple(one for one in small_world().passages if one.crew.story == "refused")
    assert unheard(refused) == (refused, None)


@pytest.mark.parametrize("seed", range(6))
def test_noise_on_a_line_is_rejected_and_costs_no_read(seed: int) -> None:
    reader = NoisyLine(R200Reader(), draws(seed))
    reader.field.enter(Tag(CARD, None, -50), NOON + 10**12)
    reader.receive(MULTIPLE_POLL, NOON)
    decoder = PROTOCOLS["r200"].decoder({})
    outcomes = []
    for at in range(2_000):
        now = NOON + at * POLL_US
        outcomes += decoder.feed(reader.due(now).data, now)
    outcomes += decoder.flush(NOON)
    assert sum(isinstance(one, Read) for one in outcomes) == 2_000
    assert {one.epc for one in outcomes if isinstance(one, Read)} == {CARD}
    assert len({one.reason for one in outcomes if isinstance(one, Rejected)}) >= 2


@pytest.mark.parametrize("seed", range(6))
def test_noise_on_a_topic_is_rejected_or_noted_and_costs_no_read(seed: int) -> None:
    reader = NoisyTopic(ZebraReader(), draws(seed))
    reader.field.enter(Tag(CARD, 1, -50), NOON + 10**12)
    decoder = PROTOCOLS["zebra_iotc"].decoder({})
    outcomes = []
    for at in range(500):
        for _, payload in reader.due(NOON + at * REPORT_US).publications:
            outcomes += decoder.feed(payload, NOON)
    reads = [one for one in outcomes if isinstance(one, Read)]
    assert len({one.key for one in reads}) == 500
    assert len(reads) > 500
    assert {one.reason for one in outcomes if isinstance(one, Rejected)} == {"not_json"}
