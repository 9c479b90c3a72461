r"""metraTec readers, ASCII and AT: silent until the inventory is started, then rounds of one antenna each.

    ascii   CNR INV\r, then rounds of:  EPC\r .. ARP 02\r IVF 12\r          BRK\r is answered BRA\r
    at      AT+CINV\r, then rounds of:  +CINV: EPC,TID,RSSI\r .. +CINV: <ROUND FINISHED, ANT=2>\r     AT+BINV\r

The antenna comes behind the tags of its round. Forms: comments in metratec_rfid 1.4.5 (`tests/captures/README.md`).
Unverified: the answers to start, stop and to any other command, how long a round is.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from hashlib import blake2b
from typing import Final, Literal

from simulators.device import Field, Sent, Tag

ROUND_US: Final = 50_000
MAX_COMMAND: Final = 200
#: Tags of a round; `IVF` has two digits.
MOST: Final = 64

TRAPS: Final = {
    "heartbeat": "HBT between the rounds",
    "errors": "an error line between the rounds (RXE, +ERR)",
    "no_antenna": "ASCII: no antenna report",
}

Dialect = Literal["ascii", "at"]


class MetraTecReader:
    """The device model."""

    def __init__(self, dialect: Dialect, *, traps: AbstractSet[str] = frozenset()) -> None:
        """Powered up: silent."""
        self.field = Field()
        self._dialect = dialect
        self._traps = traps
        self._buffer = b""
        self._reading = False
        self._next_us = 0

    def receive(self, data: bytes, now_us: int) -> bytes:
        """Take bytes of the host; return the answers to the commands that they complete."""
        *lines, rest = (self._buffer + data).replace(b"\n", b"").split(b"\r")
        self._buffer = rest[-MAX_COMMAND:]
        return b"".join(self._obey(line, now_us) for line in lines if line)

    def due(self, now_us: int) -> Sent:
        """The round that is over."""
        if not self._reading:
            return Sent(b"", None)
        if now_us < self._next_us:
            return Sent(b"", self._next_us)
        self._next_us = now_us + ROUND_US
        tags = self.field.heard(now_us, 2)
        sent = self._trouble()
        for port in dict.fromkeys(tag.antenna or 1 for tag in tags) or [1]:
            sent += self._round([tag for tag in tags if (tag.antenna or 1) == port], port)
        return Sent(sent, self._next_us)

    def _round(self, tags: Sequence[Tag], port: int) -> bytes:
        if self._dialect == "ascii":
            lines = [tag.epc.hex().upper().encode() for tag in tags]
            lines += [] if "no_antenna" in self._traps else [b"ARP %02d" % port]
            lines.append(b"IVF %02d" % len(tags))
        else:
            lines = [_at_tag(tag) for tag in tags] or [b"+CINV: <NO TAGS FOUND>"]
            lines.append(b"+CINV: <ROUND FINISHED, ANT=%d>" % port)
        return b"".join(line + b"\r" for line in lines)

    def _trouble(self) -> bytes:
        ascii_ = self._dialect == "ascii"
        sent = b"" if "heartbeat" not in self._traps else b"HBT\r" if ascii_ else b"+HBT\r"
        return sent + (b"" if "errors" not in self._traps else b"RXE\r" if ascii_ else b"+ERR: 1\r")

    def _obey(self, line: bytes, now_us: int) -> bytes:
        start, stop = (b"CNR INV", b"BRK") if self._dialect == "ascii" else (b"AT+CINV", b"AT+BINV")
        if line == start:
            if not self._reading:
                self._reading, self._next_us = True, now_us + ROUND_US
            return b"" if self._dialect == "ascii" else b"OK\r"
        if line == stop:
            self._reading = False
            return b"BRA\r" if self._dialect == "ascii" else b"OK\r"
        return b"NCM\r" if self._dialect == "ascii" else b"ERROR\r"


def _at_tag(tag: Tag) -> bytes:
    tid = b"\xe2\x00" + blake2b(tag.epc, digest_size=6).digest()
    return b"+CINV: %b,%b,%d" % (
        tag.epc.hex().upper().encode(),
        tid.hex().upper().encode(),
        tag.rssi_dbm,
    )
