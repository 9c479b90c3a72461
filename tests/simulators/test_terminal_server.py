"""The telnet of a simulated terminal server; `test_tcp_port` has the real pyserial against it."""

from hypothesis import given
from hypothesis import strategies as st

from simulators.terminal_server import MAX_HELD, TerminalServer, escaped

SET_BAUD = bytes.fromhex("FFFA2C0100002580FFF0")


def heard(*pieces: bytes) -> tuple[bytes, bytes]:
    server = TerminalServer()
    parts = [server.receive(piece) for piece in pieces]
    return b"".join(one.data for one in parts), b"".join(one.answer for one in parts)


def test_the_ports_settings_are_granted_as_asked() -> None:
    assert heard(SET_BAUD) == (b"", bytes.fromhex("FFFA2C6500002580FFF0"))


def test_options_are_granted_once_and_others_refused() -> None:
    will, do, echo = bytes.fromhex("FFFB2C"), bytes.fromhex("FFFD03"), bytes.fromhex("FFFD01")
    _, answer = heard(will + do + echo + will)
    assert answer == bytes.fromhex("FFFD2C FFFB03 FFFC01")


@given(st.binary(max_size=60), st.data())
def test_the_lines_bytes_come_through_however_they_are_cut(
    line: bytes, data: st.DataObject
) -> None:
    sent = SET_BAUD + escaped(line) + SET_BAUD
    cut = data.draw(st.integers(0, len(sent)))
    assert heard(sent[:cut], sent[cut:]) == heard(sent)
    assert heard(sent)[0] == line


@given(st.lists(st.binary(max_size=80), max_size=20))
def test_any_bytes_never_raise_and_never_pile_up(pieces: list[bytes]) -> None:
    server = TerminalServer()
    size = 0
    for piece in [*pieces, b"\xff\xfa" + bytes(500)]:
        size += len(piece)
        assert len(server.receive(piece).data) <= size
    assert len(server.receive(b"x" * MAX_HELD).data) > 0
