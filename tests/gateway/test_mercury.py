"""The traps of Mercury lines; frames marked with a source are in tests/captures/README.md."""

import json
import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import mercury_frames
from gateway.mercury_frames import encode_answer, encode_command, encode_tag
from gateway.protocols import mercury
from gateway.reads import OptionError, Outcome, Read, ReaderNote
from tests.gateway.mercury_line import EVIL_EPC, GOOD, GOOD_EPC, TM1, decoded, decoder
from tests.gateway.outcomes import epcs, reads_of, reasons
from tests.needs import missing

TM2 = bytes.fromhex("FF1C22000010001B01FF0101D9220DC65E0000001400B1050000000020021817AB1336")
KEEP_ALIVE = bytes.fromhex("FF0022040084E0")
STOP = bytes.fromhex("FF032F0000025E86")
START = bytes.fromhex("FF102F00000122000005072210001B03E801FFDD2B")
FILTER = bytes.fromhex("FF039A010C00A35D")
ANTENNA = bytes.fromhex("FF039102010142C5")


def heard_us(outcomes: list[Outcome]) -> list[int | None]:
    return [read.reader_at_us for read in reads_of(outcomes)]


# --- what a frame says


def test_a_tag_that_a_device_sent_is_read_with_all_its_fields() -> None:
    assert decoder().feed(TM1, 7_000_000) == [
        Read(
            epc=bytes.fromhex("000000000000000000001545"),
            at_us=7_000_000,
            reader_at_us=7_000_000,
            pc=0x3000,
            antenna=1,
            rssi_dbm=-60,
            frequency_khz=923_200,
            phase_deg=0,
        )
    ]


def test_an_epc_of_length_zero_that_a_device_sent_is_a_read_of_an_empty_epc() -> None:
    assert decoder().feed(TM2, 7_000_000) == [
        Read(
            epc=b"",
            at_us=7_000_000,
            reader_at_us=7_000_000,
            pc=0x0218,
            antenna=2,
            rssi_dbm=-39,
            frequency_khz=902_750,
            phase_deg=177,
        )
    ]


def test_the_crc_is_the_vendors_and_not_the_one_that_it_is_called() -> None:
    assert encode_command(3) == bytes.fromhex("FF00031D0C")
    assert mercury_frames.crc(TM1[1:-2]) == 0x561D


def test_encoders_build_the_frames_that_a_device_sent() -> None:
    same = encode_tag(TM1[31:-4], rssi_dbm=-60, frequency_khz=923_200, milliseconds=295)
    assert same == TM1
    assert mercury.encode_status() == KEEP_ALIVE
    assert (mercury.encode_start(), mercury.encode_stop()) == (START, STOP)


@pytest.mark.parametrize("metadata", range(0x200))
def test_fields_are_found_by_the_metadata_flags_whichever_are_set(metadata: int) -> None:
    frame = encode_tag(
        GOOD_EPC,
        rssi_dbm=-41,
        antenna=3,
        frequency_khz=902_750,
        milliseconds=12,
        phase_deg=177,
        reads=9,
        embedded=b"\xff\x22\x00",
        metadata=metadata,
    )
    (read,) = reads_of(decoder().feed(frame, 1_000_000))
    assert (read.epc, read.pc) == (GOOD_EPC, 0x3000)
    assert read.reads == (9 if metadata & 1 else 1)
    assert read.rssi_dbm == (-41 if metadata & 2 else None)
    assert read.antenna == (3 if metadata & 4 else None)
    assert read.frequency_khz == (902_750 if metadata & 8 else None)
    assert read.reader_at_us == (1_000_000 if metadata & 16 else None)
    assert read.phase_deg == (177 if metadata & 32 else None)


@pytest.mark.parametrize("place", range(29, 45))
def test_a_tags_own_crc_is_checked_where_the_reports_fits(place: int) -> None:
    """PC, EPC and their CRC: the module read another number than the tag has."""
    wrong = bytearray(TM1)
    wrong[place] ^= 0x01
    assert reasons(decoder().feed(encode_answer(0x22, bytes(wrong[5:-2])), 7)) == ["tag_crc"]


def test_a_metadata_flag_that_is_not_known_rejects_the_frame() -> None:
    data = TM1[5:8] + b"\x03\xff" + TM1[10:-2]
    assert reasons(decoder().feed(encode_answer(0x22, data), 7)) == ["unknown_metadata"]


def test_an_antenna_nibble_of_zero_is_antenna_16() -> None:
    for metadata in (0x1FF, 0x004):
        (read,) = reads_of(decoder().feed(encode_tag(GOOD_EPC, antenna=16, metadata=metadata), 7))
        assert read.antenna == 16


def test_a_tag_with_an_xpc_word_is_not_rejected_for_its_length_or_crc() -> None:
    assert epcs(decoder().feed(encode_tag(bytes(12), pc=0x3A00), 7)) == [bytes(12)]


@pytest.mark.parametrize("place", range(5, 0x2F - 2))
def test_any_byte_of_a_report_may_be_anything_as_long_as_the_crc_fits(place: int) -> None:
    for value in range(256):
        data = bytearray(TM1[5:-2])
        data[place - 5] = value
        assert len(decoder().feed(encode_answer(0x22, bytes(data)), 7)) == 1


