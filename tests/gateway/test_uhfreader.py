"""The traps of UHFReader lines; frames marked CH1 and CH2 are in tests/captures/README.md."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway import uhf_frames as wire
from gateway.protocols import uhfreader
from gateway.reads import OptionError, Read, ReaderNote, Rejected
from gateway.uhf_frames import Tag, encode_push, encode_tags_18, encode_tags_288
from tests.gateway.outcomes import epcs, reads_of, reasons
from tests.gateway.uhf_line import (
    CH1_18,
    CH1_288,
    CH1_FINISHED,
    CH1_INFO,
    CH1_TWO,
    CH2_POLL,
    EVIL_EPC,
    GOOD_EPC,
    TID,
    decoder,
)

# --- what a frame says


def test_a_288_says_antenna_and_raw_signal_but_no_dbm() -> None:
    assert decoder().feed(CH1_288, 7) == [
        Read(epc=bytes.fromhex("49440000000000000A000334"), at_us=7, antenna=3, rssi_raw=0x64)
    ]


def test_an_18_says_the_epc_alone() -> None:
    assert decoder().feed(CH1_18, 7) == [
        Read(epc=bytes.fromhex("49440000000000000A000334"), at_us=7)
    ]


def test_two_tags_of_one_frame_are_two_reads_in_order() -> None:
    assert [(read.epc[-1], read.rssi_raw) for read in reads_of(decoder().feed(CH1_TWO, 7))] == [
        (0x13, 0x6B),
        (0x14, 0x6C),
    ]


def test_fast_id_gives_the_last_twelve_bytes_as_tid() -> None:
    (read,) = reads_of(decoder().feed(encode_tags_288([Tag(GOOD_EPC, 9, TID)]), 7))
    assert (read.epc, read.tid, read.rssi_raw) == (GOOD_EPC, TID, 9)


def test_the_trailer_of_phase_and_frequency_is_passed_over_and_the_next_tag_found() -> None:
    tags = [Tag(GOOD_EPC, 1, None, (b"\xff\xff\xff\xff", 902750)), Tag(EVIL_EPC, 2)]
    found = reads_of(decoder().feed(encode_tags_288(tags), 7))
    assert [(read.epc, read.rssi_raw, read.frequency_khz) for read in found] == [
        (GOOD_EPC, 1, 902750),
        (EVIL_EPC, 2, None),
    ]


@pytest.mark.parametrize(
    ("antennas", "ant", "wanted"),
    [
        ("mask", 0x04, [3]),
        ("mask", 0x05, [1, 3]),
        ("mask", 0x80, [8]),
        ("mask", 0x00, [None]),
        ("index", 0x00, [1]),
        ("index", 0x05, [6]),
        ("index", 0x0F, [16]),
    ],
)
@pytest.mark.parametrize("pushed", [False, True])
@pytest.mark.parametrize("count", [1, 2])
def test_the_antenna_byte_is_a_mask_or_an_index_and_all_antennas_are_kept(
    antennas: str, ant: int, wanted: list[int | None], *, pushed: bool, count: int
) -> None:
    tags = [Tag(GOOD_EPC)] * count
    frame = encode_push(tags[0], ant=ant) if pushed else encode_tags_288(tags, ant=ant)
    found = reads_of(decoder(antennas=antennas).feed(frame, 7))
    assert [read.antenna for read in found] == wanted * (1 if pushed else count)


@pytest.mark.parametrize("tid", [None, TID])
def test_push_mode_is_read_without_being_configured(tid: bytes | None) -> None:
    frame = encode_push(Tag(GOOD_EPC, 0x52, tid), ant=2)
    assert decoder().feed(frame, 7) == [
        Read(epc=GOOD_EPC, at_us=7, antenna=2, rssi_raw=0x52, tid=tid)
    ]


@pytest.mark.parametrize(
    ("frame", "kind", "detail"),
    [
        (CH1_FINISHED, "heartbeat", "no tag"),
        (encode_tags_288([], ant=4, status=wire.TIMED_OUT), "heartbeat", "no tag"),
        (wire.encode_answer(wire.INVENTORY, wire.DONE), "heartbeat", "no tag"),
        (wire.encode_answer(wire.INVENTORY, wire.NO_TAG), "heartbeat", "no tag"),
        (wire.encode_heartbeat(7, 4, 1234), "heartbeat", "packet 7, antennas 4, total 1234"),
        (wire.encode_statistics(1, 230, 1000), "statistics", "ANT 01, rate 230, count 1000"),
        (wire.encode_answer(wire.INVENTORY, wire.ANTENNA_ERROR), "error", "F8: antenna"),
        (bytes.fromhex("0500760062C9"), "ack", "76 status 00"),
        (bytes.fromhex("040001DB4B"), "command", "01"),
        (
            CH1_INFO,
            "reader_info",
            "type 0C, version 0.22, 30 dBm, scan time 1000 ms",
        ),
        (wire.encode_answer(wire.READER_INFO, wire.OK), "ack", "21 status 00"),
        (wire.encode_answer(wire.PUSHED, wire.HEARTBEAT), "ack", "EE status 28"),
    ],
)
def test_what_is_no_tag_is_a_note(frame: bytes, kind: str, detail: str) -> None:
    assert decoder().feed(frame, 7) == [ReaderNote(kind=kind, at_us=7, detail=detail)]


def test_a_note_never_holds_what_an_answer_holds() -> None:
    answer = wire.encode_answer(0x02, wire.OK, GOOD_EPC)
    assert decoder().feed(answer, 7) == [ReaderNote(kind="ack", at_us=7, detail="02 status 00")]


def test_a_full_memory_is_said_beside_the_tags_that_came() -> None:
    outcomes = decoder().feed(encode_tags_288([Tag(GOOD_EPC)], status=wire.FULL), 7)
    assert epcs(outcomes) == [GOOD_EPC]
    assert [o.kind for o in outcomes if isinstance(o, ReaderNote)] == ["error"]


@pytest.mark.parametrize(
    "frame",
    [
        encode_tags_288([Tag(b"odd")]),
        encode_tags_18([b"odd"]),
        encode_push(Tag(b"odd")),
        wire.encode_answer(wire.PUSHED, wire.OK, b"\x01"),
        wire.encode_answer(wire.PUSHED, wire.OK),
        wire.encode_answer(wire.INVENTORY, wire.MORE, b"\x01\x02\x02ab\x40"),
        wire.encode_answer(wire.INVENTORY, wire.MORE, b"\x01\x01\x02ab\x40\x40"),
        wire.encode_answer(wire.INVENTORY, wire.MORE, b"\x01\x01\x82ab\x40"),
        wire.encode_answer(wire.INVENTORY, wire.MORE, b"\x01\x40" + bytes(64)),
    ],
)
def test_a_frame_that_its_tags_do_not_fill_exactly_is_rejected(frame: bytes) -> None:
    assert decoder().feed(frame, 7) == [Rejected(reason="layout", raw=frame, at_us=7)]


# --- the dialect


def test_a_chosen_dialect_refuses_the_frames_of_the_other() -> None:
    assert reasons(decoder(dialect="18").feed(CH1_288, 7)) == ["layout"]
    assert reasons(decoder(dialect="288").feed(CH1_18, 7)) == ["layout"]
    assert epcs(decoder(dialect="18").feed(CH1_18, 7)) == epcs(
        decoder(dialect="288").feed(CH1_288, 7)
    )


@given(
    tags=st.lists(
        st.builds(
            Tag,
            st.integers(0, 8).flatmap(
                lambda words: st.binary(min_size=2 * words, max_size=2 * words)
            ),
            st.integers(0, 255),
            st.none() | st.just(TID),
            st.none() | st.tuples(st.binary(min_size=4, max_size=4), st.integers(0, 2**24 - 1)),
        ),
        min_size=1,
        max_size=5,
    ),
    ant=st.integers(0, 255),
)
@example(tags=[Tag(b"", 0)], ant=1)
def test_a_chosen_dialect_reads_all_that_its_encoder_makes(tags: list[Tag], ant: int) -> None:
    found = reads_of(
        decoder(dialect="288", antennas="index").feed(encode_tags_288(tags, ant=ant), 7)
    )
    assert [(read.epc, read.rssi_raw, read.tid) for read in found] == [tag[:3] for tag in tags]
    bare = decoder(dialect="18").feed(encode_tags_18([tag.epc for tag in tags]), 7)
    if [tag.epc for tag in tags] != [b""]:
        assert epcs(bare) == [tag.epc for tag in tags]


#: Three tags of an 18 (2, 2 and 0 bytes), or two of a 288 (0 and 2 bytes) by antennas 1 and 2.
BOTH = wire.encode_answer(wire.INVENTORY, wire.MORE, bytes.fromhex("030200bb02cccc00"))


def test_a_frame_that_fits_both_dialects_is_read_by_the_one_that_is_known_and_else_rejected() -> (
    None
):
    assert set(wire.laid_out(BOTH)) == {"18", "288"}
    assert reasons(decoder().feed(BOTH, 7)) == ["ambiguous_layout"]
    for known, antennas in ((CH1_18, {None}), (CH1_288, {1, 2})):
        one = decoder()
        one.feed(known, 7)
        assert {read.antenna for read in reads_of(one.feed(BOTH, 7))} == antennas
    one = decoder()
    one.feed(wire.encode_info(0x09), 7)
    one.feed(CH1_288, 7)
    assert {read.antenna for read in reads_of(one.feed(BOTH, 7))} == {None}


@pytest.mark.parametrize("dialect", ["auto", "18", "288"])
def test_finished_is_never_a_tag_without_an_epc(dialect: str) -> None:
    assert epcs(decoder(dialect=dialect).feed(CH1_FINISHED, 7)) == []


# --- starting, polling, stopping


def test_in_auto_the_reader_is_asked_what_it_is_and_polled_by_its_type() -> None:
    for kind, poll in ((0x0C, CH2_POLL), (0x09, bytes.fromhex("040001DB4B"))):
        one = decoder()
        assert one.start() == wire.encode_command(wire.READER_INFO)
        assert one.due(0).send == b""
        one.feed(wire.encode_info(kind), 10)
        assert one.due(20).send == poll


def test_get_reader_info_to_all_is_the_command_of_the_capture() -> None:
    assert decoder(address=255).start() == bytes.fromhex("04FF211995")


def test_the_next_poll_goes_out_when_a_round_is_over_and_not_before() -> None:
    one = decoder(dialect="288")
    assert one.start() == CH2_POLL
    assert one.due(0).send == b""
    one.feed(CH1_288, 10)
    assert one.due(20).send == b""
    one.feed(CH1_FINISHED, 30)
    assert one.due(40).send == CH2_POLL
    assert one.due(50).send == b""


@pytest.mark.parametrize(
    "over",
    [
        encode_tags_288([Tag(GOOD_EPC)], status=wire.DONE),
        encode_tags_288([Tag(GOOD_EPC)], status=wire.TIMED_OUT),
        encode_tags_288([Tag(GOOD_EPC)], status=wire.FULL),
        wire.encode_answer(wire.INVENTORY, wire.NO_TAG),
        wire.encode_answer(wire.INVENTORY, wire.ANTENNA_ERROR),
    ],
)
def test_each_of_these_ends_a_round(over: bytes) -> None:
    one = decoder(dialect="288")
    one.start()
    one.feed(over, 10)
    assert one.due(20).send == CH2_POLL


def test_a_poll_that_is_not_answered_is_sent_again_after_scan_time_and_a_second() -> None:
    one = decoder()
    one.start()
    one.feed(CH1_INFO, 0)
    poll, _, next_us = one.due(10)
    assert (poll, next_us) == (CH2_POLL, 2_000_010)
    one.feed(b"\x00\x01", 1_900_000)  # garbage keeps nothing alive
    assert one.due(2_000_009).send == b""
    assert one.due(2_000_010).send == CH2_POLL


def test_an_echo_of_the_poll_is_no_answer_and_no_reject() -> None:
    for dialect in ("auto", "18", "288"):
        one = decoder(dialect=dialect)
        sent = one.start()
        assert [type(outcome) for outcome in one.feed(sent, 10)] == [ReaderNote]
        assert one.due(20).send == b""


def test_antennas_are_polled_one_after_the_other() -> None:
    one = decoder(dialect="288", scan_antennas=[1, 3])
    sent = [one.start()]
    for at_us in (10, 20):
        one.feed(CH1_FINISHED, at_us)
        sent.append(one.due(at_us).send)
    assert sent[0] == sent[2] != sent[1]
    assert sent[1][:-2] == bytes.fromhex("09000104FF008202")


def test_the_poll_of_one_antenna_is_the_one_of_the_description() -> None:
    one = decoder(dialect="288", session=0, scan_antennas=[1])
    assert one.start() == bytes.fromhex("09000104000080026A56")


def test_options_set_the_bits_of_q() -> None:
    assert decoder(dialect="288", q=6, fast_id=True, phase=True).start()[3] == 0x36


def test_push_mode_is_switched_on_and_off_and_never_polled() -> None:
    one = decoder(mode="push")
    assert one.start() == wire.encode_work_mode("push")
    assert one.due(10**9) == (b"", [], None)
    assert one.stop() == bytes.fromhex("0500760062C9")


def test_a_reader_that_was_left_in_push_mode_is_made_quiet_too() -> None:
    one = decoder(dialect="288")
    one.start()
    one.feed(CH1_288, 5)
    assert one.stop() == b""
    one.feed(encode_push(Tag(GOOD_EPC)), 5)
    assert one.stop() == bytes.fromhex("0500760062C9")
    assert one.due(10**9).send == b""


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"dialect": "28"}, "288"),
        ({"scan_ms": 150}, "multiple"),
        ({"antennas": "bits"}, "mask, index"),
        ({"q": 16}, "15"),
        ({"adress": 1}, "address"),
    ],
)
def test_an_option_that_cannot_be_is_refused_with_what_can(
    options: dict[str, object], hint: str
) -> None:
    with pytest.raises(OptionError, match=hint):
        uhfreader.decoder(options)


def test_a_start_again_begins_with_what_is_known() -> None:
    one = decoder()
    first = one.start()
    one.feed(CH1_INFO, 5)
    second = one.start()
    assert [first, second] == [wire.encode_command(wire.READER_INFO), CH2_POLL]
