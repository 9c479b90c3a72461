"""A ThingMagic or JADAK module (M6e, M7e): silent until it is told to read, then reports in cycles of a second.

    command  FF LEN OP data.. CRC      answer and report  FF LEN OP STh STl data.. CRC

It takes: read (2F, start and stop), read filter (9A), antennas (91), power (92), protocol (93), region (97). A stop
ends the cycle: reads go on for a while, then come the keep-alive and the answer, as in the session TM4
(`tests/captures/README.md`). The encoder is written from the layout of TM1, apart from the gateway's decoder.
Unverified: 0101 for any other command, no answer to a wrong CRC, an answer to a stop while nothing is read.
"""

from collections.abc import Set as AbstractSet
from typing import Final

from gateway.gen2 import plain_pc, tag_crc
from simulators.device import Field, Sent, Tag
from simulators.readers.shifted_crc import shifted_crc

READ: Final = 0x2F
REPORT: Final = 0x22
SETTINGS: Final = frozenset((0x91, 0x92, 0x93, 0x97, 0x9A))

KEEP_ALIVE: Final = 0x0400
TOO_HOT: Final = 0x0504
RETURN_LOSS: Final = 0x0505
UNKNOWN: Final = 0x0101

ROUND_US: Final = 20_000
CYCLE_US: Final = 1_000_000
#: How long reads go on after a stop: 0.7 s at most in TM4.
RUN_ON_US: Final = 300_000
#: Longest command that is waited for; bounds the buffer.
MAX_COMMAND: Final = 255
#: HEAD, LEN, OP and CRC.
_FRAMING: Final = 5

TRAPS: Final = {
    "throttle": "status 0504 in each cycle: too hot",
    "return_loss": "status 0505 in each cycle: antenna or cable",
    "temperature": "a temperature report in each cycle",
    "zero_epc": "a tag without an EPC in each cycle",
    "counter_restart": "the milliseconds restart in the middle of a cycle, without a keep-alive",
    "stop_unanswered": "no answer to a stop while nothing is read",
}


def frame(op: int, data: bytes = b"", status: int = 0) -> bytes:
    """An answer or a report."""
    body = bytes((len(data), op)) + status.to_bytes(2, "big") + data
    return b"\xff" + body + shifted_crc(body, 0xFFFF).to_bytes(2, "big")


def tag_report(
    tag: Tag,
    milliseconds: int,
    *,
    frequency_khz: int = 923_200,
    phase_deg: int = 0,
    gpio: int = 0x0F,
    pc: int | None = None,
) -> bytes:
    """The report for one tag with all nine fields, as TM1."""
    answer = (plain_pc(tag.epc) if pc is None else pc).to_bytes(2, "big") + tag.epc
    answer += tag_crc(answer).to_bytes(2, "big")
    port = (tag.antenna or 1) & 15
    data = bytes.fromhex("10001B01FF01") + b"\x01"
    data += tag.rssi_dbm.to_bytes(1, "big", signed=True) + bytes((port << 4 | port,))
    data += frequency_khz.to_bytes(3, "big") + milliseconds.to_bytes(4, "big")
    data += phase_deg.to_bytes(2, "big")
    data += b"\x05" + b"\x00\x00" + bytes((gpio,)) + (8 * len(answer)).to_bytes(2, "big") + answer
    return frame(REPORT, data)


class MercuryReader:
    """The device model."""

    def __init__(self, *, traps: AbstractSet[str] = frozenset()) -> None:
        """Powered up: silent."""
        self.field = Field()
        self._traps = traps
        self._buffer = b""
        self._reading = False
        self._next_us = 0
        self._cycle_us = 0
        self._zero_us = 0
        self._ends_us: int | None = None

    def receive(self, data: bytes, now_us: int) -> bytes:
        """Take bytes of the host; return the answers to the commands that they complete."""
        self._buffer += data
        answers = b""
        while (start := self._buffer.find(b"\xff")) >= 0:
            self._buffer = self._buffer[start:]
            if len(self._buffer) < 2:
                return answers
            length = _FRAMING + self._buffer[1]
            if length > MAX_COMMAND:
                self._buffer = self._buffer[1:]
                continue
            if len(self._buffer) < length:
                return answers
            command = self._buffer[:length]
            if shifted_crc(command[1:-2], 0xFFFF).to_bytes(2, "big") != command[-2:]:
                self._buffer = self._buffer[1:]
                continue
            self._buffer = self._buffer[length:]
            answers += self._obey(command[2], command[3:-2], now_us)
        self._buffer = b""
        return answers

    def due(self, now_us: int) -> Sent:
        """Reports since the last round; a keep-alive at the end of each cycle."""
        if not self._reading:
            return Sent(b"", None)
        if now_us < self._next_us:
            return Sent(b"", self._next_us)
        milliseconds = max(0, now_us - self._zero_us) // 1000
        if "counter_restart" in self._traps:
            milliseconds %= 400
        sent = b"".join(tag_report(tag, milliseconds) for tag in self.field.heard(now_us, 2))
        if self._ends_us is not None and now_us >= self._ends_us:
            self._reading = False
            return Sent(sent + frame(REPORT, status=KEEP_ALIVE) + frame(READ, b"\x02"), None)
        if now_us - self._cycle_us >= CYCLE_US:
            self._cycle_us = self._zero_us = now_us
            sent += self._between() + frame(REPORT, status=KEEP_ALIVE)
        self._next_us = now_us + ROUND_US
        return Sent(sent, self._next_us)

    def _between(self) -> bytes:
        """What this module says in each cycle beside its tags."""
        sent = b""
        if "throttle" in self._traps:
            sent += frame(REPORT, status=TOO_HOT)
        if "return_loss" in self._traps:
            sent += frame(REPORT, status=RETURN_LOSS)
        if "temperature" in self._traps:
            sent += frame(REPORT, bytes.fromhex("0000001B000000000028"))
        if "zero_epc" in self._traps:
            sent += tag_report(Tag(b"", 1, -39), 20)
        return sent

    def _obey(self, op: int, data: bytes, now_us: int) -> bytes:
        if op in SETTINGS:
            return frame(op)
        if op != READ:
            return frame(op, status=UNKNOWN)
        if data[:3] == b"\x00\x00\x02":
            if self._reading:
                self._ends_us = now_us + RUN_ON_US
                return b""
            return b"" if "stop_unanswered" in self._traps else frame(READ, b"\x02")
        self._reading, self._ends_us = True, None
        self._next_us = self._cycle_us = self._zero_us = now_us
        return frame(READ, b"\x01\x22\x00\x00")
