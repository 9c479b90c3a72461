"""Every simulated reader against the real decoder: silence, exactly the reads that were sent, and each trap."""

from collections import Counter

import pytest

from gateway.reads import Read, ReaderNote, Rejected
from simulators.device import Tag
from simulators.readers import MQTT_KINDS, SERIAL_KINDS
from simulators.readers.mercury import tag_report
from simulators.readers.metratec import MetraTecReader
from simulators.readers.r200 import R200Reader
from simulators.readers.transcore import ecp_line
from simulators.readers.uhfreader import UhfReader, frame
from tests.simulators.readers.talk import LOAD, NOON, counted, hear, made, published, talk

SENT = LOAD.tags(100)
#: They talk without being told to, as the real ones do.
TALKATIVE = {"transcore_basic", "transcore_ecp"}
#: Traps that are seen in notes, or add reads of their own, and what those are.
NOTED = {
    ("mercury", "throttle"): "0504",
    ("mercury", "return_loss"): "0505",
    ("mercury", "temperature"): "22, 10 bytes",
    ("uhfreader288", "antenna_error"): "F8",
    ("transcore_basic", "errors"): "Error06",
    ("metratec_ascii", "heartbeat"): "HBT",
    ("metratec_ascii", "errors"): "RXE",
}
TRAPS = [(name, trap) for name, kind in SERIAL_KINDS.items() for trap in kind.traps]
#: A line that breaks off takes the tag behind it along.
COSTLY = {("transcore_basic", "aborted"), ("transcore_ecp", "aborted")}


@pytest.mark.parametrize("name", SERIAL_KINDS)
def test_it_is_silent_until_it_is_started(name: str) -> None:
    outcomes = talk(name, made(name), 5, start=False)
    assert bool(outcomes) == (name in TALKATIVE)


@pytest.mark.parametrize("name", SERIAL_KINDS)
def test_the_decoder_hears_exactly_the_reads_that_were_sent(name: str) -> None:
    outcomes = talk(name, made(name), 20)
    assert counted(outcomes) == SENT
    assert not [one for one in outcomes if isinstance(one, Rejected)]


@pytest.mark.parametrize(("name", "trap"), TRAPS)
def test_a_trap_costs_no_read(name: str, trap: str) -> None:
    reader = made(name, trap)
    found = counted(talk(name, reader, 25))
    if (name, trap) in COSTLY:
        assert sum(found.values()) < 100 or name == "transcore_ecp"
        return
    if trap == "zero_epc":
        assert found.pop(b"") >= 2
    if trap == "two_antennas" and name == "uhfreader288":
        found = Counter({epc: reads // 2 for epc, reads in found.items()})
    if trap == "left_in_push" and name == "uhfreader288":
        # Nobody needs to start it, and a poll is not answered.
        assert counted(talk(name, made(name, trap), 5, start=False)) == SENT
    assert found == SENT


@pytest.mark.parametrize(("name", "trap"), NOTED)
def test_a_trap_is_noted_as_what_it_is(name: str, trap: str) -> None:
    outcomes = talk(name, made(name, trap), 5)
    notes = [f"{one.kind} {one.detail}" for one in outcomes if isinstance(one, ReaderNote)]
    assert any(NOTED[name, trap] in note for note in notes)


def test_a_report_that_nobody_acknowledges_comes_again_as_the_same_one() -> None:
    reader = made("transcore_ecp")
    outcomes = talk("transcore_ecp", reader, 6, acknowledge=False)
    reads = [one for one in outcomes if isinstance(one, Read)]
    assert len(reads) == 1
    assert reader.field.taken > 1


@pytest.mark.parametrize("name", MQTT_KINDS)
def test_the_decoder_hears_exactly_the_reads_that_were_published(name: str) -> None:
    outcomes = hear(name, published(name), 5)
    assert counted(outcomes) == SENT
    assert not [one for one in outcomes if isinstance(one, Rejected)]


def test_zebra_packs_so_many_events_into_one_message() -> None:
    reader = published("zebra_iotc", batch=50)
    payloads = [
        payload
        for at in range(0, 4_000_000, 200_000)
        for channel, payload in reader.due(NOON + at).publications
        if channel == "data"
    ]
    assert all(payload.startswith(b"[") for payload in payloads)
    assert max(payload.count(b"idHex") for payload in payloads) > 1
    assert counted(hear("zebra_iotc", published("zebra_iotc", batch=50), 5)) == SENT


@pytest.mark.parametrize(
    ("name", "trap"), [(name, trap) for name, kind in MQTT_KINDS.items() for trap in kind.traps]
)
def test_a_trap_of_an_mqtt_reader_costs_no_read(name: str, trap: str) -> None:
    outcomes = hear(name, published(name, trap), 5)
    found = counted(outcomes)
    if trap == "replay":
        old = [one for one in outcomes if isinstance(one, Read) and one.epc not in SENT]
        assert len(old) == 2_000
        assert all(NOON - one.reader_at_us > 3_500_000_000 for one in old if one.reader_at_us)
        found = Counter({epc: reads for epc, reads in found.items() if epc in SENT})
    rejected = [one for one in outcomes if isinstance(one, Rejected)]
    assert bool(rejected) == (trap == "bad_tag")
    # SIMPLE has no number of reads, so an event counts as one.
    assert set(found) == set(SENT) if trap == "simple" else found == SENT


def test_an_antenna_that_comes_loose_and_lost_reads_are_noted() -> None:
    outcomes = hear("impinj_iot", published("impinj_iot", "antenna_disconnected", "overflow"), 5)
    kinds = {one.kind for one in outcomes if isinstance(one, ReaderNote)}
    assert kinds >= {"antenna_disconnected", "antenna_connected", "reads_lost", "connected"}


def test_frames_have_the_bytes_of_real_devices() -> None:
    tm1 = "FF2822000010001B01FF0101C4110E16400000012700000500000F0080300000000000000000"
    tag = Tag(bytes.fromhex("000000000000000000001545"), 1, -60)
    assert tag_report(tag, 295).hex().upper() == tm1 + "0000001545E94A561D"
    data = bytes.fromhex("01010C3039606303C74380001A055940")
    assert frame(1, 3, data).hex().upper() == "1500010301010C3039606303C74380001A055940F93E"
    assert frame(1, 1, b"\x01\x00").hex().upper() == "0700010101001E4B"
    assert ecp_line(4, b"KING 1302") == b"#4KING 1302 B3D3\r\n"
    info = UhfReader("288").receive(bytes.fromhex("04FF211995"), NOON)
    assert info.hex().upper() == "1100210000160C034E001E0A01000000E651"


def test_lines_have_the_form_of_real_devices() -> None:
    reader = MetraTecReader("ascii")
    for text in ("E0040150954F02B1", "E200600311753E33"):
        reader.field.enter(Tag(bytes.fromhex(text), 12, -50), NOON + 10**9)
    reader.receive(b"CNR INV\r", NOON)
    sent = reader.due(NOON + 50_000).data
    assert sorted(sent.split(b"\r")[:2]) == [b"E0040150954F02B1", b"E200600311753E33"]
    assert sent.endswith(b"\rARP 12\rIVF 02\r")


def test_an_r200_frame_has_the_bytes_of_a_real_module() -> None:
    reader = R200Reader()
    reader.field.enter(Tag(bytes.fromhex("E200001D7315016521408FC6"), None, -60), NOON + 10**9)
    answer = reader.receive(bytes.fromhex("BB00220000227E"), NOON)
    assert answer.hex().upper() == "BB02220011C43000E200001D7315016521408FC6B83EC27E"
