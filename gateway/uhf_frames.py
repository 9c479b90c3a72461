"""Frames of the UHFReader family as bytes: whole ones, where their tags are, and what one damaged byte did.

    LEN ADR CMD STATUS .. CRCl CRCh      `gateway.protocols.uhfreader` draws what is inside

An EPC may hold a whole frame of another card. Without a start byte only the CRC can tell a frame that
lost a byte (all of it belongs to one tag) from bytes between which a good frame begins.

CRC: polynomial 8408 (reflected 1021), initial value FFFF, little-endian, 0 over a whole good frame.
"""

from binascii import crc_hqx
from collections.abc import Iterator, Sequence
from typing import Final, Literal, NamedTuple

from gateway.gen2 import MAX_EPC_BYTES
from gateway.reads import Read

Layout = Literal["18", "288"]

INVENTORY: Final = 0x01
READER_INFO: Final = 0x21
WORK_MODE: Final = 0x76
PUSHED: Final = 0xEE

OK: Final = 0x00
DONE: Final = 0x01
TIMED_OUT: Final = 0x02
MORE: Final = 0x03
FULL: Final = 0x04
STATISTICS: Final = 0x26
HEARTBEAT: Final = 0x28
ANTENNA_ERROR: Final = 0xF8
NO_TAG: Final = 0xFB
#: Statuses under which the answer to a poll holds tags.
WITH_TAGS: Final = frozenset((DONE, TIMED_OUT, MORE, FULL))

#: LEN, ADR, CMD and CRC: a bare command.
SHORTEST: Final = 5
LONGEST: Final = 256
#: LEN, ADR, CMD and STATUS of the next frame show that a damaged one has ended.
GLANCE: Final = 4

#: Bits of a tag's length byte, and the bytes that they stand for.
FAST_ID: Final = 0x80
TRAILER: Final = 0x40
SIZE: Final = 0x3F
TID_BYTES: Final = 12
PHASE_BYTES: Final = 4
TRAILER_BYTES: Final = 7

#: What `damaged_tags` says when a longer look may tell.
TOO_SHORT: Final = "too short to tell"

#: Turns the bits of each byte around: the reflected CRC becomes the one that the standard library knows.
REVERSED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))

_STEP: Final = tuple(crc_hqx(bytes((byte,)), 0) for byte in range(256))
#: The low byte of each step is unique, so that the CRC can be undone byte by byte.
_BY_LOW: Final = {step & 0xFF: index for index, step in enumerate(_STEP)}

#: A tag answers whole words.
LENGTHS: Final = frozenset(range(0, MAX_EPC_BYTES + 1, 2))

_TAG_COMMANDS: Final = frozenset((INVENTORY, PUSHED))
_TAG_STATUSES: Final = WITH_TAGS | {OK}
_NEXT_COMMANDS: Final = frozenset((INVENTORY, READER_INFO, WORK_MODE, PUSHED))
_NEXT_STATUSES: Final = _TAG_STATUSES | {STATISTICS, HEARTBEAT, ANTENNA_ERROR, NO_TAG}
#: The end of a poll in either dialect: no tag, not one of zero bytes (CH1).
_FINISHED: Final = b"\x01\x00"


class Tag(NamedTuple):
    """One tag as a UHFReader288 sends it."""

    epc: bytes
    rssi_raw: int = 0x40
    tid: bytes | None = None
    #: Phase (4 bytes as they come) and frequency.
    trailer: tuple[bytes, int] | None = None


def encode_command(command: int, data: bytes = b"", address: int = 0) -> bytes:
    """A whole frame of the host; raises ValueError for more than 251 bytes of data."""
    body = bytes((len(data) + 4, address, command)) + data
    return body + checksum(body)


def encode_answer(command: int, status: int, data: bytes = b"", address: int = 0) -> bytes:
    """A whole frame of the reader; raises ValueError for more than 250 bytes of data."""
    return encode_command(command, bytes((status,)) + data, address)


def encode_tags_18(epcs: Sequence[bytes], status: int = MORE, address: int = 0) -> bytes:
    """What a UHFReader18 answers to a poll."""
    tags = b"".join(bytes((len(epc),)) + epc for epc in epcs)
    return encode_answer(INVENTORY, status, bytes((len(epcs),)) + tags, address)


