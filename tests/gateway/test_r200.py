"""The traps of R200 lines; frames marked with a source are in tests/captures/README.md."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.protocols import r200
from gateway.reads import OptionError, Outcome, Read, ReaderNote, Rejected
from tests.gateway.outcomes import epcs, reasons

RM1 = bytes.fromhex("BB02220011C9340030751FEB705C5904E3D50D703A76EF7E")
NO_TAG = bytes.fromhex("BB01FF000115167E")
EVIL_EPC = bytes.fromhex("E2801160600002054CC2096F")
EVIL = r200.encode_tag(EVIL_EPC, rssi_dbm=-50)
GOOD_EPC = b"a good card."
GOOD = r200.encode_tag(GOOD_EPC)
#: Its EPC ends with a frame of the evil card that shares the outer frame's CRC, checksum and end.
SUFFIX = bytes.fromhex("BB0222001DC4600000EAB83EBB02220011CE3000E2801160600002054CC2096FF31D037E")


def decoder(**options: object) -> r200.R200Decoder:
    return r200.decoder(options)


def decoded(*chunks: bytes) -> list[Outcome]:
    one = decoder()
    return [o for chunk in chunks for o in one.feed(chunk, 5)] + one.flush(5)


def hiding(before: int, after: int) -> bytes:
    """A tag frame whose EPC is the evil card's whole frame with this many bytes around it."""
    return r200.encode_tag(bytes(range(before)) + EVIL + bytes(range(after)), rssi_dbm=-41)


# --- what a frame says


def test_a_tag_of_the_vendors_manual_is_read_with_rssi_and_pc() -> None:
    assert decoder().feed(RM1, 7) == [
        Read(epc=bytes.fromhex("30751FEB705C5904E3D50D70"), at_us=7, pc=0x3400, rssi_dbm=-55)
    ]


def test_an_empty_epc_is_a_read_of_an_empty_epc() -> None:
    assert epcs(decoder().feed(r200.encode_tag(b""), 7)) == [b""]


def test_a_positive_rssi_is_positive() -> None:
    assert decoder().feed(r200.encode_tag(b"", rssi_dbm=127), 7) == [
        Read(epc=b"", at_us=7, pc=0, rssi_dbm=127)
    ]


@pytest.mark.parametrize(
    ("frame", "kind", "detail"),
    [
        (NO_TAG, "heartbeat", "no tag"),
        (bytes.fromhex("BB01C1000100C37E"), "ack", "C1 status 00"),
        (r200.encode_error(0x17), "error", "17: command not known or not possible"),
        (r200.encode_error(0x20), "error", "20: no free channel to hop to"),
        (r200.encode_error(0x09), "error", "09: access to a tag failed"),
        (r200.encode_error(0x55), "error", "55: unknown code"),
        (r200.encode_frame(r200.ANSWER, r200.ERROR), "error", "00: unknown code"),
        (bytes.fromhex("BB00270003222710837E"), "command", "27"),
        (r200.encode_frame(r200.NOTIFICATION, 0x31, b"\x01\x02"), "notification", "31"),
    ],
)
def test_what_is_no_tag_is_a_note(frame: bytes, kind: str, detail: str) -> None:
    assert decoder().feed(frame, 7) == [ReaderNote(kind=kind, at_us=7, detail=detail)]


def test_a_note_never_holds_more_of_an_answer_than_its_status() -> None:
    answer = r200.encode_ack(0x39, bytes.fromhex("0E3400") + EVIL_EPC)
    assert decoder().feed(answer, 7) == [ReaderNote(kind="ack", at_us=7, detail="39")]


def test_a_good_frame_around_a_wrong_tag_crc_is_rejected() -> None:
    params = RM1[5:-3] + bytes((RM1[-3] ^ 1,))
    frame = r200.encode_frame(r200.NOTIFICATION, r200.SINGLE_POLL, params)
    assert decoder().feed(frame, 7) == [Rejected(reason="tag_crc", raw=frame, at_us=7)]


