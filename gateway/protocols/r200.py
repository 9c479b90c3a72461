"""R200, M100 and QM100 modules on a serial line, 115200 8N1.

    BB TYPE CMD PLh PLl params.. CS 7E     (envelope `BB7E`; envelope `AADD`: AA .. DD)
       |<------- summed ------>|           PL = bytes of params, CS = sum modulo 256

    TYPE 00 command of the host, 01 answer, 02 notification. Length decides: BB and 7E occur in params.

    tag      BB 02 22 PLh PLl | RSSI PCh PCl EPC.. CRCh CRCl | CS 7E    RSSI int8 dBm, PL = 5 + EPC
    no tag   BB 01 FF 00 01 15 16 7E           one a poll while the field is empty
    error    BB 01 FF PLh PLl code .. CS 7E
    answer   BB 01 CMD PLh PLl status .. CS 7E

Sources: frames of the vendor's manual and of real devices (`tests/captures/README.md`). The `AADD`
envelope and the answer to the stop command are unverified.

Out of step: an EPC is a stranger's, and may hold a whole frame with another card's number. So
- no later start is tried while an earlier frame is incomplete, until the line has been silent;
- a tag frame that lost one byte, or got one wrong, is refused as a whole, whatever it holds;
- what is found after other damage counts as `after_resync`, until more bytes fit than a tag frame has.
"""

from binascii import crc_hqx
from collections.abc import Iterator, Mapping
from struct import Struct
from typing import Annotated, Final, Literal

import msgspec

from gateway.gen2 import MAX_EPC_BYTES, RESIDUE, XI, fault, plain_pc, tag_crc
from gateway.options import parse_options
from gateway.reads import Due, Outcome, Read, ReaderNote, Rejected
from gateway.serial_frames import SerialFrames, earliest

Envelope = Literal["BB7E", "AADD"]

COMMAND: Final = 0x00
ANSWER: Final = 0x01
NOTIFICATION: Final = 0x02

SINGLE_POLL: Final = 0x22
MULTIPLE_POLL: Final = 0x27
STOP: Final = 0x28
ERROR: Final = 0xFF
NO_TAG: Final = 0x15

#: A longer announcement means that we are out of step; it bounds the buffer.
MAX_PARAMS: Final = 512
#: Silence after which the multiple poll has ended: the device does not announce it.
REISSUE_US: Final = 1_000_000

_FRAMING: Final = 7
_HEADER: Final = 5
#: RSSI, PC and tag CRC beside the EPC.
_TAG_PARAMS: Final = 5
_LONGEST_TAG: Final = _FRAMING + _TAG_PARAMS + MAX_EPC_BYTES
#: What PLl can be in a tag notification: a tag answers whole words.
_TAG_LENGTHS: Final = range(_TAG_PARAMS, _TAG_PARAMS + MAX_EPC_BYTES + 1, 2)
#: Header, RSSI and PC: enough to know where a damaged tag frame ends.
_WINDOW: Final = 8
_TOO_SHORT: Final = "too short to tell"
#: Of a tag frame: up to PLh, PLl, RSSI, PC.
_TAG: Final = Struct(">IBbH").unpack_from

#: First parameter of an error frame.
ERRORS: Final[dict[int, str]] = {
    **dict.fromkeys((0x09, 0x10, 0x12, 0x13, 0x16), "access to a tag failed"),
    0x17: "command not known or not possible",
    0x20: "no free channel to hop to",
}


