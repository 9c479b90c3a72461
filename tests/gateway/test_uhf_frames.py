"""UHFReader lines out of step, and frames hidden in EPCs; frames marked CH1 and CH2 are in tests/captures/README.md."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway import uhf_frames as wire
from gateway.reads import ReaderNote, Rejected
from gateway.uhf_frames import Tag, encode_push, encode_tags_18, encode_tags_288
from tests.gateway.outcomes import epcs, reads_of, reasons
from tests.gateway.uhf_line import (
    CH1_4_BYTES,
    CH1_18,
    CH1_288,
    CH1_FINISHED,
    CH1_INFO,
    CH1_TWO,
    EVIL_EPC,
    GOOD,
    GOOD_EPC,
    TID,
    decoded,
    decoder,
)


def with_ffff_behind(head: bytes) -> bytes:
    """Two bytes that bring the CRC behind `head` back to where a frame begins."""
    for two in range(65536):
        tail = two.to_bytes(2, "big")
        if wire.checksum(head + tail) == b"\xff\xff":
            return tail
    raise AssertionError


def sharing_the_crc() -> bytes:
    """A tag frame whose EPC ends with another frame, which has its last three bytes in common with it."""
    hidden = bytes((13, 0, 1, 3, 1, 1, 4)) + EVIL_EPC
    epc_size = 3 + len(hidden)
    head = bytes((9 + epc_size, 0, 1, 3, 1, 1, epc_size)) + b"\x77"
    body = head + with_ffff_behind(head) + hidden + b"\x40"
    return body + wire.checksum(body)


def hiding(evil: bytes, before: int = 2, after: int = 2) -> bytes:
    """A tag frame whose EPC is another card's whole frame with this many bytes around it."""
    padding = (before + after + len(evil)) % 2
    return encode_tags_288([Tag(bytes(range(before)) + evil + bytes(range(after + padding)))])


HIDING = {
    "its own frame": hiding(CH1_4_BYTES),
    "its own frame at both ends": hiding(CH1_4_BYTES, 0, 0),
    "an 18 frame": hiding(CH1_18, 0, 4),
    "a push frame": hiding(encode_push(Tag(EVIL_EPC)), 5, 6),
    "two frames": hiding(CH1_4_BYTES * 2, 1, 1),
    "an 18 frame in an 18 frame": encode_tags_18([b"\x01\x02" + CH1_18 + b"\x03\x04"]),
    "a frame in a push frame": encode_push(Tag(b"\x01\x02" + CH1_4_BYTES + b"\x03\x04")),
    "a frame with a TID behind": encode_tags_288([Tag(b"\x09" + CH1_4_BYTES + b"\x09", 3, TID)]),
    "a frame in the second tag": encode_tags_288([Tag(GOOD_EPC), Tag(CH1_4_BYTES)]),
    "the end of the outer frame": sharing_the_crc(),
    "with a phase": encode_tags_288([Tag(CH1_4_BYTES, 9, None, (b"phas", 902750))]),
}
EVIL = {EVIL_EPC, bytes.fromhex("49440000000000000A000334")}


def test_a_garbage_byte_that_announces_256_delays_by_a_silence_and_loses_nothing() -> None:
    one = decoder()
    assert one.feed(b"\xff" + GOOD * 10, 0) == []
    assert one.due(99_999).outcomes == []
    outcomes = one.due(100_000).outcomes
    assert epcs(outcomes) == [GOOD_EPC] * 10
    assert reasons(outcomes) == ["cut_frame"]
    assert one.due(100_000).next_due_us is None


def test_a_garbage_byte_that_announces_256_is_given_up_when_as_many_bytes_have_come() -> None:
    one = decoder()
    assert epcs(one.feed(b"\xff" + GOOD * 12, 0)) == [GOOD_EPC] * 12


def test_what_is_found_after_garbage_is_marked_until_the_line_is_in_step_again() -> None:
    found = reads_of(decoded(b"\xff" + GOOD * 12))
    trusted = [not read.after_resync for read in found]
    assert trusted == [False] * 3 + [True] * 9
    assert len(GOOD) * 3 > 62


@pytest.mark.parametrize("outer", HIDING.values(), ids=HIDING.keys())
def test_the_outer_frame_of_a_hidden_one_is_read_as_it_is(outer: bytes) -> None:
    assert wire.encode_command(outer[2], outer[3:-2]) == outer
    assert not EVIL & set(epcs(decoded(GOOD, outer, GOOD)))
    assert len(epcs(decoded(GOOD, outer, GOOD))) >= 3


@pytest.mark.parametrize("outer", HIDING.values(), ids=HIDING.keys())
@pytest.mark.parametrize("behind", [b"", GOOD, GOOD * 20, CH1_FINISHED], ids=len)
def test_a_hidden_frame_is_never_read_whichever_outer_byte_is_lost(
    outer: bytes, behind: bytes
) -> None:
    for place in range(len(outer)):
        outcomes = decoded(GOOD, outer[:place] + outer[place + 1 :], behind)
        assert epcs(outcomes) == [GOOD_EPC, *epcs(decoded(behind))], place
        assert not any(read.after_resync for read in reads_of(outcomes)), place


