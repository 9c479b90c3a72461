"""UHFReader18 and UHFReader288 readers: silent until they are polled, or reporting by themselves in push mode.

    command  LEN ADR CMD data.. CRCl CRCh      answer  LEN ADR CMD STATUS data.. CRCl CRCh

They take: inventory (01), get reader info (21), work mode (76). One answer a poll: the tags of the round under
status 03, then `finished`; the frames are laid out as those of CH1 (`tests/captures/README.md`). The encoder is
written from the layout, apart from the gateway's decoder. Push mode, statistics, TID, phase: made from
descriptions only. Unverified: how long a round is, no answer to any other command, silence on a wrong CRC.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from hashlib import blake2b
from typing import Final, Literal

from simulators.device import Field, Sent, Tag

INVENTORY: Final = 0x01
INFO: Final = 0x21
WORK_MODE: Final = 0x76
PUSHED: Final = 0xEE

POLYNOMIAL: Final = 0x8408

ROUND_US: Final = 50_000
HEARTBEAT_US: Final = 1_000_000
#: Tags of one frame; a 288 with TID and phase has up to 22 bytes more than the EPC for each.
TAGS_A_FRAME: Final = 4
MAX_COMMAND: Final = 64
_SHORTEST: Final = 5

TRAPS: Final = {
    "time_out": "status 02 with the last tags of a round, and no closing frame",
    "no_tag_fb": "status FB where a round found nothing",
    "antenna_error": "status F8 in front of each tenth round",
    "index": "288: the antenna as an index from 0, as on 12 and 16 ports",
    "two_antennas": "288: each tag heard by antenna 1 and 3 at once (mask 05)",
    "left_in_push": "288: left in push mode: talks from power-up and ignores polls",
    "echo": "a half-duplex line gives each command back",
}

Dialect = Literal["18", "288"]


def _folded(low: int) -> int:
    """What the eight bits that leave the register do to those that stay."""
    for _ in range(8):
        low = low >> 1 ^ (POLYNOMIAL if low & 1 else 0)
    return low


_FOLDED: Final = tuple(map(_folded, range(256)))


def crc(body: bytes) -> bytes:
    """Polynomial 8408, from FFFF, low byte first."""
    register = 0xFFFF
    for byte in body:
        register = register >> 8 ^ _FOLDED[(register ^ byte) & 0xFF]
    return register.to_bytes(2, "little")


def frame(command: int, status: int, data: bytes = b"", address: int = 0) -> bytes:
    """An answer."""
    body = bytes((len(data) + 5, address, command, status)) + data
    return body + crc(body)


def tid_of(epc: bytes) -> bytes:
    """An invented TID of a tag."""
    return b"\xe2\x80" + blake2b(epc, digest_size=10).digest()


class UhfReader:
    """The device model of both dialects."""

    def __init__(self, dialect: Dialect, *, traps: AbstractSet[str] = frozenset()) -> None:
        """Powered up: silent, unless it was left in push mode."""
        self.field = Field()
        self._dialect = dialect
        self._traps = traps
        self._buffer = b""
        self._pushing = "left_in_push" in traps and dialect == "288"
        #: The poll that is under way, and when its round ends.
        self._poll: bytes | None = None
        self._next_us = self._heartbeat_us = 0
        self._rounds = self._total = 0

    def receive(self, data: bytes, now_us: int) -> bytes:
        """Take bytes of the host; return the answers to the commands that they complete."""
        self._buffer = (self._buffer + data)[-MAX_COMMAND:]
        answers = b""
        while self._buffer:
            length = self._buffer[0] + 1
            if not _SHORTEST <= length <= MAX_COMMAND:
                self._buffer = self._buffer[1:]
                continue
            if len(self._buffer) < length:
                break
            command = self._buffer[:length]
            if crc(command[:-2]) != command[-2:]:
                self._buffer = self._buffer[1:]
                continue
            self._buffer = self._buffer[length:]
            if command[1] in (0x00, 0xFF):
                answers += command if "echo" in self._traps else b""
                answers += self._obey(command[2], command[3:-2], now_us)
        return answers

    def due(self, now_us: int) -> Sent:
        """The answer to the poll that is under way, or what is pushed."""
        if not self._pushing and self._poll is None:
            return Sent(b"", None)
        if now_us < self._next_us:
            return Sent(b"", self._next_us)
        if self._pushing:
            self._next_us = now_us + ROUND_US
            return Sent(self._push(now_us), self._next_us)
        poll, self._poll = self._poll or b"", None
        return Sent(self._round(poll, now_us), None)

    def _obey(self, command: int, data: bytes, now_us: int) -> bytes:
        if command == INFO:
            kind = 0x09 if self._dialect == "18" else 0x0C
            return frame(INFO, 0, bytes((0, 22, kind, 3, 0x4E, 0, 30, 10, 1, 0, 0, 0)))
        if command == WORK_MODE and self._dialect == "288" and len(data) == 1:
            self._pushing, self._next_us = data != b"\0", now_us
            return frame(WORK_MODE, 0)
        if command == INVENTORY and not self._pushing:
            self._poll, self._next_us = data, now_us + ROUND_US
        return b""

    def _push(self, now_us: int) -> bytes:
        tags = self.field.heard(now_us, TAGS_A_FRAME)
        self._total += len(tags)
        sent = b""
        if now_us >= self._heartbeat_us:
            self._heartbeat_us = now_us + HEARTBEAT_US
            self._rounds += 1
            counters = self._rounds.to_bytes(4, "big") + b"\x04" + self._total.to_bytes(4, "big")
            sent = frame(PUSHED, 0x28, counters)
        return sent + b"".join(
            frame(PUSHED, 0, bytes((self._ant(tag),)) + self._tag(tag, 0)) for tag in tags
        )

    def _round(self, poll: bytes, now_us: int) -> bytes:
        """The frames of one round."""
        antenna = poll[3] - 0x80 + 1 if self._dialect == "288" and len(poll) >= 5 else None
        self._rounds += 1
        wrong = "antenna_error" in self._traps and self._rounds % 10 == 1
        sent = frame(INVENTORY, 0xF8) if wrong else b""
        tags = self.field.heard(now_us, TAGS_A_FRAME, antenna)
        frames = self._frames(tags, poll[0] if poll else 0)
        if not frames and "no_tag_fb" in self._traps:
            return sent + frame(INVENTORY, 0xFB)
        if frames and "time_out" in self._traps:
            *more, last = frames
            return (
                sent
                + b"".join(frame(INVENTORY, 0x03, one) for one in more)
                + frame(INVENTORY, 0x02, last)
            )
        sent += b"".join(frame(INVENTORY, 0x03, one) for one in frames)
        if poll and poll[0] & 0x80 and self._dialect == "288":
            return sent + frame(INVENTORY, 0x26, bytes((1, 0, 40)) + len(tags).to_bytes(4, "big"))
        return sent + frame(INVENTORY, 0x01, b"\x01\x00")

    def _frames(self, tags: Sequence[Tag], asked: int) -> list[bytes]:
        """The data of the frames with these tags; a frame has one antenna."""
        if self._dialect == "18":
            texts = [bytes((len(tag.epc),)) + tag.epc for tag in tags]
            return [
                _counted(texts[n : n + TAGS_A_FRAME]) for n in range(0, len(texts), TAGS_A_FRAME)
            ]
        frames = []
        for ant in dict.fromkeys(map(self._ant, tags)):
            texts = [self._tag(tag, asked) for tag in tags if self._ant(tag) == ant]
            frames += [
                bytes((ant,)) + _counted(texts[n : n + TAGS_A_FRAME])
                for n in range(0, len(texts), TAGS_A_FRAME)
            ]
        return frames

    def _ant(self, tag: Tag) -> int:
        if "two_antennas" in self._traps:
            return 0x05
        port = (tag.antenna or 1) - 1
        return port if "index" in self._traps else 1 << port & 0xFF

    def _tag(self, tag: Tag, asked: int) -> bytes:
        """A tag of a 288, with TID and phase where the poll asks for them."""
        head, text, trailer = len(tag.epc), tag.epc, b""
        if asked & 0x20:
            head, text = head + 12 | 0x80, text + tid_of(tag.epc)
        if asked & 0x10:
            head, trailer = head | 0x40, bytes(4) + (915_250).to_bytes(3, "big")
        return bytes((head,)) + text + bytes((tag.rssi_dbm + 130 & 0xFF,)) + trailer


def _counted(texts: Sequence[bytes]) -> bytes:
    return bytes((len(texts),)) + b"".join(texts)
