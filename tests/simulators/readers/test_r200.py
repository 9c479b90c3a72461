"""The simulated R200 against the real decoder."""

import pytest

from gateway.protocols.r200 import (
    R200Decoder,
    R200Options,
    encode_frame,
    encode_multiple_poll,
    encode_stop,
)
from gateway.reads import Outcome, Read, ReaderNote
from simulators.device import Tag
from simulators.readers.r200 import POLL_US, R200Reader
from tests.simulators.made import draws

#: Commands as a vendor's manual has them.
SINGLE_POLL = bytes.fromhex("BB00220000227E")
MULTIPLE_POLL = bytes.fromhex("BB00270003222710837E")
STOP = bytes.fromhex("BB00280000287E")
NO_TAG = bytes.fromhex("BB01FF000115167E")

NOON = 1_772_460_000_000_000
CARD = bytes.fromhex("E200BB022200117E00112233")


def polled(reader: R200Reader, start_us: int, polls: int) -> bytes:
    return b"".join(reader.due(start_us + at * POLL_US).data for at in range(polls))


def decoded(data: bytes) -> list[Outcome]:
    decoder = R200Decoder(R200Options())
    return decoder.feed(data, NOON) + decoder.flush(NOON)


def test_it_is_silent_until_it_is_told_to_poll() -> None:
    reader = R200Reader()
    reader.field.enter(Tag(CARD, None, -50), NOON + 10**9)
    assert polled(reader, NOON, 100) == b""
    assert reader.due(NOON).next_due_us is None


def test_the_multiple_poll_makes_it_report_at_the_poll_rate() -> None:
    reader = R200Reader()
    assert reader.receive(MULTIPLE_POLL, NOON) == b""
    assert polled(reader, NOON, 5) == NO_TAG * 5
    assert reader.due(NOON + 4 * POLL_US + 1).data == b""


def test_a_tag_in_the_field_is_read_by_the_real_decoder_with_its_signal() -> None:
    reader = R200Reader()
    reader.field.enter(Tag(CARD, None, -50), NOON + 10**9)
    reader.receive(MULTIPLE_POLL, NOON)
    reads = decoded(polled(reader, NOON, 3))
    assert [(one.epc, one.rssi_dbm, one.pc) for one in reads if isinstance(one, Read)] == [
        (CARD, -50, 0x3000)
    ] * 3


def test_several_tags_take_turns_until_they_leave() -> None:
    reader = R200Reader()
    other = bytes.fromhex("E2001D7315016521408FC6B8")
    reader.field.enter(Tag(CARD, None, -50), NOON + 2 * POLL_US)
    reader.field.enter(Tag(other, None, -60), NOON + 4 * POLL_US)
    reader.receive(MULTIPLE_POLL, NOON)
    outcomes = decoded(polled(reader, NOON, 5))
    reads = [one.epc for one in outcomes if isinstance(one, Read)]
    assert sorted(reads[:2]) == sorted((CARD, other))
    assert reads[2:] == [other, other]
    assert isinstance(outcomes[-1], ReaderNote)


def test_the_multiple_poll_ends_after_its_rounds_and_the_decoder_asks_again() -> None:
    reader, decoder = R200Reader(), R200Decoder(R200Options(rounds=4))
    reader.receive(decoder.start(), NOON)
    decoder.due(NOON)
    decoder.feed(polled(reader, NOON, 10), NOON)
    assert reader.due(NOON).next_due_us is None
    later = NOON + 2_000_000
    reader.receive(decoder.due(later).send, later)
    assert reader.polling
    assert polled(reader, later, 10) == NO_TAG * 4


def test_the_stop_command_is_answered_and_ends_the_poll() -> None:
    reader = R200Reader()
    reader.receive(MULTIPLE_POLL, NOON)
    answer = reader.receive(STOP, NOON)
    assert answer == bytes.fromhex("BB01280001002A7E")
    assert polled(reader, NOON, 5) == b""


def test_a_single_poll_gives_one_answer() -> None:
    reader = R200Reader()
    assert reader.receive(SINGLE_POLL, NOON) == NO_TAG
    reader.field.enter(Tag(CARD, None, -50), NOON + 10**9)
    (read,) = decoded(reader.receive(SINGLE_POLL, NOON))
    assert isinstance(read, Read)
    assert polled(reader, NOON, 5) == b""


def test_a_command_that_it_does_not_know_gives_an_error_frame() -> None:
    (note,) = decoded(R200Reader().receive(encode_frame(0, 0x77), NOON))
    assert isinstance(note, ReaderNote)
    assert note.kind == "error"


@pytest.mark.parametrize("seed", range(20))
def test_commands_come_through_however_they_are_cut_and_whatever_stands_before_them(
    seed: int,
) -> None:
    chance = draws(seed)
    noise = chance.randbytes(chance.randrange(0, 40)).replace(b"\xbb", b"\x00")
    reader = R200Reader()
    for byte in noise + encode_multiple_poll() + encode_stop() + encode_multiple_poll():
        reader.receive(bytes((byte,)), NOON)
    assert reader.polling


def test_a_command_with_a_wrong_checksum_is_ignored() -> None:
    reader = R200Reader()
    damaged = MULTIPLE_POLL[:-2] + b"\x84\x7e"
    assert reader.receive(damaged, NOON) == b""
    assert not reader.polling
    reader.receive(MULTIPLE_POLL, NOON)
    assert reader.polling


def test_the_other_envelope_works_alike() -> None:
    reader = R200Reader(envelope="AADD")
    decoder = R200Decoder(R200Options(envelope="AADD"))
    reader.field.enter(Tag(CARD, None, -50), NOON + 10**9)
    reader.receive(decoder.start(), NOON)
    (read,) = decoder.feed(reader.due(NOON).data, NOON)
    assert isinstance(read, Read)