def encode_tags_288(
    tags: Sequence[Tag], *, ant: int = 1, status: int = MORE, address: int = 0
) -> bytes:
    """What a UHFReader288 answers to a poll; `ant` is the byte as it goes over the wire."""
    data = bytes((ant, len(tags))) + b"".join(map(_encode_tag, tags))
    return encode_answer(INVENTORY, status, data, address)


def encode_push(tag: Tag, *, ant: int = 1, address: int = 0) -> bytes:
    """What a reader in push mode sends for one tag."""
    return encode_answer(PUSHED, OK, bytes((ant,)) + _encode_tag(tag), address)


def encode_heartbeat(packet: int, antennas: int, total: int, address: int = 0) -> bytes:
    """What a reader in push mode sends now and then (byte order unverified)."""
    data = packet.to_bytes(4, "big") + bytes((antennas,)) + total.to_bytes(4, "big")
    return encode_answer(PUSHED, HEARTBEAT, data, address)


def encode_statistics(ant: int, rate: int, count: int, address: int = 0) -> bytes:
    """The end of a poll that asked for statistics."""
    data = bytes((ant,)) + rate.to_bytes(2, "big") + count.to_bytes(4, "big")
    return encode_answer(INVENTORY, STATISTICS, data, address)


def encode_finished(address: int = 0) -> bytes:
    """The end of a poll without another tag, as in capture CH1."""
    return encode_answer(INVENTORY, DONE, b"\x01\x00", address)


def encode_info(kind: int = 0x0C, scan_time: int = 10, address: int = 0) -> bytes:
    """The answer to "get reader info", as in capture CH1 but for type and `scan_time` (in 100 ms)."""
    data = bytes((0, 22, kind, 3, 0x4E, 0, 30, scan_time, 1, 0, 0, 0))
    return encode_answer(READER_INFO, OK, data, address)


def encode_work_mode(mode: Literal["answer", "push"], address: int = 0) -> bytes:
    """The command of a 288 that makes it wait for polls, or report by itself, also after a power cut."""
    return encode_command(WORK_MODE, bytes((mode == "push",)), address)


def checksum(body: bytes) -> bytes:
    """The two bytes behind the body of a frame."""
    return crc_hqx(body.translate(REVERSED), 0xFFFF).to_bytes(2, "big").translate(REVERSED)


def laid_out(frame: bytes) -> dict[Layout, list[int]]:
    """Each layout of an inventory answer that consumes it exactly -> where its tags' length bytes are."""
    if len(frame) <= SHORTEST + 1 or (frame[3] == DONE and frame[4:-2] == _FINISHED):
        return {"18": [], "288": []}
    found: dict[Layout, list[int]] = {}
    end = len(frame) - 2
    tags, at = walk(frame, 5, frame[4], bare=True)
    if at == end:
        found["18"] = tags
    if end >= 6:
        tags, at = walk(frame, 6, frame[5], bare=False)
        if at == end:
            found["288"] = tags
    return found


def walk(data: bytes, at: int, count: int, *, bare: bool) -> tuple[list[int], int]:
    """Where so many tags' length bytes are, from `at` on, and where they end.

    The end is 0 when one cannot be, and past the data when that stops before. `bare`: a UHFReader18's,
    length and EPC alone. A tag answers whole words, so an odd length cannot be.
    """
    tags: list[int] = []
    size = len(data)
    for _ in range(count):
        if at >= size:
            return tags, size + 1
        head = data[at]
        length = head if bare else head & SIZE
        if length not in LENGTHS:
            return tags, 0
        if bare:
            tags.append(at)
            at += length + 1
            continue
        if head & FAST_ID and length < TID_BYTES:
            return tags, 0
        tags.append(at)
        at += length + (2 + TRAILER_BYTES if head & TRAILER else 2)
    return tags, at


