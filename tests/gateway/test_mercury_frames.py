"""Mercury lines that fall out of step, and cards that hide a report in their EPC."""

from binascii import crc_hqx

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway import mercury_frames
from gateway.mercury_frames import MAX_FRAME, encode_tag
from gateway.reads import Rejected
from tests.gateway.mercury_line import EVIL_EPC, GOOD, GOOD_EPC, TM1, decoded, decoder
from tests.gateway.outcomes import epcs, reads_of, reasons

#: The shortest report of the evil card: no fields at all.
EVIL = encode_tag(EVIL_EPC, metadata=0)


def hiding(before: int, after: int, pc: int | None = None) -> bytes:
    """A tag report whose EPC is the evil card's whole report with this many bytes around it."""
    return encode_tag(bytes(range(before)) + EVIL + bytes(range(after)), rssi_dbm=-41, pc=pc)


def test_nothing_inside_an_incomplete_frame_is_tried_before_the_line_is_silent() -> None:
    one = decoder()
    cut = hiding(4, 27)[: 31 + 4 + len(EVIL)]
    assert one.feed(cut, 1_000) == []
    assert one.due(100_999) == (b"", [], 101_000)
    due = one.due(101_000)
    assert due.next_due_us is None
    assert [(read.epc, read.after_resync) for read in reads_of(due.outcomes)] == [(EVIL_EPC, True)]


def test_a_partial_frame_is_given_up_after_silence_and_the_next_one_is_in_step() -> None:
    one = decoder()
    one.feed(TM1[:9], 0)
    assert reasons(one.due(100_000).outcomes) == ["cut_frame"]
    assert [read.after_resync for read in reads_of(one.feed(GOOD, 100_001))] == [False]


@pytest.mark.parametrize("before", [0, 2, 8, 31])
@pytest.mark.parametrize("neighbours", [0, 1, 3])
@pytest.mark.parametrize("metadata", [0x1FF, 0x000, 0x0C3])
def test_a_frame_hidden_in_an_epc_is_not_read_whatever_byte_of_the_outer_frame_is_lost(
    before: int, neighbours: int, metadata: int
) -> None:
    epc = bytes(range(before)) + EVIL + bytes(range(31 - before))
    outer = encode_tag(epc, metadata=metadata)
    assert epcs(decoded(outer)) == [epc]
    for lost in range(len(outer)):
        damaged = outer[:lost] + outer[lost + 1 :]
        outcomes = decoded(GOOD, damaged, GOOD * neighbours)
        assert epcs(outcomes) == [GOOD_EPC] * (1 + neighbours), lost
        assert reasons(outcomes)


@pytest.mark.parametrize("before", [0, 8, 31])
def test_a_frame_hidden_in_an_epc_is_not_read_whatever_byte_of_the_outer_frame_is_wrong(
    before: int,
) -> None:
    outer = hiding(before, 31 - before)
    for place in range(len(outer)):
        for flip in (0x01, 0x80, 0xFF, outer[place] ^ 0xFF):
            damaged = bytearray(outer)
            damaged[place] ^= flip
            outcomes = decoded(GOOD, bytes(damaged), GOOD, GOOD)
            assert EVIL_EPC not in epcs(outcomes), (place, flip)
            assert epcs(outcomes).count(GOOD_EPC) == 3, (place, flip)


def test_the_same_holds_for_a_tag_with_an_xpc_word() -> None:
    outer = hiding(1, 0, pc=0x8A00)
    assert len(epcs(decoded(outer))) == 1
    for lost in range(len(outer)):
        assert epcs(decoded(GOOD, outer[:lost] + outer[lost + 1 :], GOOD)) == [GOOD_EPC] * 2, lost


def test_a_frame_that_shares_the_end_of_the_outer_one_is_not_read_when_a_byte_is_lost() -> None:
    """The hidden report ends with the outer one's two CRCs: free bytes before it make both fit."""
    inner = EVIL[:-4]
    free = next(
        free
        for free in (number.to_bytes(2, "big") for number in range(0x10000))
        if crc_hqx(b"\x78\x00\x00" + free + inner[:13], 0xFFFF) == 0xFFFF
    )
    candidates = (encode_tag(b"\x00" + free + inner, milliseconds=ms) for ms in range(0x10000))
    outer = next(frame for frame in candidates if mercury_frames.fits(frame, 34, len(frame)))
    assert epcs(decoded(outer[34:])) == [EVIL_EPC]
    for lost in range(34):
        assert epcs(decoded(GOOD, outer[:lost] + outer[lost + 1 :], GOOD)) == [GOOD_EPC] * 2, lost


