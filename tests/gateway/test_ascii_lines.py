"""What metraTec lines and patterns say, and the options; `test_ascii_line.py` has the rest."""

import pytest

from gateway.ascii_lines import encode_at_round_end, encode_at_tag
from gateway.ascii_round import MAX_HELD
from gateway.protocols import ascii_line
from gateway.reads import OptionError, Read
from tests.gateway.outcomes import epcs, reads_of, reasons
from tests.gateway.test_ascii_line import A, B, S, decoded, decoder, notes

# --- metraTec


def test_the_antenna_of_a_round_belongs_to_the_tags_before_it() -> None:
    stream = encode_at_tag(A) + encode_at_round_end(2) + encode_at_tag(B) + encode_at_round_end(1)
    outcomes = decoder("metratec_at").feed(stream, 7)
    assert [(read.epc, read.antenna) for read in reads_of(outcomes)] == [(A, 2), (B, 1)]
    assert reads_of(outcomes)[0].at_us == 7


@pytest.mark.parametrize(
    ("dialect", "doubtful"), [("metratec_at", False), ("metratec_ascii", True)]
)
def test_tags_wait_a_second_for_their_antenna_and_go_without(dialect: str, doubtful: bool) -> None:
    one = decoder(dialect)
    line = encode_at_tag(A) if dialect == "metratec_at" else A.hex().encode() + b"\r"
    assert one.feed(line, 7) == []
    assert one.due(8).next_due_us == 7 + ascii_line.HOLD_US
    due = one.due(7 + ascii_line.HOLD_US)
    assert due == (b"", [Read(epc=A, at_us=7, after_resync=doubtful)], None)


def test_an_answer_that_lost_its_end_is_rejected_and_the_one_behind_it_is_read() -> None:
    stream = b"+CINV: E0040150+CINV: E200600311753E33\r"
    outcomes = decoded(decoder("metratec_at", fields="epc"), stream)
    assert (reasons(outcomes), epcs(outcomes)) == (["cut_line"], [B])


def test_a_reader_that_never_ends_a_round_fills_nothing() -> None:
    found = decoder("metratec_at").feed(encode_at_tag(A) * (MAX_HELD + 1), 7)
    assert len(reads_of(found)) == MAX_HELD


def test_a_damaged_end_of_round_gives_its_tags_no_antenna_instead_of_the_next_ones() -> None:
    stream = encode_at_tag(A) + b"+CINV: <ROUND FINISHED, ANT=x>\r" + encode_at_tag(B)
    outcomes = decoder("metratec_at").feed(stream + encode_at_round_end(2), 7)
    assert [(read.epc, read.antenna) for read in reads_of(outcomes)] == [(A, None), (B, 2)]
    hex_a, hex_b = A.hex().encode(), B.hex().encode()
    stream = hex_a + b"\rARP 1\r" + hex_b + b"\rARP 02\rIVF 02\r"
    outcomes = decoder("metratec_ascii").feed(stream, 7)
    assert [(read.epc, read.antenna) for read in reads_of(outcomes)] == [(A, None), (B, 2)]


def test_a_round_with_fewer_lines_than_the_reader_counted_is_not_believed() -> None:
    outcomes = decoder("metratec_ascii").feed(A.hex().encode() + b"\rIVF 02\r", 7)
    assert (reasons(outcomes), epcs(outcomes)) == (["bad_count"], [])
    assert notes(decoder("metratec_ascii").feed(b"IVF 02\r", 7))[0][0] == "reads_lost"


def test_a_rejected_line_explains_a_missing_tag_and_leaves_the_others_doubtful() -> None:
    stream = b"\r" + A.hex().encode() + b"\r" + B.hex().encode()[1:] + b"\rIVF 02\r"
    outcomes = decoder("metratec_ascii").feed(stream, 7)
    assert reasons(outcomes) == ["bad_line"]
    assert [(read.epc, read.after_resync) for read in reads_of(outcomes)] == [(A, True)]


@pytest.mark.parametrize(
    ("line", "fields", "wanted"),
    [
        (b"+CINV: E004", "epc", Read(epc=b"\xe0\x04", at_us=5)),
        (b"+CINV: E004,-57", "epc,rssi", Read(epc=b"\xe0\x04", at_us=5, rssi_dbm=-57)),
        (b"+CINV: E004,1755", "epc,rssi", Read(epc=b"\xe0\x04", at_us=5, rssi_raw=1755)),
        (b"+CINVR: E004,12", "epc", Read(epc=b"\xe0\x04", at_us=5, reads=12)),
        (b"+CMINV: E004,,-57.5", "epc,tid,rssi", Read(epc=b"\xe0\x04", at_us=5, rssi_dbm=-57.5)),
        (b"+MINV: E004,E2,1,2", "epc,-,-,-", Read(epc=b"\xe0\x04", at_us=5)),
        (b"+INV: ", "epc", Read(epc=b"", at_us=5)),
    ],
)
def test_the_fields_of_an_at_line_are_those_of_the_configuration(
    line: bytes, fields: str, wanted: Read
) -> None:
    assert decoded(decoder("metratec_at", fields=fields), line + b"\r") == [wanted]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"+CINV: E004,E200", "bad_fields"),
        (b"+CINV: E004,E200,-57,1", "bad_fields"),
        (b"+CINV: E00,E200,-57", "bad_epc"),
        (b"+CINV: E0,E200,-57", "bad_epc"),
        (b"+CINV: " + b"E0" * 64 + b",E200,-57", "bad_epc"),
        (b"+CINV: E004,E20,-57", "bad_field"),
        (b"+CINV: E004,E200,-1_0", "bad_field"),
        (b"+CINV: E004,E200,-999", "bad_field"),
        (b"+CINVR: E004,E200,-57,0", "bad_field"),
        (b"+CINV: <ROUND FINISHED, ANT=256>", "bad_field"),
        (b"CINV: E004,E200,-57", "bad_line"),
    ],
)
def test_an_at_line_that_cannot_be_is_rejected_with_the_reason(line: bytes, reason: str) -> None:
    outcomes = decoded(decoder("metratec_at"), line + b"\r")
    assert (reasons(outcomes), epcs(outcomes)) == ([reason], [])