def test_a_pc_that_counts_other_words_than_the_frame_holds_is_rejected() -> None:
    assert reasons(decoder().feed(r200.encode_tag(bytes(12), pc=0x2800), 7)) == ["pc_length"]


def test_a_tag_with_an_xpc_word_is_not_rejected_for_its_length_or_crc() -> None:
    params = bytes.fromhex("C43A00") + bytes(12) + b"\x00\x00"
    frame = r200.encode_frame(r200.NOTIFICATION, r200.SINGLE_POLL, params)
    assert epcs(decoder().feed(frame, 7)) == [bytes(12)]


def test_a_notification_without_room_for_a_tag_is_rejected() -> None:
    frame = r200.encode_frame(r200.NOTIFICATION, r200.SINGLE_POLL, b"\xc4\x30\x00\x00")
    assert reasons(decoder().feed(frame, 7)) == ["short_tag"]


def test_head_and_end_bytes_inside_params_do_not_end_a_frame() -> None:
    epc = bytes.fromhex("BB7E7EBB0222BB7E7E7EBBBB")
    assert epcs(decoded(r200.encode_tag(epc), GOOD)) == [epc, GOOD_EPC]


# --- the envelope


def test_the_other_envelope_is_read_when_it_is_chosen_and_is_garbage_when_not() -> None:
    frame = r200.encode_tag(GOOD_EPC, envelope="AADD")
    assert (frame[0], frame[-1]) == (0xAA, 0xDD)
    assert epcs(decoder(envelope="AADD").feed(frame, 7)) == [GOOD_EPC]
    assert epcs(decoded(frame)) == []
    assert decoder(envelope="AADD").stop() == bytes.fromhex("AA00280000 28DD")


def test_an_envelope_that_is_none_is_refused_with_those_that_are() -> None:
    with pytest.raises(OptionError, match="BB7E, AADD"):
        decoder(envelope="7E7E")


# --- starting, stopping, polling again


def test_start_and_stop_are_the_commands_of_the_manual() -> None:
    assert decoder().start() == bytes.fromhex("BB00270003222710837E")
    assert decoder().stop() == bytes.fromhex("BB00280000287E")


def test_the_multiple_poll_is_issued_again_after_a_second_without_a_frame() -> None:
    one = decoder()
    poll = one.start()
    assert one.due(0) == (b"", [], 1_000_000)
    one.feed(NO_TAG, 600_000)
    assert one.due(1_000_000) == (b"", [], 1_600_000)
    assert one.due(1_599_999).send == b""
    assert one.due(1_600_000) == (poll, [], 2_600_000)
    assert one.due(1_600_001).send == b""


def test_garbage_does_not_keep_a_dead_poll_from_being_issued_again() -> None:
    one = decoder()
    poll = one.start()
    one.due(0)
    for at_us in range(100_000, 1_000_000, 100_000):
        one.feed(b"\x00\x01", at_us)
        assert one.due(at_us).send == b""
    assert one.due(1_000_000).send == poll


def test_the_multiple_poll_is_issued_again_when_its_rounds_are_used_up() -> None:
    one = decoder(rounds=3)
    poll = one.start()
    one.feed(r200.encode_ack(r200.MULTIPLE_POLL), 0)
    one.feed(NO_TAG + GOOD, 10)
    assert one.due(10).send == b""
    one.feed(NO_TAG, 20)
    assert one.due(20).send == poll
    assert one.due(20).send == b""


def test_a_reader_that_is_stopped_or_was_never_started_is_left_alone() -> None:
    one = decoder()
    assert one.due(10**12) == (b"", [], None)
    one.start()
    one.stop()
    assert one.due(10**12) == (b"", [], None)


# --- falling out of step


