"""Mercury frames without any state: their CRC, where a tag report keeps what, and which byte of one is damaged.

    FF LEN 22 00 00 | 10 SFh SFl MFh MFl 01 fields.. BLh BLl PCh PCl EPC.. TCh TCl | CRCh CRCl

SF search flags, MF metadata flags. BL bits of PC, EPC and TC (the tag's CRC). The fields
that are there, in this order, with the flags that say so:

    0001 reads 1    0002 RSSI 1    0004 antenna 1    0008 frequency 3    0010 milliseconds 4
    0020 phase 2    0040 protocol 1    0080 bits of embedded data 2, and the data    0100 GPIO 1

Sources: TM1, TM2 and TM4 in `tests/captures/README.md`. LEN counts the bytes between status and CRC, at
most 248. The CRC is called CCITT in the manuals, but bytes are shifted in and the seed is FFFF before
LEN: FF 00 03 1D 0C shows it (TM3), and every frame of TM1 and TM2.
"""

from binascii import crc_hqx
from collections.abc import Iterator
from struct import Struct
from typing import Final, NamedTuple

from gateway.gen2 import XI, fault, plain_pc, tag_crc

HEAD: Final = 0xFF
#: Op of tag reports, and of the status reports between them.
TAG: Final = 0x22
#: A longer announcement means that we are out of step; it bounds the buffer.
MAX_DATA: Final = 248
#: HEAD, LEN, op, status and CRC.
FRAMING: Final = 7
MAX_FRAME: Final = FRAMING + MAX_DATA
#: A report with less data is no tag: option, flags, count, BL, PC and the tag's CRC.
MIN_TAG_DATA: Final = 12

GEN2: Final = 0x05
#: The option that says that metadata flags follow.
WITH_METADATA: Final = 0x10
TOO_SHORT: Final = "too short to tell"

#: FFFF, two bytes further: the vendor's CRC begins there before LEN.
SEED: Final = 0x1D0F
_HEADER: Final = 5
#: Op and status of a tag report.
TAG_HEADER: Final = bytes((TAG, 0, 0))
#: Op, status and option of every tag report. Damage to one byte leaves either these right or the count of 1 at 10.
_TAG_START: Final = bytes((*TAG_HEADER, WITH_METADATA))
#: As many bytes must be there before a damaged header can be told from no header.
_WINDOW: Final = 5
#: Field lengths in the order of their flags.
_FIELDS: Final = (1, 1, 1, 3, 4, 2, 1, 2, 1)
_FIRST_FIELD: Final = 11


#: Reads, RSSI in dBm, antenna (where it was heard), kHz, milliseconds, phase in degrees, PC, EPC.
Tag = tuple[int, int | None, int | None, int | None, int | None, int | None, int, bytes]

#: Of a report with all nine fields and no embedded data, the way of every good one: HEAD, LEN, option, flags to
#: reads, RSSI, antenna and frequency, milliseconds, phase, protocol to GPIO, BL, PC.
FULL: Final = Struct(">BB3xB2xIbIIHIHH").unpack_from
FULL_SIZE: Final = 35
#: What such a report has in flags, and in protocol and length of embedded data.
ALL_FIELDS: Final = 0x01FF01
PLAIN: Final = GEN2 << 16


class Layout(NamedTuple):
    """Where the fields of a tag report begin, by its metadata flags; 0: it has no such field."""

    reads: int
    rssi: int
    antenna: int
    frequency: int
    milliseconds: int
    phase: int
    protocol: int
    embedded: int
    gpio: int
    #: Without embedded data: those bytes shift it.
    bits: int


def _layout(flags: int) -> Layout:
    places, at = [], _FIRST_FIELD
    for number, length in enumerate(_FIELDS):
        there = bool(flags >> number & 1)
        places.append(at if there else 0)
        at += length * there
    return Layout._make([*places, at])


#: One layout for each value that the metadata flags can have; greater ones are unknown.
LAYOUTS: Final = tuple(_layout(flags) for flags in range(1 << len(_FIELDS)))