@given(data=st.binary(max_size=248), status=st.sampled_from([0, 0x0400, 0x0505, 0x0100]))
def test_any_data_with_a_good_crc_is_one_outcome(data: bytes, status: int) -> None:
    assert len(decoded(encode_answer(0x22, data, status=status))) == 1
    assert len(decoded(encode_answer(0x22, TM1[5:11] + data[:242]))) == 1


@pytest.mark.parametrize(
    ("frame", "kind", "detail"),
    [
        (KEEP_ALIVE, "heartbeat", "keep-alive"),
        (mercury.encode_status(0x0504), "warning", "0504: too hot, reads less"),
        (
            mercury.encode_status(0x0505),
            "warning",
            "0505: much power comes back, check antenna and cable",
        ),
        (mercury.encode_status(0x0109), "error", "22 status 0109"),
        (encode_answer(0x22, bytes(10)), "temperature", "22, 10 bytes, not decoded"),
        (encode_answer(0x22, bytes(8)), "notification", "22, 8 bytes, not decoded"),
        (bytes.fromhex("FF009A0000A633"), "ack", "9A status 0000"),
        (encode_answer(0x91, status=0x0105), "error", "91 status 0105"),
        (encode_answer(0x29, EVIL_EPC), "ack", "29 status 0000"),
    ],
)
def test_what_is_no_tag_is_a_note_without_its_data(frame: bytes, kind: str, detail: str) -> None:
    assert decoder().feed(frame, 7) == [ReaderNote(kind=kind, at_us=7, detail=detail)]


def test_248_bytes_of_data_are_a_frame_and_249_are_out_of_step() -> None:
    assert len(decoder().feed(encode_answer(0x10, bytes(248)), 7)) == 1
    assert epcs(decoder().feed(bytes.fromhex("FFF922") + GOOD, 7)) == [GOOD_EPC]
    with pytest.raises(ValueError, match="at most 248"):
        encode_answer(0x10, bytes(249))
    with pytest.raises(ValueError, match="at most 250"):
        encode_command(0x10, bytes(251))


# --- the whole session of a device


def test_the_session_of_a_device_has_its_three_tags_as_often_as_they_were_sent() -> None:
    folder = os.environ.get("GATEBOOK_CAPTURES")
    if folder is None:
        missing("GATEBOOK_CAPTURES does not name a folder of captures")
    path = Path(folder) / "mercury_session.ndjson"
    if not path.exists():
        missing("mercury_session.ndjson is not among the captures")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    one = decoder()
    outcomes: list[Outcome] = []
    for line in lines:
        if line["dir"] == "rx":
            outcomes += one.feed(bytes.fromhex(line["hex"]), line["at_us"])
    outcomes += one.flush(0)
    assert Counter(epc.hex() for epc in epcs(outcomes)) == {
        "000000000000000000001545": 375,
        "596f596f": 376,
        "e2001026760e017915907125": 371,
    }
    assert len(outcomes) == sum(line["dir"] == "rx" for line in lines)
    assert not reasons(outcomes)
    late = [read.at_us - (read.reader_at_us or 0) for read in reads_of(outcomes)]
    assert min(late) == 0
    assert max(late) < 50_000


# --- time


def test_a_read_that_came_late_is_placed_by_the_one_of_its_cycle_that_came_fast() -> None:
    one = decoder()
    fast = one.feed(encode_tag(GOOD_EPC, milliseconds=100), 10_100_000)
    late = one.feed(encode_tag(GOOD_EPC, milliseconds=120), 10_160_000)
    faster = one.feed(encode_tag(GOOD_EPC, milliseconds=200), 10_195_000)
    assert heard_us(fast + late + faster) == [10_100_000, 10_120_000, 10_195_000]


@pytest.mark.parametrize("restart", [KEEP_ALIVE, bytes.fromhex("FF042F0000012200006DC3"), b""])
def test_milliseconds_that_restart_are_anchored_anew(restart: bytes) -> None:
    """Without the keep-alive, which may be lost, a count that goes back tells it."""
    one = decoder()
    one.feed(encode_tag(GOOD_EPC, milliseconds=100), 10_100_000)
    one.feed(restart, 10_250_000)
    again = one.feed(encode_tag(GOOD_EPC, milliseconds=8), 10_300_000)
    assert heard_us(again) == [10_300_000]


def test_a_keep_alive_starts_a_count_even_when_the_next_number_is_greater() -> None:
    one = decoder()
    one.feed(encode_tag(GOOD_EPC, milliseconds=8), 10_008_000)
    one.feed(KEEP_ALIVE, 10_100_000)
    assert heard_us(one.feed(encode_tag(GOOD_EPC, milliseconds=9), 10_120_000)) == [10_120_000]