def test_nothing_inside_an_incomplete_frame_is_tried_before_the_line_is_silent() -> None:
    one = decoder()
    cut = hiding(8, 8)[: 16 + len(EVIL)]
    assert one.feed(cut, 1_000) == []
    assert one.due(100_999) == (b"", [], 101_000)
    due = one.due(101_000)
    assert due.next_due_us is None
    assert due.outcomes == [
        Rejected(reason="cut_frame", raw=cut[:16], at_us=1_000),
        Read(epc=EVIL_EPC, at_us=1_000, pc=0x3000, rssi_dbm=-50, after_resync=True),
    ]


def test_a_partial_frame_is_given_up_after_silence_and_the_next_one_is_in_step() -> None:
    one = decoder()
    one.feed(RM1[:10], 0)
    assert reasons(one.due(100_000).outcomes) == ["cut_frame"]
    assert one.feed(GOOD, 100_001) == [
        Read(epc=GOOD_EPC, at_us=100_001, pc=0x3000, rssi_dbm=-60, after_resync=False)
    ]


def test_bytes_that_are_still_coming_keep_a_partial_frame_alive() -> None:
    one = decoder()
    for number, byte in enumerate(RM1[:-1]):
        one.feed(bytes((byte,)), number * 90_000)
        assert one.due(number * 90_000 + 89_999).outcomes == []
    assert len(epcs(one.feed(RM1[-1:], 24 * 90_000))) == 1


@pytest.mark.parametrize("before", [0, 2, 8, 38])
@pytest.mark.parametrize("neighbours", [0, 1, 3])
def test_a_frame_hidden_in_an_epc_is_not_read_whatever_byte_of_the_outer_frame_is_lost(
    before: int, neighbours: int
) -> None:
    outer = hiding(before, 38 - before)
    for lost in range(len(outer)):
        damaged = outer[:lost] + outer[lost + 1 :]
        outcomes = decoded(GOOD, damaged, GOOD * neighbours)
        assert epcs(outcomes) == [GOOD_EPC] * (1 + neighbours), lost
        assert reasons(outcomes)


@pytest.mark.parametrize("before", [0, 8, 38])
def test_a_frame_hidden_in_an_epc_is_not_read_whatever_byte_of_the_outer_frame_is_wrong(
    before: int,
) -> None:
    outer = hiding(before, 38 - before)
    for place in range(len(outer)):
        for flip in (0x01, 0x80, 0xFF):
            damaged = bytearray(outer)
            damaged[place] ^= flip
            outcomes = decoded(GOOD, bytes(damaged), GOOD, GOOD)
            assert EVIL_EPC not in epcs(outcomes), (place, flip)
            assert epcs(outcomes).count(GOOD_EPC) == 3, (place, flip)


def test_the_same_holds_for_a_tag_with_an_xpc_word_but_for_its_pcs_first_byte() -> None:
    """Its CRC says nothing, so length and checksum must do; what gets out is marked."""
    params = b"\xc4\x62\x00" + EVIL + b"\x00\x00"
    outer = r200.encode_frame(r200.NOTIFICATION, r200.SINGLE_POLL, params)
    assert epcs(decoded(outer)) == [EVIL]
    for lost in range(len(outer)):
        outcomes = decoded(GOOD, outer[:lost] + outer[lost + 1 :], GOOD)
        assert epcs(outcomes).count(GOOD_EPC) == 2
        hidden = [o for o in outcomes if isinstance(o, Read) and o.epc == EVIL_EPC]
        assert [read.after_resync for read in hidden] == ([True] if lost == 6 else [])


def test_a_frame_that_shares_the_end_of_the_outer_one_is_not_read_when_a_byte_before_is_lost() -> (
    None
):
    inner = SUFFIX.index(EVIL[:5])
    assert epcs(decoded(SUFFIX[inner:])) == [EVIL_EPC]
    for lost in range(inner):
        damaged = SUFFIX[:lost] + SUFFIX[lost + 1 :]
        assert epcs(decoded(GOOD, damaged, GOOD)) == [GOOD_EPC, GOOD_EPC], lost


