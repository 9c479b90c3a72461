"""ThingMagic and JADAK modules that speak Mercury (M5e, M6e, M6e Micro and Nano, M7e), 115200 8N1.

    FF LEN OP data.. CRCh CRCl             command of the host
    FF LEN OP STh STl data.. CRCh CRCl     answer, or report (op 22); LEN counts data, at most 248

    tag          FF LEN 22 00 00 | 10 SFh SFl MFh MFl 01 fields.. BLh BLl PCh PCl EPC.. TCh TCl | CRC
    keep-alive   FF 00 22 04 00 84 E0      end of a cycle, about one a second; milliseconds restart
    status       FF 00 22 STh STl | CRC    0504 too hot, 0505 bad antenna or cable
    temperature  FF 0A 22 ..               what is in it is unverified

Fields of a tag, the CRC and how a damaged report is told: `gateway/mercury_frames.py`.

Sources: TM1 to TM4 in `tests/captures/README.md`; the manual of the M7e (sections 5.1.4, 7.1 to 7.3,
8.8). Commands for region, power and protocol, and their codes: the public Arduino library of TM1.
Unverified: several antennas, the answer to a stop command while nothing is read, and see the docs page.

Out of step: an EPC is a stranger's, and may hold a whole frame with another card's number. So
- no later start is tried while an earlier frame is incomplete, until the line has been silent;
- a tag report that lost one byte, or got one wrong, is refused as a whole, whatever it holds;
- what is found after other damage, or first after a start, counts as `after_resync` for a while.
"""

from binascii import crc_hqx
from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec

from gateway.gen2 import MAX_EPC_BYTES, RESIDUE, XI
from gateway.mercury_frames import (
    ALL_FIELDS,
    FRAMING,
    FULL,
    FULL_SIZE,
    GEN2,
    HEAD,
    MAX_DATA,
    MAX_FRAME,
    MIN_TAG_DATA,
    PLAIN,
    SEED,
    TAG,
    TAG_HEADER,
    TOO_SHORT,
    WITH_METADATA,
    announced,
    damaged_tag,
    encode_answer,
    encode_command,
    encode_tag,
    fits,
    tag_content,
)
from gateway.options import parse_options
from gateway.reads import Due, Outcome, Read, ReaderNote, Rejected
from gateway.serial_frames import SerialFrames, earliest

READING: Final = 0x2F
ANTENNAS: Final = 0x91
POWER: Final = 0x92
PROTOCOL: Final = 0x93
REGION: Final = 0x97
SETTING: Final = 0x9A

KEEP_ALIVE: Final = 0x0400
#: Status reports of op 22.
STATUS: Final[dict[int, tuple[str, str]]] = {
    KEEP_ALIVE: ("heartbeat", "keep-alive"),
    0x0504: ("warning", "0504: too hot, reads less"),
    0x0505: ("warning", "0505: much power comes back, check antenna and cable"),
}
_TEMPERATURE_DATA: Final = 0x0A

Region = Literal["UNCHANGED", "NA", "NA2", "EU", "IN", "JP", "CN", "KR", "AU", "NZ", "OPEN"]
REGIONS: Final[dict[str, int]] = {
    "NA": 0x01,
    "IN": 0x04,
    "JP": 0x05,
    "CN": 0x06,
    "EU": 0x08,
    "KR": 0x09,
    "AU": 0x0B,
    "NZ": 0x0C,
    "NA2": 0x0D,
    "OPEN": 0xFF,
}

#: A command that is not answered for so long was not heard; after a stop reads run on for 0.7 s.
ANSWER_US: Final = 2_000_000
#: Silence after which the module is started again: a keep-alive comes each second.
SILENT_US: Final = 3_000_000
#: A read does not come later than this after its time, else the counter has restarted unheard.
LATE_US: Final = 500_000

#: All fields and the longest EPC, without embedded data.
_LONGEST_TAG: Final = FRAMING + 24 + MAX_EPC_BYTES


class MercuryOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader's configuration may say."""

    antennas: Annotated[
        tuple[Annotated[int, msgspec.Meta(ge=1, le=16)], ...],
        msgspec.Meta(min_length=1, max_length=16),
    ] = (1,)
    region: Region = "UNCHANGED"
    #: Read power of all antennas; None leaves it as it is.
    power_dbm: Annotated[float, msgspec.Meta(ge=-10, le=31.5)] | None = None


def encode_status(status: int = KEEP_ALIVE) -> bytes:
    """A status report: the keep-alive, too hot, high return loss."""
    return encode_answer(TAG, status=status)


def encode_start() -> bytes:
    """Read Gen2 without end, in cycles of one second, with all nine fields (TM4)."""
    return encode_command(READING, bytes.fromhex("00000122000005072210001B03E801FF"))


def encode_stop() -> bytes:
    """End reading; up to 0.7 s of reads and a keep-alive come before the answer (TM4)."""
    return encode_command(READING, b"\x00\x00\x02")


def encode(read: Read) -> bytes:
    """What a reader sends for this read; cycles begin with full seconds."""
    heard_us = read.at_us if read.reader_at_us is None else read.reader_at_us
    return encode_tag(
        read.epc,
        rssi_dbm=-60 if read.rssi_dbm is None else round(read.rssi_dbm),
        antenna=read.antenna or 1,
        frequency_khz=read.frequency_khz or 915_250,
        milliseconds=heard_us // 1000 % 1000,
        phase_deg=round(read.phase_deg or 0),
        reads=read.reads,
        pc=read.pc,
    )


def _commands(options: MercuryOptions) -> tuple[bytes, ...]:
    """What makes a module read, in order."""
    ports = b"".join(bytes((port, port)) for port in options.antennas)
    commands = [encode_stop(), encode_command(PROTOCOL, bytes((0, GEN2)))]
    if options.region != "UNCHANGED":
        commands.append(encode_command(REGION, bytes((REGIONS[options.region],))))
    if options.power_dbm is not None:
        power = round(options.power_dbm * 100).to_bytes(2, "big", signed=True)
        commands.append(encode_command(POWER, power))
    commands.append(encode_command(SETTING, b"\x01\x0c\x00"))  # report a tag each time, not once
    commands.append(encode_command(ANTENNAS, b"\x02" + ports))
    return (*commands, encode_start())


class _Dialogue:
    """The commands to one module: one at a time, from the stop to the start, and again when it is silent."""

    def __init__(self, options: MercuryOptions) -> None:
        self._commands = _commands(options)
        #: The command that was sent last; None: nothing shall be read.
        self._at: int | None = None
        self._answered = False
        self._since_us: int | None = None

    def start(self) -> bytes:
        """The first command."""
        self._at, self._answered, self._since_us = 0, False, None
        return self._commands[0]

    def stop(self) -> None:
        """Nothing shall be read."""
        self._at = None

    def answered(self, frame: bytes, at_us: int) -> None:
        """An answer came, and not a report."""
        if self._at is None or frame[2] != self._commands[self._at][2]:
            return
        # A start that is refused is given again with the others, after a while.
        if self._at < len(self._commands) - 1 or frame[3:5] == b"\0\0":
            self._answered, self._since_us = True, at_us

    def due(self, now_us: int, heard_us: int) -> tuple[bytes, str, int | None]:
        """What to send, why that is not what was expected, and when to ask again."""
        if self._at is None:
            return b"", "", None
        since_us = now_us if self._since_us is None else self._since_us
        last = self._at == len(self._commands) - 1
        reading = last and self._answered
        if reading:
            since_us = max(since_us, heard_us)
        self._since_us = since_us = min(since_us, now_us)  # the clock may have been set back
        wait_us = SILENT_US if reading else ANSWER_US
        if self._answered and not last:
            return self._send(self._at + 1, now_us), "", now_us + ANSWER_US
        if now_us < since_us + wait_us:
            return b"", "", since_us + wait_us
        if self._at == 0:  # a module that reads nothing may have no answer to a stop
            return self._send(1, now_us), "", now_us + ANSWER_US
        why = (
            "nothing heard"
            if last and self._answered
            else f"{self._commands[self._at][2]:02X} failed"
        )
        return self._send(0, now_us), f"{why}: started again", now_us + ANSWER_US

    def _send(self, at: int, now_us: int) -> bytes:
        self._at, self._answered, self._since_us = at, False, now_us
        return self._commands[at]