def crc(body: bytes) -> int:
    """The CRC over LEN to the last byte of data (two bytes or more)."""
    return crc_hqx(body[:-2], SEED) ^ int.from_bytes(body[-2:], "big")


def encode_command(op: int, data: bytes = b"") -> bytes:
    """A command; raises ValueError for more than 250 bytes of data."""
    if len(data) > MAX_DATA + 2:
        raise ValueError(f"a command holds at most {MAX_DATA + 2} bytes, not {len(data)}")
    return _encoded(bytes((len(data), op)) + data)


def encode_answer(op: int, data: bytes = b"", *, status: int = 0) -> bytes:
    """An answer or a report; raises ValueError for more than 248 bytes of data."""
    if len(data) > MAX_DATA:
        raise ValueError(f"an answer holds at most {MAX_DATA} bytes, not {len(data)}")
    return _encoded(bytes((len(data), op)) + status.to_bytes(2, "big") + data)


def _encoded(body: bytes) -> bytes:
    return bytes((HEAD,)) + body + crc(body).to_bytes(2, "big")


def encode_tag(
    epc: bytes,
    *,
    rssi_dbm: int = -60,
    antenna: int = 1,
    frequency_khz: int = 915_250,
    milliseconds: int = 0,
    phase_deg: int = 0,
    reads: int = 1,
    pc: int | None = None,
    embedded: bytes = b"",
    metadata: int = 0x01FF,
) -> bytes:
    """The report for one tag, with the fields that the metadata flags name."""
    port = antenna & 0x0F
    fields = (
        bytes((reads,)),
        rssi_dbm.to_bytes(1, "big", signed=True),
        bytes((port << 4 | port,)),
        frequency_khz.to_bytes(3, "big"),
        milliseconds.to_bytes(4, "big"),
        phase_deg.to_bytes(2, "big"),
        bytes((GEN2,)),
        (len(embedded) * 8).to_bytes(2, "big") + embedded,
        b"\x0f",
    )
    named = b"".join(field for number, field in enumerate(fields) if metadata >> number & 1)
    answer = (plain_pc(epc) if pc is None else pc).to_bytes(2, "big") + epc
    answer += tag_crc(answer).to_bytes(2, "big")
    head = bytes((WITH_METADATA, 0x00, 0x1B)) + metadata.to_bytes(2, "big") + b"\x01"
    return encode_answer(TAG, head + named + (len(answer) * 8).to_bytes(2, "big") + answer)


def fits(data: bytes, at: int, end: int) -> bool:
    """True when the CRC of the frame `data[at:end]` is right: both sides are two bytes further."""
    return crc_hqx(data[at + 1 : end - 2], SEED) == crc_hqx(data[end - 2 : end], 0)


def announced(data: bytes, at: int) -> int:
    """The length that the header at `at` announces; 0: it is not all there; -1: it is none."""
    if data[at] != HEAD:
        return -1
    if len(data) - at < 2:
        return 0
    return FRAMING + data[at + 1] if data[at + 1] <= MAX_DATA else -1


def tag_content(frame: bytes) -> Tag | str:
    """What a whole tag report says, or why it gives no read."""
    reason, layout, pc_at = tag_fault(frame)
    if reason:
        return reason
    reads_at, rssi_at, ports_at, khz_at, ms_at, phase_at = layout[:6]
    return (
        frame[reads_at] if reads_at else 1,
        (frame[rssi_at] ^ 0x80) - 0x80 if rssi_at else None,
        (frame[ports_at] & 0x0F or 16) if ports_at else None,
        _number(frame, khz_at, 3),
        _number(frame, ms_at, 4),
        _number(frame, phase_at, 2),
        frame[pc_at] << 8 | frame[pc_at + 1],
        frame[pc_at + 2 : -4],
    )


def _number(frame: bytes, at: int, size: int) -> int | None:
    return int.from_bytes(frame[at : at + size], "big") if at else None