class R200Options(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader's configuration may say."""

    envelope: Envelope = "BB7E"
    #: Polls that one multiple-poll command asks for.
    rounds: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 10_000


def encode_frame(
    kind: int, command: int, params: bytes = b"", envelope: Envelope = "BB7E"
) -> bytes:
    """A whole frame; raises ValueError for more than 512 bytes of params."""
    if len(params) > MAX_PARAMS:
        raise ValueError(f"a frame holds at most {MAX_PARAMS} bytes, not {len(params)}")
    head, tail = bytes.fromhex(envelope)
    summed = bytes((kind, command)) + len(params).to_bytes(2, "big") + params
    return bytes((head,)) + summed + bytes((sum(summed) & 0xFF, tail))


def encode_tag(
    epc: bytes, *, rssi_dbm: int = -60, pc: int | None = None, envelope: Envelope = "BB7E"
) -> bytes:
    """The notification for one tag heard once."""
    pc_and_epc = (plain_pc(epc) if pc is None else pc).to_bytes(2, "big") + epc
    params = rssi_dbm.to_bytes(1, "big", signed=True) + pc_and_epc
    params += tag_crc(pc_and_epc).to_bytes(2, "big")
    return encode_frame(NOTIFICATION, SINGLE_POLL, params, envelope)


def encode_error(code: int, envelope: Envelope = "BB7E") -> bytes:
    """An error frame."""
    return encode_frame(ANSWER, ERROR, bytes((code,)), envelope)


def encode_no_tag(envelope: Envelope = "BB7E") -> bytes:
    """What a poll gives while the field is empty."""
    return encode_error(NO_TAG, envelope)


def encode_ack(command: int, params: bytes = b"\x00", envelope: Envelope = "BB7E") -> bytes:
    """The answer to a command."""
    return encode_frame(ANSWER, command, params, envelope)


def encode_multiple_poll(rounds: int = 10_000, envelope: Envelope = "BB7E") -> bytes:
    """The command that makes the reader report by itself, for so many polls."""
    return encode_frame(COMMAND, MULTIPLE_POLL, b"\x22" + rounds.to_bytes(2, "big"), envelope)


def encode_stop(envelope: Envelope = "BB7E") -> bytes:
    """The command that ends a multiple poll."""
    return encode_frame(COMMAND, STOP, b"", envelope)


def encode(read: Read) -> bytes:
    """What a reader sends for this read, in the default envelope."""
    rssi = -60 if read.rssi_dbm is None else round(read.rssi_dbm)
    return encode_tag(read.epc, rssi_dbm=rssi, pc=read.pc)


class R200Decoder(SerialFrames):
    """One R200 on one serial line. Holds at most a frame and as much garbage."""

    def __init__(self, options: R200Options) -> None:
        head, self._tail = bytes.fromhex(options.envelope)
        super().__init__(head=head, header=_HEADER, most_junk=MAX_PARAMS)
        self._options = options
        self._tag_start = int.from_bytes(bytes((head, NOTIFICATION, SINGLE_POLL, 0)), "big")
        self._polling = False
        self._poll_us: int | None = None
        self._rounds_left = 0

    def start(self) -> bytes:
        """The multiple poll; `due` issues it again when it has ended."""
        self._polling = True
        self._poll_us = None
        return self._poll()

    def stop(self) -> bytes:
        """The command that ends the multiple poll."""
        self._polling = False
        return encode_stop(self._options.envelope)

    def due(self, now_us: int) -> Due:
        """Give up a partial frame after 100 ms of silence; poll again after 1 s without a frame."""
        outcomes, next_due_us = self._give_up(now_us)
        send = b""
        if self._polling:
            if self._poll_us is None:
                self._poll_us = now_us
            heard_us = max(self._poll_us, self._frame_us)
            if self._rounds_left <= 0 or now_us - heard_us >= REISSUE_US:
                send, self._poll_us, heard_us = self._poll(), now_us, now_us
            next_due_us = earliest(next_due_us, heard_us + REISSUE_US)
        return Due(send, outcomes, next_due_us)

    def _poll(self) -> bytes:
        self._rounds_left = self._options.rounds + 1  # the answer to the command is counted too
        return encode_multiple_poll(self._options.rounds, self._options.envelope)

    def _take(self, data: bytes, at_us: int, outcomes: list[Outcome], *, final: bool) -> None:
        """Consume what is decided, hold the rest. `final`: nothing more will come, decide everything."""
        at, size, frames = 0, len(data), 0
        while at < size:
            if self._doubt == 0 and size - at >= _WINDOW:  # the way of every good tag
                start, length, rssi, pc = _TAG(data, at)
                end = at + _FRAMING + length
                if (
                    start == self._tag_start
                    and end <= size
                    and data[end - 1] == self._tail
                    and pc & XI == 0
                    and pc >> 11 << 1 == length - _TAG_PARAMS
                    and sum(data[at + 1 : end - 2]) & 0xFF == data[end - 2]
                    and crc_hqx(data[at + 6 : end - 2], 0xFFFF) == RESIDUE
                ):
                    epc = data[at + 8 : end - 4]
                    outcomes.append(Read(epc=epc, at_us=at_us, pc=pc, rssi_dbm=rssi))
                    at = end
                    frames += 1
                    continue
            end = at + _FRAMING
            if end <= size:
                end += data[at + 3] << 8 | data[at + 4]
            if (
                end <= size
                and data[end - 1] == self._tail
                and data[at] == self._head
                and data[at + 1] <= NOTIFICATION
                and end - at <= _FRAMING + MAX_PARAMS
                and sum(data[at + 1 : end - 2]) & 0xFF == data[end - 2]
            ):
                doubtful = self._doubt > 0
                if doubtful:
                    self._trust_again(end - at, at_us, outcomes)
                outcomes.append(_outcome(data[at:end], at_us, doubtful))
                at = end
                frames += 1
                continue
            announced = self._announced_length(data, at)
            if not final and (announced == 0 or at + announced > size):
                break
            passed = self._recover(data, at, at_us, outcomes, final=final)
            if not passed:
                break
            at += passed
        self._buffer = data[at:]
        if frames:
            self._frame_us = at_us
            self._rounds_left -= frames

    def _announced_length(self, data: bytes, at: int) -> int:
        """The length that the header at `at` announces; 0: it is not all there; -1: it is none."""
        size = len(data) - at
        if data[at] != self._head or (size > 1 and data[at + 1] > NOTIFICATION):
            return -1
        if size < _HEADER:
            return 0
        length = _FRAMING + (data[at + 3] << 8 | data[at + 4])
        return length if length <= _FRAMING + MAX_PARAMS else -1

    def _recover(
        self, data: bytes, at: int, at_us: int, outcomes: list[Outcome], *, final: bool
    ) -> int:
        """No frame starts at `at`: how many bytes to pass over; 0: that cannot be told yet."""
        seeking = self._doubt == _LONGEST_TAG
        if data[at] == self._head or not seeking:
            seen = data[at : at + _LONGEST_TAG]
            damaged, reason = _damaged_tag(seen, self._head, self._tail, final=final)
            if damaged:
                self._drop_junk(at_us, outcomes)
                outcomes.append(_rejected(reason, seen[:damaged], at_us))
                return damaged
            if reason == _TOO_SHORT:
                return 0
        self._doubt = _LONGEST_TAG
        announced = self._announced_length(data, at)
        return self._pass_over(data, at, announced, at_us, outcomes)


def decoder(options: Mapping[str, object]) -> R200Decoder:
    """A decoder for one reader; raises `OptionError`."""
    return R200Decoder(parse_options(R200Options, options))


def _rejected(reason: str, raw: bytes, at_us: int, detail: str = "") -> Rejected:
    return Rejected(reason=reason, raw=raw, at_us=at_us, detail=detail)


def _outcome(frame: bytes, at_us: int, after_resync: bool) -> Outcome:
    """What a frame says; its checksum holds."""
    if frame[2] != SINGLE_POLL or frame[1] != NOTIFICATION:
        return _note(frame, at_us)
    if len(frame) < _FRAMING + _TAG_PARAMS:
        return _rejected("short_tag", frame, at_us, "no room for RSSI, PC and CRC")
    reason = fault(frame[6:-2])
    if reason:
        return _rejected(reason, frame, at_us)
    rssi = frame[5]
    return Read(
        epc=frame[8:-4],
        at_us=at_us,
        pc=frame[6] << 8 | frame[7],
        rssi_dbm=rssi - 256 if rssi > 127 else rssi,
        after_resync=after_resync,
    )


def _note(frame: bytes, at_us: int) -> ReaderNote:
    """What any other frame says. Its params may hold an EPC, so at most a status goes into the text."""
    kind, command, params = frame[1], frame[2], frame[5:-2]
    if kind == ANSWER and command == ERROR:
        code = params[0] if params else 0
        if code == NO_TAG:
            return ReaderNote(kind="heartbeat", at_us=at_us, detail="no tag")
        meaning = ERRORS.get(code, "unknown code")
        return ReaderNote(kind="error", at_us=at_us, detail=f"{code:02X}: {meaning}")
    status = f" status {params.hex().upper()}" if kind == ANSWER and len(params) == 1 else ""
    name = {COMMAND: "command", ANSWER: "ack"}.get(kind, "notification")
    return ReaderNote(kind=name, at_us=at_us, detail=f"{command:02X}{status}")


def _damaged_tag(seen: bytes, head: int, tail: int, *, final: bool) -> tuple[int, str]:
    """How many of these bytes are one tag frame that lost a byte or got one wrong, and which; 0: none.

    `_TOO_SHORT` when a longer look may tell, which is never when `final`. The shortest comes first,
    so that more bytes do not change the answer.
    """
    if len(seen) < _WINDOW and not final:
        return 0, _TOO_SHORT
    for length, place, kept in sorted(_possible_ends(seen, head)):
        if length > len(seen):
            return 0, "" if final else _TOO_SHORT
        if _mends(seen[:length], place, kept, head, tail):
            return length, "cut_frame" if kept == place else "bad_checksum"
    return 0, ""


def _possible_ends(seen: bytes, head: int) -> Iterator[tuple[int, int, int]]:
    """Ways to see a tag frame with one damaged byte here: (length, its place, where the rest goes on).

    The rest goes on at `place` when the byte was lost, one later when it is wrong. At least four
    bytes of the header must be as they should be; place 5 stands for any behind the header.
    """
    right = bytes((head, NOTIFICATION, SINGLE_POLL, 0))
    for place in range(_HEADER + 1):
        for kept in (place, place + 1):
            header = seen[:_HEADER]
            if place < _HEADER:
                header = seen[:place] + right[place : place + 1] + seen[kept : kept + 4 - place]
            if header[:4] != right:
                continue
            params = header[4] if len(header) == _HEADER else 0
            # Where PLl is damaged, PC tells the length; a byte that can be PLl (as RSSI: +5 dBm) was not lost.
            lost = kept == place
            if place == 4 and len(seen) > kept + 1 and not (lost and seen[4] in _TAG_LENGTHS):
                params = _TAG_PARAMS + 2 * (seen[kept + 1] >> 3)
            if params in _TAG_LENGTHS:
                yield params + _FRAMING - lost, place, kept


def _mends(seen: bytes, place: int, kept: int, head: int, tail: int) -> bool:
    """True when the right byte at `place` makes a whole tag frame of these bytes."""
    skip = kept - place
    length = len(seen) + 1 - skip
    header = bytes((head, NOTIFICATION, SINGLE_POLL, 0, length - _FRAMING))
    if place < _HEADER:
        return _is_tag(header + seen[kept + 4 - place :], tail, trust_pc=True)
    places = range(_HEADER, length) if seen[-1] == tail else (length - 1,)
    return any(_is_tag(_mended(seen, at, at + skip, tail), tail, trust_pc=at != 6) for at in places)


def _mended(seen: bytes, place: int, kept: int, tail: int) -> bytes:
    """The bytes with the one at `place` as the checksum asks."""
    whole = seen[:place] + b"\x00" + seen[kept:]
    if place == len(whole) - 1:
        right = tail
    elif place == len(whole) - 2:
        right = sum(whole[1:-2])
    else:
        right = whole[-2] - sum(whole[1:-2])
    return whole[:place] + bytes((right & 0xFF,)) + whole[place + 1 :]


def _is_tag(frame: bytes, tail: int, *, trust_pc: bool) -> bool:
    if frame[-1] != tail or sum(frame[1:-2]) & 0xFF != frame[-2]:
        return False
    answer = frame[6:-2]
    if answer[0] & XI >> 8:  # up to two XPC words may be counted and come apart
        return trust_pc and (answer[0] >> 3 << 1) - (len(answer) - 4) in {0, 2, 4}
    return fault(answer) is None