class MercuryDecoder(SerialFrames):
    """One module on one serial line. Holds at most two frames and as much garbage."""

    def __init__(self, options: MercuryOptions) -> None:
        super().__init__(head=HEAD, header=2, most_junk=MAX_FRAME)
        self._dialogue = _Dialogue(options)
        #: The last frame ended with FF: the next one's first byte, if that frame was cut.
        self._shared = False
        #: When the module's counter was 0, as far as its reads tell, and its last value.
        self._zero_us: int | None = None
        self._last_ms = 0

    def start(self) -> bytes:
        """The first command of several; `due` has the others, and all of them again after silence."""
        self._zero_us = None
        self._doubt = max(self._doubt, _LONGEST_TAG - 1)  # the line may begin inside a frame
        return self._dialogue.start()

    def stop(self) -> bytes:
        """The command that ends reading."""
        self._dialogue.stop()
        return encode_stop()

    def due(self, now_us: int) -> Due:
        """Give up a partial frame after 100 ms of silence; send the next command, or all after 3 s."""
        outcomes, stale_us = self._give_up(now_us)
        send, why, again_us = self._dialogue.due(now_us, self._frame_us)
        if why:
            outcomes.append(ReaderNote(kind="error", at_us=now_us, detail=why))
        return Due(send, outcomes, earliest(stale_us, again_us))

    def flush(self, at_us: int) -> list[Outcome]:
        """The line is silent or gone: decide about everything that is held."""
        outcomes = super().flush(at_us)
        self._shared = False
        return outcomes

    def _take(self, data: bytes, at_us: int, outcomes: list[Outcome], *, final: bool) -> None:
        """Consume what is decided, hold the rest. `final`: nothing more will come, decide everything."""
        at, size, good = 0, len(data), 0
        while at < size:
            if self._doubt == 0 and size - at >= FULL_SIZE:  # the way of every good report
                start, length, option, head, rssi, place, ms, phase, tail, bits, pc = FULL(data, at)
                end = at + FRAMING + length
                if (
                    start == HEAD
                    and end <= size
                    and head >> 8 == ALL_FIELDS
                    and tail >> 8 == PLAIN
                    and bits == length - 24 << 3
                    and pc >> 11 << 1 == length - 28
                    and pc & XI == 0
                    and option == WITH_METADATA
                    and data[at + 2 : at + 5] == TAG_HEADER
                    and length <= MAX_DATA
                    and crc_hqx(data[at + 1 : end - 2], SEED) == crc_hqx(data[end - 2 : end], 0)
                    and crc_hqx(data[at + 29 : end - 2], 0xFFFF) == RESIDUE
                ):
                    outcomes.append(
                        Read(
                            epc=data[at + 31 : end - 4],
                            at_us=at_us,
                            reader_at_us=self._heard_us(ms, at_us),
                            pc=pc,
                            antenna=place >> 24 & 15 or 16,
                            rssi_dbm=rssi,
                            frequency_khz=place & 0xFFFFFF,
                            phase_deg=phase,
                            reads=head & 0xFF or 1,
                        )
                    )
                    at = good = end
                    continue
            end = at + FRAMING
            if end <= size:
                end += data[at + 1]
            if (
                end <= size
                and data[at] == HEAD
                and end - at <= MAX_FRAME
                and crc_hqx(data[at + 1 : end - 2], SEED) == crc_hqx(data[end - 2 : end], 0)
            ):
                doubtful = self._doubt > 0
                if doubtful:
                    self._trust_again(end - at, at_us, outcomes)
                outcomes.append(self._outcome(data[at:end], at_us, doubtful))
                at = good = end
                continue
            length = announced(data, at)
            if not final and (length == 0 or at + length > size):
                break
            self._shared = good == at and data[at - 1] == HEAD if at else self._shared
            passed = self._recover(data, at, at_us, outcomes, final=final)
            if not passed:
                break
            at += passed
        self._buffer = data[at:]
        self._frame_us = at_us if good else self._frame_us
        self._shared = good == at and data[at - 1] == HEAD if at else self._shared

    def _recover(
        self, data: bytes, at: int, at_us: int, outcomes: list[Outcome], *, final: bool
    ) -> int:
        """No frame starts at `at`: how many bytes to pass over; 0: that cannot be told yet."""
        if self._shared:
            whole = b"\xff" + data[at : at + MAX_FRAME]
            length = announced(whole, 0)
            if not final and length > len(whole):
                return 0
            if 0 < length <= len(whole) and fits(whole, 0, length):
                outcomes.append(self._outcome(whole[:length], at_us, self._doubt > 0))
                return length - 1
        seeking = self._doubt == _LONGEST_TAG
        if data[at] == HEAD or not seeking:
            damaged, reason = damaged_tag(data[at : at + 2 * MAX_FRAME], final=final)
            if damaged:
                self._drop_junk(at_us, outcomes)
                outcomes.append(_rejected(reason, data[at : at + damaged], at_us))
                return damaged
            if reason == TOO_SHORT:
                return 0
        self._doubt = _LONGEST_TAG
        return self._pass_over(data, at, announced(data, at), at_us, outcomes)

    def _outcome(self, frame: bytes, at_us: int, after_resync: bool) -> Outcome:
        """What a frame says; its CRC fits."""
        if frame[2:5] != TAG_HEADER or frame[1] < MIN_TAG_DATA:
            return self._note(frame, at_us)
        content = tag_content(frame)
        if isinstance(content, str):
            return _rejected(content, frame, at_us)
        reads, rssi_dbm, antenna, khz, ms, phase_deg, pc, epc = content
        return Read(
            epc=epc,
            at_us=at_us,
            reader_at_us=None if ms is None else self._heard_us(ms, at_us),
            pc=pc,
            antenna=antenna,
            rssi_dbm=rssi_dbm,
            frequency_khz=khz,
            phase_deg=phase_deg,
            reads=reads or 1,
            after_resync=after_resync,
        )

    def _heard_us(self, ms: int, at_us: int) -> int | None:
        """When a tag was heard, by the module's count of milliseconds; None without a time of receipt."""
        if at_us < 0:
            return None
        zero_us, since_us = self._zero_us, at_us - ms * 1000
        if zero_us is None or not zero_us < since_us <= zero_us + LATE_US or ms < self._last_ms:
            self._zero_us = zero_us = since_us
        self._last_ms = ms
        return zero_us + ms * 1000

    def _note(self, frame: bytes, at_us: int) -> Outcome:
        """What any other frame says. Its data may hold an EPC, so op and status alone go into the text."""
        length, op, status = frame[1], frame[2], frame[3] << 8 | frame[4]
        if op != TAG:
            self._dialogue.answered(frame, at_us)
        if op == READING or (op == TAG and status == KEEP_ALIVE):
            self._zero_us = None
        if op == TAG and length >= MIN_TAG_DATA:
            return _rejected("unknown_report", frame, at_us, f"status {status:04X}")
        if op == TAG and length:
            kind = "temperature" if length == _TEMPERATURE_DATA else "notification"
            return ReaderNote(kind=kind, at_us=at_us, detail=f"22, {length} bytes, not decoded")
        if op == TAG and status in STATUS:
            kind, detail = STATUS[status]
            return ReaderNote(kind=kind, at_us=at_us, detail=detail)
        kind = "error" if status else "ack"
        return ReaderNote(kind=kind, at_us=at_us, detail=f"{op:02X} status {status:04X}")


def decoder(options: Mapping[str, object]) -> MercuryDecoder:
    """A decoder for one reader; raises `OptionError`."""
    return MercuryDecoder(parse_options(MercuryOptions, options))


def _rejected(reason: str, raw: bytes, at_us: int, detail: str = "") -> Rejected:
    return Rejected(reason=reason, raw=raw, at_us=at_us, detail=detail)