def reads_of(
    frame: bytes,
    tags: Sequence[int],
    antennas: Sequence[int | None],
    at_us: int,
    after_resync: bool,
) -> list[Read]:
    """The tags of a frame that has a signal byte a tag, once for each antenna that heard them."""
    reads: list[Read] = []
    for place in tags:
        head = frame[place]
        end = place + 1 + (head & SIZE)
        epc_end = end - TID_BYTES if head & FAST_ID else end
        trailer = end + 1 + PHASE_BYTES
        khz = int.from_bytes(frame[trailer : trailer + 3], "big") if head & TRAILER else None
        reads += [
            Read(
                epc=frame[place + 1 : epc_end],
                at_us=at_us,
                tid=frame[epc_end:end] if head & FAST_ID else None,
                antenna=antenna,
                rssi_raw=frame[end],
                frequency_khz=khz,
                after_resync=after_resync,
            )
            for antenna in antennas
        ]
    return reads


def bare_reads_of(frame: bytes, tags: Sequence[int], at_us: int, after_resync: bool) -> list[Read]:
    """The tags of a UHFReader18's frame."""
    return [
        Read(
            epc=frame[place + 1 : place + 1 + frame[place]],
            at_us=at_us,
            after_resync=after_resync,
        )
        for place in tags
    ]


def plain_tag(
    frame: bytes, place: int, antennas: Sequence[int | None], at_us: int, after_resync: bool
) -> list[Read]:
    """The only tag of a frame, when its length byte is at `place` and it has no TID and no phase; else empty."""
    end = len(frame) - 3
    if place >= end or frame[place] != end - place - 1 or frame[place] not in LENGTHS:
        return []
    epc, rssi_raw = frame[place + 1 : end], frame[end]
    return [
        Read(epc=epc, at_us=at_us, antenna=antenna, rssi_raw=rssi_raw, after_resync=after_resync)
        for antenna in antennas
    ]


def plain_bare_tag(frame: bytes, at_us: int, after_resync: bool) -> list[Read]:
    """The only tag of a UHFReader18's frame, unless its EPC is empty; else empty."""
    length = frame[5]
    if not length or length != len(frame) - 8 or length not in LENGTHS:
        return []
    return [Read(epc=frame[6:-2], at_us=at_us, after_resync=after_resync)]


def damaged_tags(seen: bytes, *, final: bool) -> tuple[int, str]:
    """How many of these bytes are one tag frame that lost a byte or got one wrong, and which; 0: none.

    `seen` begins where no good frame does, and is 260 bytes or all there are. The next frame must begin
    behind (or nothing, when `final`): of random bytes, one in 256 can be mended at a given place. A damaged
    LEN is tried first, for then the whole CRC must fit. `TOO_SHORT` when a longer look may tell, which
    is never when `final`; all that may change the answer is waited for.
    """
    if len(seen) < GLANCE and not final:
        return 0, TOO_SHORT
    ends, more = _possible_ends(seen)
    if not final and (more or any(end + GLANCE > len(seen) for _, end, _ in ends)):
        return 0, TOO_SHORT
    for trust_length, end, lost in sorted(ends):
        if end > len(seen) or not _may_begin(seen[end : end + GLANCE]):
            continue
        part = seen[:end]
        if trust_length:
            fits = _fits_mended(part, lost=lost)
        else:
            frame = bytes((end - 1 + lost,)) + part[1 - lost :]
            fits = not crc_hqx(frame.translate(REVERSED), 0xFFFF)
        if fits:
            return end, "cut_frame" if lost else "bad_checksum"
    return 0, ""


def mended(seen: bytes, *, lost: bool) -> Iterator[tuple[int, bytes]]:
    """The frames with a good CRC that these bytes can have been, if one was `lost`, or else got wrong.

    Each with the place of that byte. Takes one pass each way, whatever the length.
    """
    data = seen.translate(REVERSED)
    wanted = _wanted(data)
    state = 0xFFFF
    for place in range(len(data) + lost):
        after = place if lost else place + 1
        index = _BY_LOW[wanted[after] & 0xFF]
        if _STEP[index] ^ (state << 8 & 0xFFFF) == wanted[after]:
            byte = REVERSED[index ^ (state >> 8)]
            yield place, seen[:place] + bytes((byte,)) + seen[after:]
        if place < len(data):
            state = _STEP[(state >> 8) ^ data[place]] ^ (state << 8 & 0xFFFF)