@given(
    rssi=st.integers(-128, 4),
    around=st.tuples(st.integers(0, 19), st.binary(min_size=38, max_size=38)),
    place=st.integers(0, 73),
    byte=st.none() | st.integers(0, 255),
    chunk=st.integers(1, 200),
)
def test_whatever_surrounds_a_hidden_frame_one_damaged_byte_never_lets_it_out(
    rssi: int, around: tuple[int, bytes], place: int, byte: int | None, chunk: int
) -> None:
    before, filler = around
    epc = filler[: before * 2] + EVIL + filler[before * 2 :]
    outer = r200.encode_tag(epc, rssi_dbm=rssi)
    kept = b"" if byte is None else bytes((byte,))
    stream = GOOD + outer[:place] + kept + outer[place + 1 :] + GOOD * 2
    pieces = [stream[at : at + chunk] for at in range(0, len(stream), chunk)]
    found = epcs(decoded(*pieces))
    assert [one for one in found if one != epc] == [GOOD_EPC] * 3


@example(frames=[(4, 5), (1, None)])
@example(frames=[(31, 6), (24, None), (31, 30), (12, None)])
@given(st.lists(st.tuples(st.integers(0, 20), st.none() | st.integers(0, 10**6)), max_size=12))
def test_no_good_frame_is_lost_beside_cut_ones(frames: list[tuple[int, int | None]]) -> None:
    """A frame of so many words; cut at that byte, or whole."""
    stream, wanted = b"", []
    for number, (words, cut) in enumerate(frames):
        epc = bytes((number + 1,)) * (2 * words)
        frame = r200.encode_tag(epc)
        stream += frame if cut is None else frame[: cut % len(frame)]
        wanted += [epc] if cut is None else []
    assert epcs(decoded(stream)) == wanted


def test_after_more_damage_than_one_byte_reads_are_marked_until_a_tag_frames_worth_has_fitted() -> (
    None
):
    outcomes = decoded(RM1[:4], GOOD * 6)
    marks = [outcome.after_resync for outcome in outcomes if isinstance(outcome, Read)]
    assert marks == [True, True, True, True, False, False]


def test_garbage_in_front_is_rejected_whole_and_the_frame_behind_it_is_read() -> None:
    garbage = bytes.fromhex("00FF1342") + b"\x7e" * 20
    outcomes = decoder().feed(garbage + GOOD, 7)
    assert outcomes[0] == Rejected(reason="garbage", raw=garbage, at_us=7)
    assert epcs(outcomes) == [GOOD_EPC]


def test_every_byte_of_garbage_is_in_a_reject_of_bounded_size() -> None:
    garbage = bytes(range(0x80)) * 100
    rejects = [outcome for outcome in decoded(garbage) if isinstance(outcome, Rejected)]
    assert b"".join(reject.raw for reject in rejects) == garbage
    assert max(len(reject.raw) for reject in rejects) <= r200.MAX_PARAMS


def test_512_bytes_of_params_are_a_frame_and_513_are_out_of_step() -> None:
    longest = r200.encode_frame(r200.NOTIFICATION, 0x31, bytes(512))
    assert len(decoder().feed(longest, 7)) == 1
    one = decoder()
    assert epcs(one.feed(bytes.fromhex("BB02220201") + GOOD, 7)) == [GOOD_EPC]
    with pytest.raises(ValueError, match="at most 512"):
        r200.encode_frame(r200.NOTIFICATION, 0x31, bytes(513))


def test_two_wrong_bytes_reject_the_frame_at_once_and_the_next_one_is_read() -> None:
    damaged = RM1[:9] + b"\xff\xff" + RM1[11:]
    one = decoder()
    assert one.feed(damaged, 7) == [Rejected(reason="bad_checksum", raw=damaged, at_us=7)]
    assert epcs(one.feed(GOOD, 8)) == [GOOD_EPC]


def test_the_flood_of_no_tag_frames_is_one_note_each_and_holds_nothing() -> None:
    one = decoder()
    notes = one.feed(NO_TAG * 1000, 7)
    assert len(notes) == 1000
    assert one.due(7).next_due_us is None
