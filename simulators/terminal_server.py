"""The telnet of a terminal server that has a serial port (RFC 2217), for a simulated one. No I/O.

    FF FD 2C .. options       FF FA 2C 01 00 00 25 80 FF F0   set 9600 baud, answered with code 65 in place of 01
    FF FF                     one byte FF of the line

Every option of the port is granted as it is asked: this port has any speed.
"""

from typing import Final, NamedTuple

IAC: Final = 0xFF
DONT: Final = 0xFE
DO: Final = 0xFD
WONT: Final = 0xFC
WILL: Final = 0xFB
SB: Final = 0xFA
#: Binary, suppress go-ahead, and the port's settings.
GRANTED: Final = frozenset((0x00, 0x03, 0x2C))
COM_PORT: Final = 0x2C
#: An answer's code is the command's and this.
_ANSWER: Final = 100
#: Of a command that has not ended; bounds what is held.
MAX_HELD: Final = 64


class Heard(NamedTuple):
    """Bytes for the port, and what the server answers."""

    data: bytes
    answer: bytes


class TerminalServer:
    """One connection."""

    def __init__(self) -> None:
        """Nothing is agreed yet."""
        self._held = b""
        self._agreed: set[tuple[int, int]] = set()

    def receive(self, data: bytes) -> Heard:
        """Take bytes of the client."""
        data, self._held = self._held + data, b""
        line, answer, at = b"", b"", 0
        while at < len(data):
            if data[at] != IAC:
                end = data.find(b"\xff", at)
                end = len(data) if end < 0 else end
                line, at = line + data[at:end], end
                continue
            size = _size(data[at : at + MAX_HELD])
            if not size:
                self._held = data[at:]
                break
            command, at = data[at : at + size], at + size
            if command == b"\xff\xff":
                line += b"\xff"
            else:
                answer += self._answer(command)
        return Heard(line, answer)

    def _answer(self, command: bytes) -> bytes:
        if command[1] == SB:
            if command[2] != COM_PORT or len(command) < 6:
                return b""
            return command[:3] + bytes((command[3] + _ANSWER & 0xFF,)) + command[4:]
        if command[1] not in (DO, WILL) or len(command) < 3:
            return b""
        verb, option = command[1], command[2]
        if (verb, option) in self._agreed:
            return b""
        self._agreed.add((verb, option))
        yes, no = (WILL, WONT) if verb == DO else (DO, DONT)
        return bytes((IAC, yes if option in GRANTED else no, option))


def escaped(data: bytes) -> bytes:
    """Bytes of the line as they go to the client."""
    return data.replace(b"\xff", b"\xff\xff")


def _size(data: bytes) -> int:
    """How long the command at the start is; 0: it is not all there."""
    if len(data) < 2:
        return 0
    if data[1] == SB:
        end = data.find(b"\xff\xf0", 2)
        if end < 0:
            return MAX_HELD if len(data) >= MAX_HELD else 0
        return end + 2
    if data[1] in (DO, DONT, WILL, WONT):
        return 3 if len(data) >= 3 else 0
    return 2