@given(
    around=st.tuples(st.integers(0, 15), st.binary(min_size=31, max_size=31)),
    ms=st.integers(0, 1000),
    place=st.integers(0, 96),
    byte=st.none() | st.integers(0, 255),
    chunk=st.integers(1, 200),
)
def test_whatever_surrounds_a_hidden_frame_one_damaged_byte_never_lets_it_out(
    around: tuple[int, bytes], ms: int, place: int, byte: int | None, chunk: int
) -> None:
    before, filler = around
    epc = filler[: before * 2] + EVIL + filler[before * 2 :]
    outer = encode_tag(epc, milliseconds=ms)
    kept = b"" if byte is None else bytes((byte,))
    stream = GOOD + outer[:place] + kept + outer[place + 1 :] + GOOD * 2
    pieces = [stream[at : at + chunk] for at in range(0, len(stream), chunk)]
    found = epcs(decoded(*pieces))
    assert [one for one in found if one != epc] == [GOOD_EPC] * 3


@example(frames=[(4, 5, False), (1, None, False)])
@example(frames=[(6, 46, False), (6, 45, False), (6, None, False)])
@given(
    st.lists(
        st.tuples(st.integers(0, 20), st.none() | st.integers(0, 10**6), st.booleans()),
        max_size=12,
    )
)
def test_no_good_frame_is_lost_beside_cut_ones(frames: list[tuple[int, int | None, bool]]) -> None:
    """A frame of so many words; cut at that byte, or whole, and then perhaps with an XPC word."""
    stream, wanted = b"", []
    for number, (words, cut, xpc) in enumerate(frames):
        epc = bytes((number + 1,)) * (2 * words)
        frame = encode_tag(epc, pc=words << 11 | 0x0200 if xpc and cut is None else None)
        stream += frame if cut is None else frame[: cut % len(frame)]
        wanted += [epc] if cut is None else []
    assert [epc for epc in epcs(decoded(stream)) if epc in wanted] == wanted


@pytest.mark.parametrize("words", [2, 17, 31])
def test_a_cut_report_of_a_tag_with_an_xpc_word_costs_no_good_frame_behind_it(words: int) -> None:
    """Its CRC cannot tell what was lost, so a byte that fits is often found.

    Left out: a frame that ends just where the cut one would have ended looks like a part of it.
    """
    empty = encode_tag(b"")
    for ms in range(8):
        frame = encode_tag(b"\xee" * 2 * words, pc=words << 11 | 0x0200, milliseconds=ms)
        for cut in range(len(frame) - 1):
            if len(frame) - cut - len(empty) in {0, 1}:
                continue
            outcomes = decoded(frame[:cut], empty, encode_tag(b"", milliseconds=9) * 4)
            assert epcs(outcomes) == [b""] * 5, cut


@pytest.mark.parametrize("lost", range(1, 8))
def test_a_report_whose_crc_is_like_a_frames_first_byte_costs_no_frame_behind_it(lost: int) -> None:
    """Cut at its end, its CRC seems to go on with the first byte of the next frame.

    Where the one byte that is missing is FF, the next frame's completes it: then both are read.
    """
    tried = 0
    for ms in range(3000):
        frame = encode_tag(b"\xff\xff" * 6, milliseconds=ms)
        if 0xFF in frame[-2:]:
            tried += 1
            found = epcs(decoded(frame[:-lost], GOOD, GOOD))
            assert found[-2:] == [GOOD_EPC] * 2, ms
            assert len(found) == 2 + (lost == 1 and frame[-1] == 0xFF), ms
    assert tried > 10


def test_after_more_damage_than_one_byte_reads_are_marked_until_a_reports_worth_has_fitted() -> (
    None
):
    outcomes = decoded(TM1[:4], GOOD * 5)
    marks = [read.after_resync for read in reads_of(outcomes)]
    assert marks == [True, True, False, False, False]


def test_garbage_in_front_is_rejected_whole_and_the_frame_behind_it_is_read() -> None:
    garbage = bytes.fromhex("001342") + b"\x7e" * 20
    outcomes = decoder().feed(garbage + GOOD, 7)
    assert outcomes[0] == Rejected(reason="garbage", raw=garbage, at_us=7)
    assert epcs(outcomes) == [GOOD_EPC]


def test_every_byte_of_garbage_is_in_a_reject_of_bounded_size() -> None:
    garbage = bytes(range(0x100)) * 100
    rejects = [outcome for outcome in decoded(garbage) if isinstance(outcome, Rejected)]
    assert b"".join(reject.raw for reject in rejects) == garbage
    assert max(len(reject.raw) for reject in rejects) <= MAX_FRAME
