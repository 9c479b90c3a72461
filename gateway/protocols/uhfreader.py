"""UHFReader18 and UHFReader288 readers (Chafon, WYUAN and rebrands), serial 57600 8N1, RS-485 or TCP.

    command   LEN ADR CMD data.. CRCl CRCh             LEN = bytes behind it = data + 4, ADR FF: every reader
    answer    LEN ADR CMD STATUS data.. CRCl CRCh      LEN = data + 5
              |<------ CRC over ------>|               no start byte; CRC in `gateway.uhf_frames`

    18        .. 01 STATUS NUM {len EPC}*              no antenna, no signal
    288       .. 01 STATUS ANT NUM {tag}*              tag = len EPC [TID] RSSI [phase 4, kHz 3]
    push      .. EE 00 ANT tag                         unasked, one tag a frame
    heartbeat .. EE 28 packet4 antennas1 total4        push mode, big-endian (byte order unverified)
    statistic .. 01 26 ANT rate2 count4

    STATUS    01 done, 02 time-out, 03 more follows, 04 memory full, F8 antenna error, FB no tag (unverified)
    len       bit 7: the last 12 bytes are the TID (FastID), bit 6: phase and frequency follow, 5-0: bytes
    ANT       bit mask (05: antennas 1 and 3) on readers with up to 8 ports, 0-based index on 12 and 16
    RSSI      a raw byte without a unit

Sources: frames of real devices (`tests/captures/README.md`, CH1, CH2) and open drivers of the family.
Made from descriptions only: push mode, statistics, FastID and the phase trailer.

Out of step: no later start is tried while an earlier frame is incomplete, until the line was silent for
100 ms; a tag frame that lost one byte, or got one wrong, is refused as a whole, whatever its EPCs hold;
what is found after other damage is `after_resync`, until more bytes fit than an EPC holds.
"""

from binascii import crc_hqx
from collections.abc import Mapping, Sequence
from struct import Struct
from typing import Annotated, Final, Literal

import msgspec

from gateway import uhf_frames as wire
from gateway.gen2 import MAX_EPC_BYTES
from gateway.options import parse_options
from gateway.reads import Due, Outcome, Read, ReaderNote, Rejected
from gateway.serial_frames import SerialFrames, earliest
from gateway.uhf_frames import (
    FULL,
    GLANCE,
    INVENTORY,
    LENGTHS,
    LONGEST,
    MORE,
    OK,
    PUSHED,
    READER_INFO,
    REVERSED,
    SHORTEST,
    STATISTICS,
    TOO_SHORT,
    WITH_TAGS,
    Layout,
    Tag,
    bare_reads_of,
    damaged_tags,
    encode_command,
    encode_tags_288,
    encode_work_mode,
    laid_out,
    plain_bare_tag,
    plain_tag,
    reads_of,
    walk,
)

#: How long an answer may take beyond the reader's scan time before the command is sent again.
ANSWER_US: Final = 1_000_000
#: The scan time that is assumed until the reader says its own (CH1: 1 s).
SCAN_US: Final = 2_000_000

#: Type in the answer to "get reader info" -> how that reader lays its tags out.
TYPES: Final[dict[int, Layout]] = {0x09: "18", 0x0C: "288"}

#: More fitting bytes than a hostile EPC can hold: then the line is in step again.
_DOUBT: Final = MAX_EPC_BYTES + 1
#: A "get reader info" answer whose data end with its scan time.
_INFO_FRAME: Final = 14
_NOTHING: Final[list[Read]] = []
#: Of a 288's frame with one tag: LEN, CMD, STATUS, ANT, NUM, len. That fits its layout alone, for one byte (NUM)
#: is no length of an 18's tag; len without its upper bits: no TID and no phase.
_TAG: Final = Struct(">BxBBBBB").unpack_from
_SHORTEST_TAG: Final = 10
#: Bytes of one rejection, where no length was announced.
_MAX_JUNK: Final = 256


class UhfReaderOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader's configuration may say."""

    dialect: Literal["auto", "18", "288"] = "auto"
    #: `answer`: the reader is polled. `push`: it reports by itself.
    mode: Literal["answer", "push"] = "answer"
    antennas: Literal["mask", "index"] = "mask"
    address: Annotated[int, msgspec.Meta(ge=0, le=255)] = 0
    q: Annotated[int, msgspec.Meta(ge=0, le=15)] = 4
    #: Gen2 session; 255 leaves it to the reader.
    session: Literal[0, 1, 2, 3, 255] = 255
    fast_id: bool = False
    phase: bool = False
    #: Antennas that are polled one after the other; empty: the reader goes round by itself.
    scan_antennas: tuple[Annotated[int, msgspec.Meta(ge=1, le=16)], ...] = ()
    #: How long one such poll lasts; the reader counts in 100 ms.
    scan_ms: Annotated[int, msgspec.Meta(ge=100, le=25_500, multiple_of=100)] = 200


def encode_poll(options: UhfReaderOptions, layout: Layout, antenna: int | None = None) -> bytes:
    """The inventory command: of an 18, of a 288, or of a 288 for one antenna."""
    if layout == "18":
        return encode_command(INVENTORY, b"", options.address)
    q = options.q | options.fast_id << 5 | options.phase << 4
    data = bytes((q, options.session))
    if antenna is not None:
        data += bytes((0, 0x80 + antenna - 1, options.scan_ms // 100))
    return encode_command(INVENTORY, data, options.address)


def encode(read: Read) -> bytes:
    """What a UHFReader288 sends for this read."""
    tag = Tag(read.epc, 0x40 if read.rssi_raw is None else read.rssi_raw, read.tid)
    return encode_tags_288([tag], ant=1 << (read.antenna or 1) - 1)


class UhfReaderDecoder(SerialFrames):
    """One reader on one line. Holds at most a frame, a glance at the next, and as much garbage."""

    def __init__(self, options: UhfReaderOptions) -> None:
        super().__init__(head=-1, header=1, most_junk=_MAX_JUNK)
        self._options = options
        #: What the reader said that it is, and what the last frame had that fits one layout alone.
        self._told: Layout | None = None
        self._guessed: Layout | None = None
        mask, ports = options.antennas == "mask", range(8)
        self._antennas: tuple[tuple[int | None, ...], ...] = tuple(
            (tuple(port + 1 for port in ports if ant >> port & 1) or (None,))
            if mask
            else (ant + 1,)
            for ant in range(256)
        )
        self._running = False
        #: A reader in push mode ignores polls, also when the configuration does not know that it is.
        self._pushing = options.mode == "push"
        self._sent_us: int | None = None
        self._answered = False
        #: The polls that went out: a half-duplex line gives them back.
        self._asked: set[bytes] = set()
        self._scan_us = SCAN_US
        self._turn = 0

    def start(self) -> bytes:
        """The first poll, or "get reader info" where the dialect is not known; `due` sends the next."""
        self._running = True
        self._sent_us, self._answered = None, False
        if self._options.mode == "push":
            return encode_work_mode("push", self._options.address)
        return self._ask()

    def stop(self) -> bytes:
        """No more polls; a reader that reports by itself is told to wait for them."""
        self._running = False
        return encode_work_mode("answer", self._options.address) if self._pushing else b""

    def due(self, now_us: int) -> Due:
        """Give up a partial frame after 100 ms of silence; poll again when the last poll is over."""
        outcomes, next_due_us = self._give_up(now_us)
        send = b""
        if self._running and self._options.mode == "answer":
            if self._sent_us is None:
                self._sent_us = now_us
            patience_us = self._scan_us + ANSWER_US
            heard_us = max(self._sent_us, self._frame_us)
            if self._answered or now_us - heard_us >= patience_us:
                send, self._sent_us, heard_us = self._ask(), now_us, now_us
            next_due_us = earliest(next_due_us, heard_us + patience_us)
        return Due(send, outcomes, next_due_us)

    def _ask(self) -> bytes:
        self._answered = False
        command = self._command()
        self._asked.add(command)
        return command

    def _command(self) -> bytes:
        options, antenna = self._options, None
        layout = options.dialect if options.dialect != "auto" else self._told or self._guessed
        if layout is None:
            return encode_command(READER_INFO, b"", options.address)
        if options.scan_antennas and layout == "288":
            antenna = options.scan_antennas[self._turn % len(options.scan_antennas)]
            self._scan_us = options.scan_ms * 1000
            self._turn += 1
        return encode_poll(options, layout, antenna)

    def _take(self, data: bytes, at_us: int, outcomes: list[Outcome], *, final: bool) -> None:
        """Consume what is decided, hold the rest. `final`: nothing more will come, decide everything."""
        at, size = 0, len(data)
        while at < size:
            if (
                self._doubt == 0 and size - at >= _SHORTEST_TAG
            ):  # the way of every good tag of a 288
                length, command, status, ant, count, epc_size = _TAG(data, at)
                end = at + length + 1
                if (
                    command == INVENTORY
                    and count == 1
                    and 0 < status <= MORE
                    and epc_size == end - at - _SHORTEST_TAG
                    and epc_size in LENGTHS
                    and end <= size
                    and self._options.dialect != "18"
                    and not crc_hqx(data[at:end].translate(REVERSED), 0xFFFF)
                ):
                    self._guessed, self._frame_us = "288", at_us
                    self._answered |= status != MORE
                    epc, rssi_raw = data[at + 7 : end - 3], data[end - 3]
                    for port in self._antennas[ant]:  # one mostly, for which a list costs much
                        read = Read(epc=epc, at_us=at_us, antenna=port, rssi_raw=rssi_raw)
                        outcomes.append(read)
                    at = end
                    continue
            end = at + data[at] + 1
            frame = data[at:end]
            if (
                end <= size
                and end - at >= SHORTEST
                and not crc_hqx(frame.translate(REVERSED), 0xFFFF)
            ):
                doubtful = self._doubt > 0
                if doubtful:
                    self._trust_again(len(frame), at_us, outcomes)
                self._say(frame, at_us, outcomes, doubtful)
                self._frame_us = at_us
                at = end
                continue
            if end - at >= SHORTEST and end > size and not final:
                break  # never a later start while this frame is incomplete
            passed = self._recover(data[at : at + LONGEST + GLANCE], at_us, outcomes, final=final)
            if not passed:
                break
            at += passed
        self._buffer = data[at:]

    def _recover(self, seen: bytes, at_us: int, outcomes: list[Outcome], *, final: bool) -> int:
        """No frame starts here: how many bytes to pass over; 0: that cannot be told yet."""
        damaged, reason = damaged_tags(seen, final=final)
        if damaged:
            self._drop_junk(at_us, outcomes)
            outcomes.append(Rejected(reason=reason, raw=seen[:damaged], at_us=at_us))
            return damaged
        if reason == TOO_SHORT:
            return 0
        self._doubt = _DOUBT
        if not self._junk:
            self._announced = seen[0] + 1 if seen[0] + 1 >= SHORTEST else 0
        self._junk += seen[:1]
        if len(self._junk) >= (self._announced or _MAX_JUNK):
            self._drop_junk(at_us, outcomes)
        return 1

    def _say(self, frame: bytes, at_us: int, outcomes: list[Outcome], doubtful: bool) -> None:
        """What a frame says; its checksum holds."""
        command, status = frame[2], frame[3]
        if len(frame) == SHORTEST or frame in self._asked:
            outcomes.append(ReaderNote(kind="command", at_us=at_us, detail=f"{command:02X}"))
        elif command == INVENTORY and status in WITH_TAGS:
            self._answered |= status != MORE
            # An 18's frame has one tag mostly. It fits that layout alone, for a 288's tag takes two bytes or more.
            bare = frame[4] == 1 and self._options.dialect != "288" and status != FULL
            if reads := plain_bare_tag(frame, at_us, doubtful) if bare else _NOTHING:
                self._guessed = "18"
                outcomes += reads
            else:
                self._say_tags(frame, at_us, outcomes, doubtful)
        elif command == PUSHED and status == OK:
            self._pushing = True
            antennas = self._antennas[frame[4]]
            reads = plain_tag(frame, 5, antennas, at_us, doubtful)
            if not reads:
                tags, end = walk(frame, 5, 1, bare=False)
                if end == len(frame) - 2:
                    reads = reads_of(frame, tags, antennas, at_us, doubtful)
            outcomes += reads or [Rejected(reason="layout", raw=frame, at_us=at_us)]
        else:
            self._answered |= command == INVENTORY and status != STATISTICS
            if command == READER_INFO and status == OK and len(frame) >= _INFO_FRAME:
                self._answered = True
                self._scan_us = frame[11] * 100_000
                self._told = TYPES.get(frame[6], "288")
            outcomes.append(_note(frame, at_us))

    def _say_tags(self, frame: bytes, at_us: int, outcomes: list[Outcome], doubtful: bool) -> None:
        """What the answer to a poll says."""
        status, found = frame[3], laid_out(frame)
        layout = self._layout(found)
        if layout is None:
            reason = "ambiguous_layout" if len(found) > 1 else "layout"
            outcomes.append(Rejected(reason=reason, raw=frame, at_us=at_us))
            return
        if tags := found[layout]:
            if layout == "288":
                outcomes += reads_of(frame, tags, self._antennas[frame[4]], at_us, doubtful)
            else:
                outcomes += bare_reads_of(frame, tags, at_us, doubtful)
        elif status != FULL:
            outcomes.append(ReaderNote(kind="heartbeat", at_us=at_us, detail="no tag"))
        if status == FULL:
            detail = "04: the reader's memory is full, reads may be lost"
            outcomes.append(ReaderNote(kind="error", at_us=at_us, detail=detail))

    def _layout(self, found: Mapping[Layout, Sequence[int]]) -> Layout | None:
        """The layout to take of those that fit; None: there is none, or no telling which."""
        if self._options.dialect != "auto":
            return self._options.dialect if self._options.dialect in found else None
        if len(found) == 1:
            (self._guessed,) = found
            return self._guessed
        empty: Layout | None = next((layout for layout in found if not found[layout]), None)
        return self._told or self._guessed or empty if found else None


def decoder(options: Mapping[str, object]) -> UhfReaderDecoder:
    """A decoder for one reader; raises `OptionError`."""
    return UhfReaderDecoder(parse_options(UhfReaderOptions, options))


def _note(frame: bytes, at_us: int) -> ReaderNote:
    """What any other answer says. It may hold an EPC, so only what is known to be none is told."""
    command, status, data = frame[2], frame[3], frame[4:-2]
    kind, detail = "ack", f"{command:02X} status {status:02X}"
    match command, status, len(data):
        case wire.READER_INFO, wire.OK, size if size >= _INFO_FRAME - 6:
            kind = "reader_info"
            detail = f"type {data[2]:02X}, version {data[0]}.{data[1]}, {data[6]} dBm"
            detail += f", scan time {data[7] * 100} ms"
        case wire.PUSHED, wire.HEARTBEAT, 9:
            packet, total = int.from_bytes(data[:4], "big"), int.from_bytes(data[5:], "big")
            kind, detail = "heartbeat", f"packet {packet}, antennas {data[4]}, total {total}"
        case wire.INVENTORY, wire.STATISTICS, 7:
            rate, count = int.from_bytes(data[1:3], "big"), int.from_bytes(data[3:], "big")
            kind, detail = "statistics", f"ANT {data[0]:02X}, rate {rate}, count {count}"
        case wire.INVENTORY, wire.NO_TAG, _:
            kind, detail = "heartbeat", "no tag"
        case wire.INVENTORY | wire.PUSHED, wire.ANTENNA_ERROR, _:
            kind, detail = "error", "F8: antenna"
        case _:
            pass
    return ReaderNote(kind=kind, at_us=at_us, detail=detail)
