"""The simulated Zebra reader against the real decoder."""

from typing import Literal

import orjson
import pytest

from gateway.protocols import PROTOCOLS
from gateway.reads import Outcome, Read, ReaderNote
from simulators.device import Publication, Tag
from simulators.readers.zebra_iotc import HEARTBEAT_US, READS_A_REPORT, REPORT_US, ZebraReader

NOON = 1_772_460_000_000_000
CARD = bytes.fromhex("E2806894000040017790E471")


def published(reader: ZebraReader, rounds: int, start_us: int = NOON) -> list[Publication]:
    return [
        one for at in range(rounds) for one in reader.due(start_us + at * REPORT_US).publications
    ]


def decoded(publications: list[Publication]) -> list[Outcome]:
    decoder = PROTOCOLS["zebra_iotc"].decoder({})
    return [one for _, payload in publications for one in decoder.feed(payload, NOON)]


@pytest.mark.parametrize("mode", ["INVENTORY", "CUSTOM"])
def test_a_tag_is_read_by_the_real_decoder_with_antenna_signal_count_and_time(
    mode: Literal["INVENTORY", "CUSTOM"],
) -> None:
    reader = ZebraReader(mode=mode)
    reader.field.enter(Tag(CARD, 3, -48), NOON + 10**9)
    data = [one for one in published(reader, 3) if one.channel == "data"]
    reads = decoded(data)
    assert len(reads) == 3
    for at, read in enumerate(reads):
        assert isinstance(read, Read)
        assert (read.epc, read.antenna, read.rssi_dbm, read.reads) == (CARD, 3, -48, READS_A_REPORT)
        assert read.reader_at_us == NOON + at * REPORT_US
    assert len({read.key for read in reads if isinstance(read, Read)}) == 3


def test_events_are_numbered_without_gaps_heartbeats_among_them() -> None:
    reader = ZebraReader()
    reader.field.enter(Tag(CARD, 1, -48), NOON + 10**9)
    found = [orjson.loads(one.payload) for one in published(reader, 12)]
    numbers = [one["data"].get("eventNum", one.get("eventNum")) for one in found]
    assert numbers == list(range(1, len(numbers) + 1))
    assert {one["timestamp"][-5:] for one in found} == {"+0000"}


def test_heartbeats_come_on_the_management_channel_with_an_empty_field_too() -> None:
    rounds = 1 + 3 * HEARTBEAT_US // REPORT_US
    publications = published(ZebraReader(), rounds)
    assert [one.channel for one in publications] == ["management"] * 4
    notes = decoded(publications)
    assert all(isinstance(one, ReaderNote) and one.kind == "heartbeat" for one in notes)


def test_what_it_kept_is_sent_again_as_it_was_so_that_a_repeat_is_known() -> None:
    reader = ZebraReader()
    reader.field.enter(Tag(CARD, 1, -48), NOON + 10**9)
    first = [one for one in published(reader, 10) if one.channel == "data"]
    assert reader.kept(NOON) == first
    assert reader.kept(NOON + 5 * REPORT_US) == first[5:]


def test_the_same_tag_at_two_antennas_is_reported_for_each() -> None:
    reader = ZebraReader()
    for antenna in (1, 2):
        reader.field.enter(Tag(CARD, antenna, -48), NOON + 10**9)
    reads = decoded([one for one in published(reader, 1) if one.channel == "data"])
    assert [one.antenna for one in reads if isinstance(one, Read)] == [1, 2]
