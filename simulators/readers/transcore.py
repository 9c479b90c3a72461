r"""A TransCore Encompass reader: reports tags by itself, as lines; in ECP each until it is acknowledged.

    basic   #KING 1302\r\n                  ECP   #4KING 1302 B3D3\r\n, answered by #4@3440\r or #4?....\r

It talks from power-up, as the real one does: nobody starts it. In ECP one report is on its way at a time; what is
not acknowledged is sent again, under the same sequence (even: 0, 2 .. E). A number that is no printable text goes
out as hex. Encompass 4 guide, pages 6-9 to 6-10; MPRX guide, page 4-52 (CRC). Unverified: ECP frames as a device
sends them (a space in front of the CRC is sent and summed), the time until a repetition as it ships (12.7 s).
"""

from collections import deque
from collections.abc import Set as AbstractSet
from typing import Final, Literal

from simulators.device import Field, Sent, Tag
from simulators.readers.shifted_crc import shifted_crc

ROUND_US: Final = 50_000
REPEAT_US: Final = 1_000_000
#: Reports that wait for their turn in ECP; what is beyond is not read yet.
MAX_WAITING: Final = 64
MAX_COMMAND: Final = 80

TRAPS: Final = {
    "unacked_repeats": "ECP: each report is sent a second time, although it was acknowledged",
    "bad_crc": "ECP: the first sending of each report has a wrong CRC",
    "aborted": "a report breaks off in front of each tag, and the tag's # follows in the same line",
    "errors": "#Error06 in front of each report",
}

Dialect = Literal["basic", "ecp"]


def ecp_line(sequence: int, text: bytes) -> bytes:
    """A message with its CRC."""
    summed = b"%X" % sequence + text + b" "
    return b"#%b%04X\r\n" % (summed, shifted_crc(summed, 0))


def text_of(tag: Tag) -> bytes:
    """A tag as it stands in a line."""
    plain = tag.epc.isascii() and tag.epc.decode().isprintable() and b"#" not in tag.epc
    return tag.epc if plain else tag.epc.hex().upper().encode()


class TransCoreReader:
    """The device model."""

    def __init__(self, dialect: Dialect, *, traps: AbstractSet[str] = frozenset()) -> None:
        """Powered up: it reports at once."""
        self.field = Field()
        self._dialect = dialect
        self._traps = traps
        self._buffer = b""
        self._next_us = 0
        self._waiting: deque[bytes] = deque()
        self._sequence = 0
        #: The report that is not acknowledged yet, when it is sent again, and how often it was.
        self._open: bytes | None = None
        self._again_us = self._sent = 0

    @property
    def waiting(self) -> bool:
        """Whether a report is not acknowledged yet."""
        return self._open is not None or bool(self._waiting)

    def receive(self, data: bytes, now_us: int) -> bytes:
        """Take bytes of the host; return the answers to the commands that they complete."""
        *lines, rest = (self._buffer + data).replace(b"\n", b"").split(b"\r")
        self._buffer = rest[-MAX_COMMAND:]
        return b"".join(self._obey(line, now_us) for line in lines)

    def due(self, now_us: int) -> Sent:
        """Reports of tags; in ECP the one that is on its way."""
        if self._dialect == "ecp":
            return self._ecp(now_us)
        if now_us < self._next_us:
            return Sent(b"", self._next_us)
        self._next_us = now_us + ROUND_US
        sent = b""
        for tag in self.field.heard(now_us):
            sent += self._trouble(text_of(tag)) + b"#" + text_of(tag) + b"\r\n"
        return Sent(sent, self._next_us)

    def _ecp(self, now_us: int) -> Sent:
        if now_us >= self._next_us and len(self._waiting) < MAX_WAITING:
            self._waiting += map(text_of, self.field.heard(now_us))
            self._next_us = now_us + ROUND_US
        if self._open is None and self._waiting:
            self._open, self._sent, self._again_us = self._waiting.popleft(), 0, now_us
        if self._open is None:
            return Sent(b"", self._next_us)
        if now_us < self._again_us:
            return Sent(b"", min(self._again_us, max(self._next_us, now_us + ROUND_US)))
        self._again_us, self._sent = now_us + REPEAT_US, self._sent + 1
        line = ecp_line(self._sequence, self._open)
        if self._sent == 1 and "bad_crc" in self._traps:
            line = line[:-3] + (b"0" if line[-3:-2] != b"0" else b"1") + line[-2:]
        return Sent(self._trouble(self._open) + line, min(self._again_us, now_us + ROUND_US))

    def _trouble(self, text: bytes) -> bytes:
        sent = b"#Error06\r\n" if "errors" in self._traps and self._dialect == "basic" else b""
        return sent + (b"#" + text[: len(text) // 2] if "aborted" in self._traps else b"")

    def _obey(self, line: bytes, now_us: int) -> bytes:
        if self._dialect == "basic":
            return {b"#524": b"IDAP T0 D0 X0\r\n", b"#522": b"MAIN B0 S0 P0 D0\r\n"}.get(
                line, b"#Done\r\n"
            )
        sequence = b"%X" % self._sequence
        if self._open is None or line[:2] != b"#" + sequence:
            return b""
        if line == b"#%b@%04X" % (sequence, shifted_crc(sequence + b"@", 0)):
            if self._sent == 1 and "unacked_repeats" in self._traps:
                self._again_us = now_us
            else:
                self._open, self._sequence = None, (self._sequence + 2) % 16
        elif line[2:3] == b"?":
            self._again_us = now_us
        return b""