def test_a_read_that_would_be_too_late_starts_a_count() -> None:
    one = decoder()
    one.feed(encode_tag(GOOD_EPC, milliseconds=100), 10_100_000)
    assert heard_us(one.feed(encode_tag(GOOD_EPC, milliseconds=200), 10_700_000)) == [10_200_000]
    assert heard_us(one.feed(encode_tag(GOOD_EPC, milliseconds=300), 10_800_001)) == [10_800_001]


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 10**15)), max_size=8))
def test_no_count_and_no_clock_put_a_read_after_its_receipt(steps: list[tuple[int, int]]) -> None:
    one = decoder()
    for ms, at_us in steps:
        (read,) = reads_of(one.feed(encode_tag(GOOD_EPC, milliseconds=ms), at_us))
        assert read.reader_at_us is not None
        assert 0 <= at_us - read.reader_at_us <= mercury.LATE_US


# --- starting, stopping, starting again


def answer(command: bytes, status: int = 0) -> bytes:
    return encode_answer(command[2], status=status)


def started(**options: object) -> tuple[mercury.MercuryDecoder, list[bytes]]:
    """A decoder whose module answers everything at time 0, and what it was sent."""
    one = decoder(**options)
    sent = [one.start()]
    while sent[-1]:
        one.feed(answer(sent[-1]), 0)
        sent.append(one.due(0).send)
    return one, sent[:-1]


def test_the_start_is_a_stop_and_settings_and_the_start_of_the_captured_session() -> None:
    _, sent = started()
    assert sent == [STOP, encode_command(0x93, b"\x00\x05"), FILTER, ANTENNA, START]
    assert decoder().stop() == STOP


def test_region_power_and_antennas_are_set_where_they_are_configured() -> None:
    _, sent = started(region="EU", power_dbm=27, antennas=[1, 2, 16])
    assert encode_command(0x97, b"\x08") in sent
    assert encode_command(0x92, (2700).to_bytes(2, "big")) in sent
    assert encode_command(0x91, bytes((2, 1, 1, 2, 2, 16, 16))) in sent
    assert sent[-1] == START


def test_one_command_waits_for_the_answer_to_the_one_before() -> None:
    one = decoder()
    one.start()
    assert one.due(0) == (b"", [], 2_000_000)
    one.feed(GOOD + answer(START) + answer(FILTER), 10)
    assert one.due(10).send == encode_command(0x93, b"\x00\x05")
    assert one.due(11).send == b""


def test_a_stop_that_is_not_answered_is_passed_over() -> None:
    one = decoder()
    one.start()
    one.due(0)
    assert one.due(1_999_999).send == b""
    assert one.due(2_000_000) == (encode_command(0x93, b"\x00\x05"), [], 4_000_000)


@pytest.mark.parametrize("reply", [b"", answer(START, 0x0105)])
def test_a_start_that_is_refused_or_not_answered_is_begun_again(reply: bytes) -> None:
    one = decoder()
    command = one.start()
    while command != START:
        one.feed(answer(command), 0)
        command = one.due(0).send
    one.feed(reply, 10)
    assert one.due(1_999_999).send == b""
    again = one.due(2_000_000)
    assert again.send == STOP
    assert [(o.kind, o.detail) for o in again.outcomes if isinstance(o, ReaderNote)] == [
        ("error", "2F failed: started again")
    ]


def test_a_setting_that_is_refused_does_not_keep_the_module_from_reading() -> None:
    one = decoder()
    command = one.start()
    while command != START:
        one.feed(answer(command, 0x0105), 0)
        command = one.due(0).send
    one.feed(answer(START), 0)
    assert one.due(0) == (b"", [], 3_000_000)


def test_a_module_that_falls_silent_is_started_again_and_a_keep_alive_keeps_it() -> None:
    one, _ = started()
    one.feed(KEEP_ALIVE, 1_000_000)
    assert one.due(3_999_999) == (b"", [], 4_000_000)
    one.feed(b"\x00\x01", 3_999_999)
    again = one.due(4_000_000)
    assert again.send == STOP
    assert ReaderNote(kind="error", at_us=4_000_000, detail="nothing heard: started again") in (
        again.outcomes
    )


def test_a_clock_that_is_set_back_does_not_keep_a_silent_module_from_being_started() -> None:
    one, _ = started()
    one.feed(KEEP_ALIVE, 10**12)
    assert one.due(5_000_000).send == b""
    one.feed(KEEP_ALIVE, 5_000_000)
    assert one.due(8_000_000).send == STOP


def test_a_reader_that_is_stopped_or_was_never_started_is_left_alone() -> None:
    one = decoder()
    one.feed(GOOD, 5)
    assert one.due(10**12) == (b"", [], None)
    one.start()
    one.stop()
    assert one.due(10**12) == (b"", [], None)


def test_reads_are_marked_at_first_after_a_start() -> None:
    """The line may have been opened in the middle of a frame."""
    one = decoder()
    one.start()
    outcomes = one.feed(GOOD * 4, 7)
    assert [read.after_resync for read in reads_of(outcomes)] == [True, True, False, False]


@pytest.mark.parametrize(
    "options",
    [
        {"antennas": []},
        {"antennas": [0]},
        {"antennas": [17]},
        {"region": "MARS"},
        {"power_dbm": 99},
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(OptionError, match=next(iter(options))):
        mercury.decoder(options)