def _encode_tag(tag: Tag) -> bytes:
    content = tag.epc + (tag.tid or b"")
    head = len(content) | (tag.tid is not None) << 7 | (tag.trailer is not None) << 6
    trailer = b"" if tag.trailer is None else tag.trailer[0] + tag.trailer[1].to_bytes(3, "big")
    return bytes((head,)) + content + bytes((tag.rssi_raw,)) + trailer


def _wanted(data: bytes) -> list[int]:
    """For each place, the CRC that the bytes in front of it must have, so that all together have 0."""
    states = [0] * (len(data) + 1)
    state = 0
    for place in range(len(data) - 1, -1, -1):
        index = _BY_LOW[state & 0xFF]
        state = (state ^ _STEP[index]) >> 8 | (index ^ data[place]) << 8
        states[place] = state
    return states


def _fits_mended(seen: bytes, *, lost: bool) -> bool:
    """True when one byte makes a tag frame of these, outside of any good frame among them.

    Damage inside of a hidden frame would have had to make it good, so there the frame is not hidden.
    """
    good: list[tuple[int, int]] | None = None
    for place, frame in mended(seen, lost=lost):
        if _holds_tags(frame):
            good = list(_good_frames(seen)) if good is None else good
            if not any(start + lost <= place < end for start, end in good):
                return True
    return False


def _good_frames(seen: bytes) -> Iterator[tuple[int, int]]:
    """Where frames with a good CRC begin and end, from left to right."""
    at = 0
    while at < len(seen):
        end = at + seen[at] + 1
        crc = crc_hqx(seen[at:end].translate(REVERSED), 0xFFFF)
        if crc == 0 and end - at >= SHORTEST and end <= len(seen):
            yield at, end
            at = end
        else:
            at += 1


def _possible_ends(seen: bytes) -> tuple[set[tuple[bool, int, bool]], bool]:
    """Where a tag frame with one damaged byte can end: (LEN is as it was, the end, the byte is lost).

    The second value is True when more bytes may show another.
    """
    ends: set[tuple[bool, int, bool]] = set()
    more = False
    if seen[0] >= SHORTEST and _has_tag_header(seen):
        ends |= {(True, seen[0], True), (True, seen[0] + 1, False)}
    for lost in (True, False):  # LEN is damaged: the tags themselves tell where they end
        frame = b"\x00" + seen[not lost :]
        if len(frame) <= SHORTEST or frame[2] not in _TAG_COMMANDS or frame[3] not in _TAG_STATUSES:
            more |= len(frame) <= SHORTEST
            continue
        for body_end in _body_ends(frame):
            more |= len(frame) < body_end <= LONGEST
            if 0 < body_end <= len(frame) and body_end + 2 <= LONGEST:
                ends.add((False, body_end + 2 - lost, lost))
    return ends, more


def _has_tag_header(seen: bytes) -> bool:
    """True when CMD or STATUS is where a tag frame with one damaged byte behind LEN has it."""
    return not _TAG_COMMANDS.isdisjoint(seen[1:3]) or not _TAG_STATUSES.isdisjoint(seen[2:4])


def _body_ends(frame: bytes) -> Iterator[int]:
    """Where the tags of a frame end by each layout, as `walk` says it."""
    if frame[2] == PUSHED:
        yield walk(frame, 5, 1, bare=False)[1]
    else:
        yield walk(frame, 5, frame[4], bare=True)[1]
        yield walk(frame, 6, frame[5], bare=False)[1]


def _holds_tags(frame: bytes) -> bool:
    """True when this is a tag frame of some layout, its CRC aside."""
    if len(frame) != frame[0] + 1 or len(frame) <= SHORTEST:
        return False
    if frame[2] == PUSHED:
        return frame[3] == OK and walk(frame, 5, 1, bare=False)[1] == len(frame) - 2
    return frame[2] == INVENTORY and frame[3] in WITH_TAGS and bool(laid_out(frame))


def _may_begin(seen: bytes) -> bool:
    """True when a frame of the reader may begin with these four bytes, or when nothing comes."""
    return not seen or (
        len(seen) == GLANCE
        and seen[0] >= SHORTEST
        and seen[2] in _NEXT_COMMANDS
        and seen[3] in _NEXT_STATUSES
    )
