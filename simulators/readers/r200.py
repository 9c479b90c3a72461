"""An R200 module: silent until it is told to poll, then one answer a poll, until the rounds are used up.

Commands that it takes: single poll, multiple poll, stop. What is known of the device and what is not stands in
`gateway.protocols.r200`. Unverified and chosen here: 40 polls a second, one tag a poll, no answer to the multiple
poll itself, `17` in an error frame for any other command, silence on a wrong checksum.
"""

from collections.abc import Set as AbstractSet
from typing import Final, Literal

from gateway.gen2 import plain_pc, tag_crc
from simulators.device import Field, Sent, Tag

#: First byte of a frame's body, and commands.
COMMAND: Final = 0x00
RESPONSE: Final = 0x01
NOTICE: Final = 0x02
SINGLE_POLL: Final = 0x22
MULTIPLE_POLL: Final = 0x27
STOP: Final = 0x28
FAILED: Final = 0xFF

NO_TAG: Final = 0x15
UNKNOWN_COMMAND: Final = 0x17

POLL_US: Final = 25_000

Envelope = Literal["BB7E", "AADD"]

#: What this device does on demand.
TRAPS: Final = {
    "few_rounds": "a multiple poll ends after 40 rounds without a word, and must be given again",
    "flood": "ten no-tag frames in front of each tag",
}
FEW_ROUNDS: Final = 40

#: Longest command that is waited for; bounds the buffer.
MAX_COMMAND: Final = 64
_FRAMING: Final = 7


class R200Reader:
    """The device model."""

    def __init__(
        self,
        *,
        envelope: Envelope = "BB7E",
        poll_us: int = POLL_US,
        traps: AbstractSet[str] = frozenset(),
    ) -> None:
        """Powered up: silent."""
        self.field = Field()
        self._traps = traps
        self._head, self._tail = bytes.fromhex(envelope)
        self._poll_us = poll_us
        self._buffer = b""
        self._rounds = 0
        self._next_us = 0

    @property
    def polling(self) -> bool:
        """Whether a multiple poll is under way."""
        return self._rounds > 0

    def receive(self, data: bytes, now_us: int) -> bytes:
        """Take bytes of the host; return the answers to the commands that they complete."""
        self._buffer += data
        answers = b""
        while self._buffer:
            command = self._command()
            if command is None:
                break
            answers += self._obey(command, now_us)
        return answers

    def due(self, now_us: int) -> Sent:
        """The outcome of the poll that is due, if one is."""
        if not self.polling:
            return Sent(b"", None)
        if now_us < self._next_us:
            return Sent(b"", self._next_us)
        self._rounds -= 1
        # A late poll shifts the next one: the device does not make up for rounds that it missed.
        self._next_us = now_us + self._poll_us
        return Sent(self._poll(now_us), self._next_us if self.polling else None)

    def _poll(self, now_us: int) -> bytes:
        tags = self.field.heard(now_us)
        if not tags:
            return self._frame(RESPONSE, FAILED, bytes((NO_TAG,)))
        flood = (
            10 * self._frame(RESPONSE, FAILED, bytes((NO_TAG,))) if "flood" in self._traps else b""
        )
        return flood + b"".join(map(self._tag, tags))

    def _tag(self, tag: Tag) -> bytes:
        answer = plain_pc(tag.epc).to_bytes(2, "big") + tag.epc
        answer += tag_crc(answer).to_bytes(2, "big")
        return self._frame(
            NOTICE, SINGLE_POLL, tag.rssi_dbm.to_bytes(1, "big", signed=True) + answer
        )

    def _frame(self, kind: int, command: int, params: bytes) -> bytes:
        body = bytes((kind, command)) + len(params).to_bytes(2, "big") + params
        return bytes((self._head, *body, sum(body) & 0xFF, self._tail))

    def _command(self) -> bytes | None:
        """Take the next whole command out of the buffer; empty for a wrong one, None when more is needed."""
        start = self._buffer.find(self._head)
        self._buffer = self._buffer[start:] if start >= 0 else b""
        if len(self._buffer) < _FRAMING:
            return None
        length = _FRAMING + int.from_bytes(self._buffer[3:5], "big")
        if length > MAX_COMMAND or self._buffer[1] != COMMAND:
            self._buffer = self._buffer[1:]
            return b""
        if len(self._buffer) < length:
            return None
        frame = self._buffer[:length]
        if frame[-1] != self._tail or sum(frame[1:-2]) & 0xFF != frame[-2]:
            self._buffer = self._buffer[1:]
            return b""
        self._buffer = self._buffer[length:]
        return frame

    def _obey(self, frame: bytes, now_us: int) -> bytes:
        if not frame:
            return b""
        code, params = frame[2], frame[5:-2]
        if code == SINGLE_POLL:
            return self._poll(now_us)
        if code == MULTIPLE_POLL and len(params) == 3:
            rounds = int.from_bytes(params[1:], "big")
            self._rounds = min(rounds, FEW_ROUNDS) if "few_rounds" in self._traps else rounds
            self._next_us = now_us
            return b""
        if code == STOP:
            self._rounds = 0
            return self._frame(RESPONSE, STOP, b"\0")
        return self._frame(RESPONSE, FAILED, bytes((UNKNOWN_COMMAND,)))
