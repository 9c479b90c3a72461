import pytest

from gateway.capture_file import (
    MAX_LINE,
    BadLine,
    Form,
    Heard,
    LineForm,
    delete_after,
    detect,
    first_line,
    parse_line,
)
from gateway.link import Envelope
from gateway.reads import Framing

RM1 = b"BB02220011C9340030751FEB705C5904E3D50D703A76EF7E"


@pytest.mark.parametrize(
    ("framing", "head", "form"),
    [
        ("stream", RM1, "hex"),
        ("stream", b"# hex frame ; direction\n" + RM1, "hex"),
        ("stream", b"\n\n  bb 02 22\n", "hex"),
        ("stream", b"BB02 not hex at all\n" + RM1, "hex"),
        ("stream", b"", "hex"),
        ("stream", bytes.fromhex(RM1.decode()), "raw"),
        ("stream", b'{"at_us": 1, "dir": "rx", "hex": "BB"}\n', "capture"),
        ("stream", b"# escaped line ; family\n#KING 1\\r\n", "escaped"),
        ("message", b'{"at_us": 1, "dir": "rx", "hex": "7B7D", "topic": "t"}\n', "capture"),
        ("message", b'{"type":"SIMPLE"}\n', "json"),
        ("message", b'[{"type":"SIMPLE"}]', "json"),
        ("message", b"connection lost\n{}", "json"),
        ("message", b"{\n  1}", "payload"),
        ("message", b"[\n", "payload"),
        ("message", b"7B7D ; rx ; OWN ; note\n", "hex"),
        ("message", b"", "json"),
    ],
)
def test_the_form_is_told_by_how_the_input_begins(
    framing: Framing, head: bytes, form: Form
) -> None:
    assert detect(head, framing) == form


@pytest.mark.parametrize(
    ("form", "text", "wanted"),
    [
        ("hex", b"", None),
        ("hex", b"   \r\n", None),
        ("hex", b"#", None),
        ("hex", b"# BB", None),
        ("hex", b"BB7E", Heard(3, b"\xbb\x7e", None)),
        ("hex", b" bb 7e \r\n", Heard(3, b"\xbb\x7e", None)),
        ("hex", b"BB7E ; rx ; RM1 ; good", Heard(3, b"\xbb\x7e", None)),
        ("hex", b"BB7E ; RX", Heard(3, b"\xbb\x7e", None)),
        ("hex", b"BB7E ; tx ; RM1 ; a command", None),
        (
            "escaped",
            rb"#KING 1302\r\n ; TransCore ; AS1 ; a tag",
            Heard(3, b"#KING 1302\r\n", None),
        ),
        ("escaped", rb"#K\x0d\\x", Heard(3, b"#K\r\\x", None)),
        ("escaped", b"IDAP T0 D0 X0 ; x", Heard(3, b"IDAP T0 D0 X0\r\n", None)),
        ("escaped", b"# a comment", None),
        ("escaped", rb"#4@3440\r ; tx ; AS1", None),
        ("json", b' {"a":1} \n', Heard(3, b'{"a":1}', None)),
        ("json", b"# no comment here", Heard(3, b"# no comment here", None)),
        ("capture", b'{"at_us":5,"dir":"rx","hex":"BB"}', Heard(3, b"\xbb", 5)),
        (
            "capture",
            b'{"dir":"rx","hex":"","topic":"t"}',
            Heard(3, b"", None, envelope=Envelope("t", 0, retain=False)),
        ),
        (
            "capture",
            b'{"dir":"rx","hex":"7B","topic":"t","qos":1,"retain":true,"kind":"management","x":1}',
            Heard(3, b"{", None, "management", Envelope("t", 1, retain=True)),
        ),
        ("capture", b'{"dir":"rx","hex":"7B","size":9}', Heard(3, b"{", None, size=9)),
        ("capture", b'{"dir":"rx","hex":"7B","size":1}', Heard(3, b"{", None)),
        ("capture", first_line("booth", 5, 6).strip(), None),
        ("capture", b'{"at_us":5,"dir":"tx","hex":"BB"}', None),
    ],
)
def test_a_line_is_what_the_reader_sent_or_nothing(
    form: LineForm, text: bytes, wanted: Heard | None
) -> None:
    assert parse_line(form, 3, text) == wanted


@pytest.mark.parametrize(
    ("form", "text", "reason"),
    [
        ("hex", b"BB7", "bad_hex"),
        ("hex", b"BBXX", "bad_hex"),
        ("hex", b"BB\xef\xbc\x97E", "bad_hex"),
        ("hex", b"BB7E ; sideways", "bad_direction"),
        ("hex", b"#BB", "bad_hex"),
        ("capture", b"{", "bad_capture_line"),
        ("capture", b"BB7E", "bad_capture_line"),
        ("capture", b'{"hex":"BB"}', "bad_capture_line"),
        ("capture", b'{"dir":"rx","hex":7}', "bad_capture_line"),
        ("capture", b'{"dir":"rx","hex":"B"}', "bad_hex"),
        ("capture", b'{"dir":"rx","hex":"BB","at_us":"now"}', "bad_capture_line"),
        ("capture", b'{"dir":"rx","hex":"BB","at_us":-1}', "bad_capture_line"),
        ("capture", b'{"dir":"rx","hex":"BB","qos":3}', "bad_capture_line"),
        ("capture", b'{"dir":"rx","hex":"BB","kind":"other"}', "bad_capture_line"),
        ("capture", b'{"a":' * 99_999, "bad_capture_line"),
        ("json", b"x" * (MAX_LINE + 1), "long_line"),
    ],
)
def test_a_line_that_is_not_what_its_file_asks_for_is_named_with_the_reason(
    form: LineForm, text: bytes, reason: str
) -> None:
    line = parse_line(form, 3, text)
    assert isinstance(line, BadLine)
    assert (line.line, line.reason) == (3, reason)


def test_a_capture_says_until_when_it_may_be_kept_and_stays_a_capture() -> None:
    head = first_line("booth", 5, 6) + b'{"at_us":5,"dir":"rx","hex":"BB"}\n'
    assert detect(head, "stream") == detect(head, "message") == "capture"
    assert delete_after(head) == 6


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\xff\xfe",
        b'{"at_us":5,"dir":"rx","hex":"BB"}\n',
        b'{"dir":"rx","delete_after_us":6}\n',
        b'{"dir":"tx","delete_after_us":"soon"}\n',
        b'{"dir":"tx","delete_after_us":6',
        b"[" * 1000,
    ],
)
def test_a_file_that_does_not_say_it_is_kept_for_ever(head: bytes) -> None:
    assert delete_after(head) is None