@pytest.mark.parametrize("outer", HIDING.values(), ids=HIDING.keys())
@pytest.mark.parametrize("behind", [b"", GOOD], ids=len)
def test_a_hidden_frame_is_never_read_whichever_outer_byte_is_wrong(
    outer: bytes, behind: bytes
) -> None:
    for place in range(len(outer)):
        for flip in (0x01, 0x80, 0xFF):
            wrong = outer[:place] + bytes((outer[place] ^ flip,)) + outer[place + 1 :]
            assert not EVIL & set(epcs(decoded(GOOD, wrong, behind))), (place, flip)


@given(st.binary(max_size=40), st.binary(max_size=8), st.integers(0, 200), st.booleans())
def test_any_hidden_frame_stays_hidden_when_any_byte_of_the_outer_is_lost(
    epc: bytes, around: bytes, place: int, pushed: bool
) -> None:
    evil = encode_tags_288([Tag(EVIL_EPC)])
    whole = (around + evil + epc)[:62]
    whole += b"\x00" * (len(whole) % 2)
    outer = encode_push(Tag(whole)) if pushed else encode_tags_288([Tag(whole)])
    place %= len(outer)
    outcomes = decoded(GOOD, outer[:place] + outer[place + 1 :], GOOD, GOOD)
    assert epcs(outcomes) == [GOOD_EPC] * 3


def test_later_starts_wait_while_an_earlier_frame_is_incomplete() -> None:
    one = decoder()
    assert one.feed(hiding(CH1_4_BYTES)[:-3], 0) == []
    assert epcs(one.feed(hiding(CH1_4_BYTES)[-3:], 0)) == [hiding(CH1_4_BYTES)[7:-3]]


@pytest.mark.parametrize("frame", [CH1_18, CH1_288, CH1_TWO, CH1_INFO, encode_push(Tag(b"ab"))])
def test_a_frame_cut_anywhere_costs_only_itself(frame: bytes) -> None:
    for size in range(1, len(frame)):
        outcomes = decoded(GOOD, frame[:size], GOOD, GOOD)
        assert epcs(outcomes) == [GOOD_EPC] * 3, size
        rejects = [outcome.raw for outcome in outcomes if isinstance(outcome, Rejected)]
        assert b"".join(rejects) == frame[:size]


@given(st.binary(max_size=2000))
@example(bytes(700))
@example(b"\xff" * 700)
@example(CH1_TWO[:20] * 40)
def test_garbage_comes_out_as_rejects_that_hold_every_byte_of_it(garbage: bytes) -> None:
    rejects = [outcome for outcome in decoded(garbage) if isinstance(outcome, Rejected)]
    assert b"".join(reject.raw for reject in rejects) == garbage
    assert max((len(reject.raw) for reject in rejects), default=0) <= 256


def test_two_wrong_bytes_reject_the_frame_and_the_next_one_is_read() -> None:
    damaged = GOOD[:9] + b"\xff\xff" + GOOD[11:]
    outcomes = decoded(damaged, GOOD)
    assert outcomes[0] == Rejected(reason="bad_checksum", raw=damaged, at_us=5)
    assert epcs(outcomes) == [GOOD_EPC]


@given(st.binary(min_size=6, max_size=256), st.integers(0, 255), st.integers(1, 255))
def test_a_frame_can_be_mended_wherever_one_byte_was_lost_or_got_wrong(
    body: bytes, place: int, flip: int
) -> None:
    frame = body[:-2] + wire.checksum(body[:-2])
    place %= len(frame)
    lost = wire.mended(frame[:place] + frame[place + 1 :], lost=True)
    assert (place, frame) in lost
    wrong = frame[:place] + bytes((frame[place] ^ flip,)) + frame[place + 1 :]
    assert (place, frame) in wire.mended(wrong, lost=False)


def test_the_crc_is_the_reflected_one_of_the_description() -> None:
    crc = 0xFFFF
    for byte in CH1_TWO[:-2]:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8408 if crc & 1 else 0)
    assert wire.checksum(CH1_TWO[:-2]) == crc.to_bytes(2, "little") == CH1_TWO[-2:]


def test_no_later_start_is_tried_while_an_answer_of_any_kind_is_incomplete() -> None:
    answer = wire.encode_answer(0x52, 0x30, bytes(3) + GOOD + bytes(3))
    one = decoder()
    for byte in answer[:-1]:
        assert one.feed(bytes((byte,)), 0) == []
    assert one.feed(answer[-1:], 0) == [ReaderNote(kind="ack", at_us=0, detail="52 status 30")]


@pytest.mark.parametrize("length", [0, 4, 9, 0x14, 0x16, 0xFF])
def test_a_frame_with_a_wrong_len_is_one_reject(length: int) -> None:
    wrong = bytes((length,)) + CH1_288[1:]
    outcomes = decoded(wrong, GOOD)
    assert outcomes[0] == Rejected(reason="bad_checksum", raw=wrong, at_us=5)
    assert epcs(outcomes) == [GOOD_EPC]


def test_a_good_frame_that_ends_where_a_cut_one_would_is_not_taken_for_its_rest() -> None:
    """One other byte inside of the good frame would make both one frame, but then it would not be good."""
    assert epcs(decoded(CH1_18[:8] + b"\x00", encode_tags_288([Tag(b"", 94)]))) == [b""]