def tag_fault(frame: bytes) -> tuple[str, Layout, int]:
    """What is wrong with a whole tag report ("": nothing), its layout, and where its PC begins."""
    flags = frame[8] << 8 | frame[9]
    if frame[5] != WITH_METADATA or flags >= len(LAYOUTS):
        return "unknown_metadata", LAYOUTS[0], 0
    layout = LAYOUTS[flags]
    if len(frame) < layout.bits + 8:
        return "epc_length", layout, 0
    if frame[10] != 1:
        return "tag_count", layout, 0
    if layout.protocol and frame[layout.protocol] != GEN2:
        return "other_protocol", layout, 0
    pc_at = _pc_at(frame, layout)
    answer = frame[pc_at:-2]
    if len(answer) < 4 or frame[pc_at - 2] << 8 | frame[pc_at - 1] != len(answer) << 3:
        return "epc_length", layout, pc_at
    return fault(answer) or "", layout, pc_at


def _pc_at(frame: bytes, layout: Layout) -> int:
    """Where PC begins, which may be behind the frame's end; the embedded data's length must be there."""
    at = layout.embedded
    embedded = (frame[at] << 8 | frame[at + 1]) + 7 >> 3 if at else 0
    return layout.bits + 2 + embedded


def damaged_tag(seen: bytes, *, final: bool) -> tuple[int, str]:
    """How many of these bytes are one tag report that lost a byte or got one wrong, and how; 0: none.

    `TOO_SHORT` when a longer look may tell, which is never when `final`. The shortest comes first,
    so that more bytes do not change the answer. Looks at 510 bytes at most.
    """
    if len(seen) < _WINDOW and not final:
        return 0, TOO_SHORT
    for length, place, kept in sorted(_possible_ends(seen)):
        if length > len(seen):
            return 0, "" if final else TOO_SHORT
        if _mends(seen[:length], place, kept):
            reason = "cut_frame" if kept == place else "bad_checksum"
            return _before_a_good_one(seen, length, reason, final=final)
    return 0, ""


def _possible_ends(seen: bytes) -> Iterator[tuple[int, int, int]]:
    """Ways to see a tag report with one damaged byte here: (length, its place, where the rest goes on).

    The rest goes on at `place` when the byte was lost, one later when it is wrong. All bytes of the
    header but that one must be as they should be; place 2 stands for any behind LEN.
    """
    lengths = range(MIN_TAG_DATA, MAX_DATA + 1)
    if seen[1:4] == TAG_HEADER and seen[0] in lengths:
        yield seen[0] + FRAMING - 1, 0, 0
    if seen[2:5] == TAG_HEADER and seen[1] in lengths and seen[0] != HEAD:
        yield seen[1] + FRAMING, 0, 1
    if seen[:1] != bytes((HEAD,)):
        return
    if seen[1:4] == TAG_HEADER and (end := _end_by_content(b"\xff\x00" + seen[1:])):
        yield end - 1, 1, 1
    if seen[2:5] == TAG_HEADER and (end := _end_by_content(seen)):
        yield end, 1, 2
    if len(seen) >= _WINDOW and seen[1] in lengths and _nearly_a_tag(seen[2:5]):
        yield seen[1] + FRAMING - 1, 2, 2
        yield seen[1] + FRAMING, 2, 3


def _nearly_a_tag(header: bytes) -> bool:
    """True for op and status of a tag report, with one of the three bytes lost or wrong."""
    op, high, low = header
    return (op, high) in {(TAG, 0), (0, 0)} or (high, low) == (0, 0) or (op, low) == (TAG, 0)


def _end_by_content(frame: bytes) -> int:
    """The length of a tag report whose LEN is not known; 0: it is none. Longer than `frame`: at least so long."""
    if len(frame) < _FIRST_FIELD:
        return len(frame) + 2
    flags = frame[8] << 8 | frame[9]
    if flags >= len(LAYOUTS):
        return 0
    layout = LAYOUTS[flags]
    if len(frame) < layout.bits + 2:
        return len(frame) + 2
    pc_at = _pc_at(frame, layout)
    if pc_at > MAX_FRAME:
        return 0
    if len(frame) < pc_at:
        return len(frame) + 2
    bits = frame[pc_at - 2] << 8 | frame[pc_at - 1]
    end = pc_at + (bits >> 3) + 2
    return end if bits >= 32 and end <= MAX_FRAME else 0