@pytest.mark.parametrize(
    ("dialect", "line", "kind", "detail"),
    [
        ("metratec_at", b"+CINV: <NO TAGS FOUND>", "heartbeat", "no tags found"),
        ("metratec_at", b"+CINV: <Antenna Error>", "error", "Antenna Error"),
        ("metratec_at", b"+CINV=<ROUND FINISHED, ANT=2>", "round", "ROUND FINISHED, ANT=2"),
        ("metratec_at", b"OK", "ack", "OK"),
        ("metratec_at", b"+ERR: <no>", "error", "no"),
        ("metratec_at", b"AT+CINV", "command", "AT+CINV"),
        ("metratec_at", b"+READ: E004,OK,11", "answer", "+READ"),
        ("metratec_ascii", b"HBT", "heartbeat", "HBT"),
        ("metratec_ascii", b"TOE", "error", "TOE"),
        ("metratec_ascii", b"BRA", "ack", "BRA"),
        ("metratec_ascii", b"UPA 01", "answer", "UPA"),
        ("metratec_ascii", b"IVF 00", "round", "0 tags"),
    ],
)
def test_what_a_metratec_reader_says_beside_tags_is_a_note(
    dialect: str, line: bytes, kind: str, detail: str
) -> None:
    assert notes(decoded(decoder(dialect), line + b"\r")) == [(kind, detail)]


@pytest.mark.parametrize(
    ("dialect", "start", "stop"),
    [
        ("metratec_at", b"AT+CINV\r", b"AT+BINV\r"),
        ("metratec_ascii", b"CNR INV\r", b"BRK\r"),
    ],
)
def test_the_inventory_is_started_again_after_silence_and_stopped(
    dialect: str, start: bytes, stop: bytes
) -> None:
    one = decoder(dialect)
    assert one.due(0).next_due_us is None
    assert one.start() == start
    assert one.due(1 * S) == (b"", [], 1 * S + ascii_line.REISSUE_US)
    one.feed(b"HBT\r", 3 * S)
    assert one.due(7 * S).send == b""
    assert one.due(8 * S).send == start
    assert one.due(8 * S + 1).send == b""
    assert one.stop() == stop
    assert one.due(99 * S) == (b"", [], None)


# --- patterns and options


@pytest.mark.parametrize(
    ("rssi", "text", "dbm", "raw"),
    [
        ("signed", b"-50", -50, None),
        ("signed", b"50", None, 50),
        ("magnitude", b"50", -50, None),
        ("raw", b"-50", None, -50),
        ("signed", b"", None, None),
    ],
)
def test_a_signal_is_dbm_or_a_number_without_unit(
    rssi: str, text: bytes, dbm: float | None, raw: int | None
) -> None:
    one = decoder("pattern", rssi=rssi)
    (read,) = reads_of(decoded(one, b"E004;3;" + text + b";E200\r"))
    assert (read.antenna, read.tid, read.rssi_dbm, read.rssi_raw) == (3, b"\xe2\x00", dbm, raw)


def test_the_known_rest_of_a_pattern_reader_is_a_note_and_never_a_reject() -> None:
    outcomes = decoded(decoder("pattern", notes="#PONG|#READ:.*"), b"#PONG\r#READ:ON\r#X\r")
    assert (notes(outcomes), reasons(outcomes)) == ([("other", "")] * 2, ["no_match"])


def test_commands_can_be_configured_with_escapes() -> None:
    one = decoder("pattern", start=r"#READ:ON\r\n", stop=r"\x1b\\")
    assert (one.start(), one.stop()) == (b"#READ:ON\r\n", b"\x1b\\")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"dialect": "pattern"}, "needs one"),
        ({"dialect": "pattern", "pattern": "("}, "no regular expression"),
        ({"dialect": "pattern", "pattern": "a"}, "no group"),
        ({"dialect": "pattern", "pattern": "(?P<epc>a)(?P<tag>b)"}, "has a group 'tag'"),
        ({"dialect": "metratec_at", "pattern": "(?P<epc>a)"}, "has no place"),
        ({"fields": "tid,epc"}, "epc first"),
        ({"fields": "epc,rsi"}, "epc first"),
        ({"fields": "epc,tid,tid"}, "epc first"),
        ({"dialect": "transcore"}, "allowed: auto"),
        ({"start": "\u20ac"}, "latin-1"),
    ],
)
def test_options_that_cannot_be_are_named(options: dict[str, object], text: str) -> None:
    with pytest.raises(OptionError, match=text):
        ascii_line.decoder(options)
