"""The traps of ASCII lines, dialect by dialect; lines marked with a source are in tests/captures/README.md."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import ascii_lines
from gateway.ascii_lines import encode_ack, encode_at_round_end, encode_at_tag, encode_ecp
from gateway.protocols import ascii_line
from gateway.reads import Outcome, Read, ReaderNote, Rejected
from tests.gateway.outcomes import epcs, reads_of, reasons

A = bytes.fromhex("E0040150954F02B1")
B = bytes.fromhex("E200600311753E33")
EVIL = bytes.fromhex("E2801160600002054CC2096F")
ROUND = ascii_lines.encode_ascii_round([A, B], 12)
WEDGE: dict[str, object] = {
    "dialect": "pattern",
    "pattern": r"(?P<epc>[0-9A-F]*);(?P<ant>\d*);(?P<rssi>-?\d*);(?P<tid>[0-9A-F]*)",
}
S = 1_000_000

#: By dialect: its options, and a stream of good lines with the cards in it.
GOOD: dict[str, tuple[dict[str, object], bytes, list[bytes]]] = {
    "transcore_basic": ({}, b"#KING 1302\r\n#Done\r\n#KING 7\r\n", [b"KING 1302", b"KING 7"]),
    "transcore_ecp": (
        {},
        encode_ecp(4, b"KING 1302 ") + encode_ecp(6, b"K 7"),
        [b"KING 1302", b"K 7"],
    ),
    "metratec_ascii": ({}, ROUND, [A, B]),
    "metratec_at": (
        {},
        encode_at_tag(A, B, -57) + encode_at_round_end(2) + encode_at_tag(B),
        [A, B],
    ),
    "pattern": (WEDGE, f"{A.hex().upper()};1;-50;\r\n{B.hex().upper()};;;\r\n".encode(), [A, B]),
}


def decoder(dialect: str, **options: object) -> ascii_line.AsciiLineDecoder:
    return ascii_line.decoder({"dialect": dialect, **GOOD[dialect][0], **options})


def decoded(one: ascii_line.AsciiLineDecoder, *chunks: bytes) -> list[Outcome]:
    return [o for chunk in chunks for o in one.feed(chunk, 5)] + one.flush(5)


def notes(outcomes: list[Outcome]) -> list[tuple[str, str]]:
    return [(o.kind, o.detail) for o in outcomes if isinstance(o, ReaderNote)]


def without_one_byte(stream: bytes) -> list[bytes]:
    return [stream[:at] + stream[at + 1 :] for at in range(len(stream))]


# --- every dialect


@pytest.mark.parametrize("dialect", GOOD)
def test_good_lines_are_read_at_once_bytewise_and_with_either_end_of_line(dialect: str) -> None:
    _, stream, cards = GOOD[dialect]
    bare = stream.replace(b"\r\n", b"\r")
    assert epcs(decoded(decoder(dialect), stream)) == cards
    assert epcs(decoded(decoder(dialect), *(bytes((byte,)) for byte in stream))) == cards
    for end in (b"\n", b"\r\n", b"\n\r"):
        assert epcs(decoded(decoder(dialect), bare.replace(b"\r", end))) == cards


@pytest.mark.parametrize("dialect", GOOD)
@given(data=st.data())
def test_any_bytes_cut_anywhere_give_the_same_and_cost_no_line_after_their_end(
    dialect: str, data: st.DataObject
) -> None:
    _, stream, cards = GOOD[dialect]
    alphabet = st.sampled_from(sorted(set(stream)))
    parts = st.binary(max_size=700) | st.lists(alphabet, max_size=700).map(bytes)
    parts |= st.integers(0, len(stream)).map(lambda size: stream[:size])
    garbage = b"".join(data.draw(st.lists(parts, max_size=4)))
    cuts = [0, *sorted(data.draw(st.lists(st.integers(0, len(garbage))))), len(garbage)]
    whole, pieces = decoder(dialect), decoder(dialect)
    expected = whole.feed(garbage, 5)
    found: list[Outcome] = []
    for start, end in pairwise(cuts):
        found += pieces.feed(garbage[start:end], 5)
        assert len(vars(pieces)["_buffer"]) <= ascii_line.MAX_LINE
    assert found == expected
    assert pieces.flush(5) == whole.flush(5)
    assert epcs(decoded(whole, stream)) == cards
    garbage_and_good = decoded(decoder(dialect), garbage + b"\r" + stream)
    if dialect != "metratec_ascii":  # there garbage spoils the count of its round
        assert epcs(garbage_and_good)[-len(cards) :] == cards


@pytest.mark.parametrize("dialect", GOOD)
def test_a_line_without_its_end_is_given_up_after_a_silence(dialect: str) -> None:
    one = decoder(dialect)
    stream = GOOD[dialect][1].split(b"\r")[0]
    assert one.feed(stream, 7) == []
    assert one.due(7).next_due_us == 7 + ascii_line.STALE_US
    assert one.due(6 + ascii_line.STALE_US).outcomes == []
    due = one.due(7 + ascii_line.STALE_US)
    assert due.outcomes == [Rejected(reason="cut_line", raw=stream, at_us=7)]
    assert due.next_due_us is None


def test_a_long_line_is_rejected_in_pieces_to_its_end_and_the_next_one_is_read() -> None:
    line = b"#" + b"A" * 1000 + b"#KING 1\r"
    for chunks in ([line], [line[:600], line[600:]], [bytes((byte,)) for byte in line]):
        one = decoder("transcore_basic")
        outcomes = decoded(one, *chunks, b"#KING 2\r")
        assert reasons(outcomes) == ["long_line", "long_line"]
        assert b"".join(o.raw for o in outcomes if isinstance(o, Rejected)) + b"\r" == line
        assert epcs(outcomes) == [b"KING 2"]


# --- no card brings another one in


@pytest.mark.parametrize("removed", [False, True])
def test_an_ecp_message_inside_a_text_is_never_read(removed: bool) -> None:
    inner = encode_ecp(6, b"EVIL 666")[:-2]
    stream = encode_ecp(4, b"KING " + inner) + encode_ecp(2, b"A" + inner + b" ")
    for line in without_one_byte(stream) if removed else [stream]:
        assert epcs(decoded(decoder("transcore_ecp"), line)) == []


def test_an_ecp_message_that_lost_any_byte_but_of_its_end_is_rejected() -> None:
    message = encode_ecp(4, b"KING 1302 ")
    for line in without_one_byte(message)[:-2]:
        assert epcs(decoded(decoder("transcore_ecp"), line)) == []
    for line in without_one_byte(message)[-2:]:
        assert epcs(decoded(decoder("transcore_ecp"), line)) == [b"KING 1302"]


def test_a_basic_message_inside_a_text_is_never_read() -> None:
    for line in [b"#KING #EVIL 666\r\n", *without_one_byte(b"#KING #EVIL 666\r\n")]:
        assert b"EVIL 666" not in epcs(decoded(decoder("transcore_basic"), line))


def test_a_round_that_lost_any_byte_gives_no_card_that_was_not_there() -> None:
    for stream in without_one_byte(ROUND):
        found = reads_of(decoded(decoder("metratec_ascii"), stream))
        assert {read.epc for read in found} <= {A, B}
        assert {read.antenna for read in found} <= {12, None}


def test_at_lines_that_lost_any_byte_give_no_card_that_was_not_there() -> None:
    hiding = encode_at_tag(EVIL, B, -50)[:30]
    stream = encode_at_tag(hiding, B, -57) + encode_at_tag(A, B, -57) + encode_at_round_end(2)
    for damaged in without_one_byte(stream):
        assert set(epcs(decoded(decoder("metratec_at"), damaged))) <= {hiding, A}


def test_a_pattern_fits_the_whole_line_or_nothing() -> None:
    one = ascii_line.decoder({"dialect": "pattern", "pattern": "(?P<epc>[0-9A-F]{16})"})
    outcomes = decoded(one, A.hex().upper().encode() + b" x\r" + A.hex().upper().encode() + b"\r")
    assert (reasons(outcomes), epcs(outcomes)) == (["no_match"], [A])


def test_auto_doubts_a_line_of_another_form_than_the_one_before() -> None:
    hidden = encode_at_tag(EVIL)
    outcomes = decoded(ascii_line.decoder({}), b"#KING 1\r\n" + hidden + hidden + b"#KING 2\r\n")
    assert [(read.epc, read.after_resync) for read in reads_of(outcomes)] == [
        (b"KING 1", False),
        (EVIL, True),
        (EVIL, False),
        (b"KING 2", True),
    ]


@pytest.mark.parametrize("dialect", ["metratec_ascii", "pattern"])
def test_the_first_line_after_the_start_may_be_the_end_of_one_and_is_doubtful(dialect: str) -> None:
    one = decoder(dialect)
    found = reads_of(decoded(one, GOOD[dialect][1]))
    assert [read.after_resync for read in found] == [True, False]


# --- TransCore


@pytest.mark.parametrize(
    ("line", "kind", "detail"),
    [
        (b"#Done", "ack", "Done"),
        (b"#Error06", "error", "Error06"),
        (b"IDAP T0 D0 X0", "status", "IDAP T0 D0 X0"),
        (b"#MAIN B0 S0 P0 D0", "status", "MAIN B0 S0 P0 D0"),
    ],
)
def test_what_a_transcore_reader_says_beside_tags_is_a_note(
    line: bytes, kind: str, detail: str
) -> None:
    assert notes(decoded(decoder("transcore_basic"), line + b"\r\n")) == [(kind, detail)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "bad_report"),
        (b"A" * 73, "long_report"),
        (b"K\x00NG", "bad_report"),
        (b"A#B", "bad_report"),
    ],
)
def test_a_text_that_no_tag_has_is_rejected(text: bytes, reason: str) -> None:
    outcomes = decoded(decoder("transcore_basic"), ascii_lines.encode_basic(text))
    assert (reasons(outcomes), epcs(outcomes)) == ([reason], [])


def test_xon_and_xoff_around_a_message_are_passed_over() -> None:
    assert epcs(decoded(decoder("transcore_basic"), b"\x11#KING 1\x13\r\n")) == [b"KING 1"]


def test_the_crc_of_ecp_is_that_of_the_worked_values() -> None:
    assert ascii_lines.ecp_crc(b"4KING 1302 ") == 0xB3D3
    assert ascii_lines.ecp_crc(b"4KING 1302") == 0x9A91
    assert encode_ack(b"4") == b"#4@3440\r"


@pytest.mark.parametrize(
    "line", [b"#4KING 1302 B3D3\r\n", b"#4KING 1302 9A91\r\n", b"#4KING 13029A91\r\n"]
)
def test_a_report_is_the_same_whether_its_space_is_summed_or_not_and_asks_for_its_ack(
    line: bytes,
) -> None:
    (read,) = decoder("transcore_ecp").feed(line, 7)
    assert isinstance(read, Read)
    assert (read.epc, read.ack) == (b"KING 1302", b"#4@3440\r")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"#4KING 1302 B3D4\r\n", "bad_crc"),
        (b"#4KING 1302 ````\r\n", "bad_message"),
        (b"#4KING 1302 b3d3\r\n", "bad_message"),
        (b"#KING 1302\r\n", "bad_message"),
        (encode_ecp(5, b"KING 1302 "), "odd_sequence"),
        (b"#40034\r\n", "bad_message"),
        (encode_ecp(4, b"  "), "bad_report"),
        (encode_ecp(4, b"A" * 80), "long_report"),
    ],
)
def test_a_bad_ecp_message_is_rejected_with_the_reason(line: bytes, reason: str) -> None:
    assert reasons(decoder("transcore_ecp").feed(line, 7)) == [reason]


def test_a_wrong_crc_is_refused_once_and_only_by_a_decoder_that_was_started() -> None:
    quiet, one = decoder("transcore_ecp"), decoder("transcore_ecp")
    assert one.start() == b""
    for each in (quiet, one):
        each.feed(b"#4KING 1302 B3D4\r\n", 7)
    assert quiet.due(7).send == b""
    assert one.due(7).send == ascii_lines.encode_refusal(b"4")
    assert one.due(8).send == b""


def test_a_message_without_a_card_is_acknowledged_at_once_and_a_report_is_not() -> None:
    one = decoder("transcore_ecp")
    one.start()
    assert notes(one.feed(encode_ecp(2, b"Done"), 7)) == [("ack", "Done")]
    assert one.due(7).send == encode_ack(b"2")
    one.feed(encode_ecp(4, b"KING 1302 "), 8)
    assert one.due(8).send == b""


def test_a_report_that_is_sent_again_has_the_same_key_and_a_later_equal_one_has_not() -> None:
    one = decoder("transcore_ecp")
    message, other = encode_ecp(4, b"KING 1302 "), encode_ecp(6, b"KING 1302 ")
    times = [
        (message, 1 * S),
        (message, 13 * S),
        (other, 14 * S),
        (message, 15 * S),
        (message, 29 * S),
    ]
    found = [reads_of(one.feed(line, at_us))[0] for line, at_us in times]
    assert [read.key for read in found] == [
        "1000000.4@B3D3",
        "1000000.4@B3D3",
        f"14000000.6@{ascii_lines.ecp_crc(b'6KING 1302 '):04X}",
        "15000000.4@B3D3",
        "29000000.4@B3D3",
    ]
    assert {read.ack for read in found} == {encode_ack(b"4"), encode_ack(b"6")}


def test_the_text_of_a_report_can_be_taken_apart_by_a_pattern() -> None:
    pattern = r"(?P<epc>[A-Z]+ \d+)(?:&(?P<ant>\d))?"
    one = decoder("transcore_basic", pattern=pattern, epc="text")
    assert [(r.epc, r.antenna) for r in reads_of(decoded(one, b"#KING 1&3\r\n#KING 2\r\n"))] == [
        (b"KING 1", 3),
        (b"KING 2", None),
    ]


def test_data_inquiry_mode_asks_again_and_again() -> None:
    one = decoder("transcore_basic", poll=r"\x05", poll_ms=500)
    assert one.due(1).send == b""
    one.start()
    assert [one.due(at).send for at in (0, 499_999, 500_000, 500_001)] == [
        b"\x05",
        b"",
        b"\x05",
        b"",
    ]
    assert one.due(500_002).next_due_us == 1_000_000