def _mends(seen: bytes, place: int, kept: int) -> bool:
    """True when the right byte at `place` makes a whole tag report of these bytes."""
    if place == 0:
        return _is_tag(b"\xff" + seen[kept:])
    if place == 1:
        length = len(seen) + 2 - kept
        return _is_tag(bytes((HEAD, length - FRAMING)) + seen[kept:])
    skip = kept - place
    if seen[2 : len(_TAG_START) + 2] != _TAG_START and seen[9 + skip] != 1:
        return False  # a byte is damaged here and another there: spares the walk through the CRC
    return any(_is_tag(whole) for whole in _mended(seen, skip))


def _mended(seen: bytes, skip: int) -> Iterator[bytes]:
    """The ways to put one byte behind LEN right so that the CRC may fit; `skip` is 0 for a lost one."""
    size = len(seen) - 1 + (1 - skip)  # where the last byte of the whole frame is
    before = _states_before(seen[1 : size - 1])
    after = _states_after(seen[1 + skip :])
    for place in range(2, size - 1):
        state, needed = before[place - 1], after[place - 1]
        step = _TABLE[state >> 8]
        if (state << 8 ^ step ^ needed) & 0xFF00 == 0:
            right = (step ^ needed) & 0xFF
            yield seen[:place] + bytes((right,)) + seen[place + skip :]
    if skip:  # one byte of the CRC, or both: what was cut there is refused with the rest
        body = seen[:-2]
        yield body + crc(body[1:]).to_bytes(2, "big")
        return
    body = seen[:-1]
    right_crc = crc(body[1:]).to_bytes(2, "big")
    if seen[-1] in right_crc:
        yield body + right_crc


def _states_before(body: bytes) -> list[int]:
    """What the CRC register holds before each byte, and after the last."""
    states, state = [0xFFFF], 0xFFFF
    for byte in body:
        state = (state << 8 & 0xFF00 | byte) ^ _TABLE[state >> 8]
        states.append(state)
    return states


def _states_after(rest: bytes) -> list[int]:
    """What the register must hold before each byte so that the CRC, the last two, comes out right."""
    state = int.from_bytes(rest[-2:], "big")
    states = [state]
    for byte in reversed(rest[:-2]):
        index = _BY_LOW_BYTE[state & 0xFF ^ byte]
        state = index << 8 | (state ^ _TABLE[index]) >> 8
        states.append(state)
    return states[::-1]


#: What a byte that leaves the register does to it, and which one does so to its low byte.
_TABLE: Final = tuple(crc_hqx(bytes((byte,)), 0) for byte in range(256))
_BY_LOW_BYTE: Final = {effect & 0xFF: byte for byte, effect in enumerate(_TABLE)}


def _is_tag(frame: bytes) -> bool:
    """True for a whole tag report; one with XPC words must at least have a PC that can be."""
    if frame[2:_HEADER] != TAG_HEADER or not fits(frame, 0, len(frame)):
        return False
    reason, _, pc_at = tag_fault(frame)
    answer = frame[pc_at:-2]
    if reason or not answer[0] & XI >> 8:
        return not reason
    return (answer[0] >> 3 << 1) - (len(answer) - 4) in {0, 2, 4}


def _before_a_good_one(seen: bytes, length: int, reason: str, *, final: bool) -> tuple[int, str]:
    """End the damaged frame where good ones begin, one behind the other, that go on behind its end.

    What the reader sent next cannot be foreseen by who wrote a tag, so such frames are no hidden ones.
    """
    at = seen.find(HEAD, 1, length)
    while at > 0:
        beyond = _leads_beyond(seen, at, length)
        if beyond is None and not final:
            return 0, TOO_SHORT
        if beyond:
            return at, "cut_frame"
        at = seen.find(HEAD, at + 1, length)
    return length, reason


def _leads_beyond(seen: bytes, at: int, length: int) -> bool | None:
    """Whether good frames from `at` on go on behind `length`; None: that cannot be told yet."""
    while at < length:
        size = announced(seen, at)
        end = at + size
        if not size or end > len(seen):
            return None
        if size < 0 or not fits(seen, at, end):
            return False
        at = end
    return at > length
