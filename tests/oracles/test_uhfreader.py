"""UHFReader frames against two decoders that we did not write: wabson-chafon-rfid and omnitag.

What one of them makes of a frame differs from what we make of it only where a test below names the difference.
"""

from pathlib import Path
from typing import Literal, get_args

import pytest
from chafon_rfid import uhfreader18, uhfreader288m
from chafon_rfid.base import ReaderCommand, ReaderInfoFrame
from hypothesis import assume, example, given
from hypothesis import strategies as st
from omnitag.drivers.wyuan import protocol as omnitag

from gateway import uhf_frames as wire
from gateway.protocols import uhfreader
from gateway.reads import Outcome, Read, ReaderNote
from gateway.uhf_frames import Tag
from simulators.device import Tag as InField
from simulators.readers.uhfreader import UhfReader

CAPTURES = Path(__file__).parents[1] / "captures"
TID = bytes.fromhex("E2801160200074C52B7109D3")

Heard = tuple[bytes, int | None, int | None, bytes | None]
"""EPC, antenna, signal byte, TID."""

Session = Literal[0, 1, 2, 3, 255]

WORDS = st.integers(0, 25).flatmap(lambda words: st.binary(min_size=2 * words, max_size=2 * words))
EPCS = st.lists(WORDS, min_size=1, max_size=5).filter(lambda epcs: sum(map(len, epcs)) < 200)
#: One bit: an antenna of a reader that sends a mask.
PORTS = st.integers(0, 7)
TAG_STATUSES = st.sampled_from(sorted(wire.WITH_TAGS))


def outcomes_of(frame: bytes, dialect: str) -> list[Outcome]:
    one = uhfreader.decoder({"dialect": dialect})
    return one.feed(frame, 5) + one.flush(5)


def ours(frame: bytes, dialect: str = "288") -> list[Heard]:
    return [
        (read.epc, read.antenna, read.rssi_raw, read.tid)
        for read in outcomes_of(frame, dialect)
        if isinstance(read, Read)
    ]


def wabsons(frame: bytes, dialect: str = "288") -> list[Heard]:
    if dialect == "18":
        answer = uhfreader18.G2InventoryResponse(frame)
        return [(bytes(tag.epc), None, None, None) for tag in answer.get_tag()]
    answer = uhfreader288m.G2InventoryResponse(frame)
    return [(bytes(tag.epc), tag.antenna_num, tag.rssi, None) for tag in answer.get_tag()]


def omnitags(frame: bytes, ports: int = 8) -> list[Heard]:
    parsed = omnitag.parse_frame(frame)
    if parsed.re_cmd == omnitag.REALTIME:
        tags = [omnitag.parse_realtime_tag(parsed.data, antenna_count=ports)]
    else:
        tags, _ = omnitag.parse_inventory(parsed.data, antenna_count=ports)
    return [(tag.epc, tag.antenna, tag.rssi_raw, tag.tid) for tag in tags]


def captured(*notes: str) -> list[bytes]:
    """Frames that readers sent, whose note holds one of these texts."""
    lines = (CAPTURES / "chafon_uhfreader.txt").read_text().splitlines()[1:]
    lines = [line for line in lines if "; rx ;" in line and "NEGATIVE" not in line]
    return [bytes.fromhex(line.split(" ")[0]) for line in lines if any(n in line for n in notes)]


# --- frames that readers sent


@pytest.mark.parametrize("frame", captured("UHFReader18"), ids=bytes.hex)
def test_all_read_the_captured_answers_of_an_18_alike(frame: bytes) -> None:
    assert ours(frame, "18") == wabsons(frame, "18") != []


@pytest.mark.parametrize("frame", captured("UHFReader288", "4-byte", "one frame"), ids=bytes.hex)
def test_all_read_the_captured_answers_of_a_288_alike(frame: bytes) -> None:
    assert ours(frame) == wabsons(frame) == omnitags(frame) != []


def test_all_read_the_captured_reader_info_alike() -> None:
    (frame,) = captured("reader info")
    info = ReaderInfoFrame(frame)
    version = ".".join(map(str, info.firmware_version))
    detail = f"type {info.type.value:02X}, version {version}, {info.power} dBm"
    detail += f", scan time {info.scan_time * 100} ms"
    assert outcomes_of(frame, "auto") == [ReaderNote(kind="reader_info", at_us=5, detail=detail)]


# --- frames that our encoder makes, and so our simulated reader sends


@given(epcs=EPCS, status=TAG_STATUSES)
@example(epcs=[b""], status=wire.MORE)
def test_what_we_encode_for_an_18_is_read_by_wabson(epcs: list[bytes], status: int) -> None:
    assume((epcs, status) != ([b""], wire.DONE))  # the end of a poll, see the last test
    frame = wire.encode_tags_18(epcs, status)
    assert [epc for epc, *_ in wabsons(frame, "18")] == epcs
    assert wabsons(frame, "18") == ours(frame, "18")


@given(epcs=EPCS, port=PORTS, rssi=st.integers(0, 255), status=TAG_STATUSES)
def test_what_we_encode_for_a_288_is_read_by_both(
    epcs: list[bytes], port: int, rssi: int, status: int
) -> None:
    frame = wire.encode_tags_288([Tag(epc, rssi) for epc in epcs], ant=1 << port, status=status)
    assert omnitags(frame) == ours(frame) == [(epc, port + 1, rssi, None) for epc in epcs]
    told = port + 1 if port < 4 else None  # wabson knows readers of four antennas
    assert wabsons(frame) == [(epc, told, rssi, None) for epc in epcs]


@given(epc=WORDS, rssi=st.integers(0, 255), tid=st.none() | st.just(TID), phase=st.booleans())
def test_tids_and_phases_that_we_encode_are_read_by_omnitag(
    epc: bytes, rssi: int, tid: bytes | None, phase: bool
) -> None:
    tag = Tag(epc, rssi, tid, (b"phas", 902_750) if phase else None)
    for frame in (wire.encode_tags_288([tag, tag], ant=4), wire.encode_push(tag, ant=4)):
        if epc or tid is None:
            assert omnitags(frame) == ours(frame)
        assert set(ours(frame)) == {(epc, 3, rssi, tid)}


@given(st.integers(0, 255), st.integers(0, 65_535), st.integers(0, 2**32 - 1))
def test_statistics_that_we_encode_are_read_by_omnitag(ant: int, rate: int, count: int) -> None:
    frame = wire.encode_statistics(ant, rate, count)
    parsed = omnitag.parse_frame(frame)
    said = omnitag.parse_statistics(parsed.data)
    assert parsed.status == omnitag.ST_STATISTIC
    assert (said.antenna_byte, said.read_rate, said.total_count) == (ant, rate, count)
    detail = f"ANT {ant:02X}, rate {rate}, count {count}"
    assert outcomes_of(frame, "288") == [ReaderNote(kind="statistics", at_us=5, detail=detail)]


# --- frames of our simulated reader, which puts them together by itself


@pytest.mark.parametrize("poll", [b"\x04\xff", b"\x24\xff", b"\x34\xff"], ids=bytes.hex)
@given(epcs=st.lists(WORDS.filter(bool), min_size=1, max_size=20, unique=True), port=PORTS)
def test_omnitag_reads_our_simulated_288_as_we_do(
    poll: bytes, epcs: list[bytes], port: int
) -> None:
    frames = _simulated("288", [epc[:24] for epc in epcs], port + 1, poll)
    tags = [frame for frame in frames if frame[3] == wire.MORE]
    assert [omnitags(frame) for frame in tags] == [ours(frame) for frame in tags]
    found = {heard[:2] for frame in tags for heard in ours(frame)}
    assert found == {(epc[:24], port + 1) for epc in epcs}


@given(epcs=st.lists(WORDS.filter(bool), min_size=1, max_size=20, unique=True))
def test_wabson_reads_our_simulated_18_as_we_do(epcs: list[bytes]) -> None:
    frames = _simulated("18", epcs, 1, b"")
    tags = [frame for frame in frames if frame[3] == wire.MORE]
    assert [wabsons(frame, "18") for frame in tags] == [ours(frame, "18") for frame in tags]
    assert {epc for frame in tags for epc, *_ in ours(frame, "18")} == set(epcs)


def _simulated(
    dialect: Literal["18", "288"], epcs: list[bytes], antenna: int, poll: bytes
) -> list[bytes]:
    """The frames of as many rounds as it takes to hear all these tags."""
    reader, sent = UhfReader(dialect), b""
    for epc in epcs:
        reader.field.enter(InField(epc, antenna, -60), 10**9)
    for number in range(len(epcs)):
        at_us = number * 1_000_000
        sent += reader.receive(wire.encode_command(wire.INVENTORY, poll), at_us)
        sent += reader.due(at_us + 900_000).data
    frames = []
    while sent:
        frames.append(sent[: sent[0] + 1])
        sent = sent[sent[0] + 1 :]
    return frames


# --- frames that they make, or accept


@given(
    data=st.binary(max_size=60)
    | st.builds(
        lambda epcs, odd: b"\x01" + bytes((len(epcs),)) + b"".join(map(_block, epcs)) + odd,
        EPCS,
        st.binary(max_size=1),
    ),
    status=TAG_STATUSES,
)
def test_what_omnitag_accepts_to_the_last_byte_is_read_by_us_alike(
    data: bytes, status: int
) -> None:
    frame = omnitag.build_command(omnitag.INVENTORY, bytes((status,)) + data)
    try:
        tags, ant = omnitag.parse_inventory(data, antenna_count=16)
    except omnitag.ProtocolError:
        assert not ours(frame)
        return
    used = 2 + sum(_bytes_of(tag, data, place) for tag, place in _placed(tags, data))
    whole_words = all(len(tag.epc) % 2 == 0 for tag in tags)
    assume(used == len(data) and whole_words and ant in {1, 2, 4, 8, 16, 32, 64, 128})
    assume(all(tag.tid is not None or not data[place] & 0x80 for tag, place in _placed(tags, data)))
    assert ours(frame) == omnitags(frame)


def _block(epc: bytes) -> bytes:
    return bytes((len(epc),)) + epc + b"\x40"


def _placed(
    tags: list[omnitag.InventoryTag], data: bytes
) -> list[tuple[omnitag.InventoryTag, int]]:
    """Each tag with the place of its length byte."""
    found, at = [], 2
    for tag in tags:
        found.append((tag, at))
        at += _bytes_of(tag, data, at)
    return found


def _bytes_of(tag: omnitag.InventoryTag, data: bytes, place: int) -> int:
    size = 2 + len(tag.epc) + len(tag.tid or b"")
    return size + 7 if data[place] & 0x40 else size


@given(st.binary(min_size=5, max_size=40))
def test_a_frame_is_whole_for_us_exactly_when_it_is_for_them(body: bytes) -> None:
    """Also for bytes that nobody encoded: the length and the CRC decide for all three."""
    for frame in (body, body[:-2] + wire.checksum(body[:-2]), _framed(body)):
        try:
            whole = omnitag.parse_frame(frame) is not None
        except omnitag.ProtocolError:
            whole = False
        one = uhfreader.decoder({"dialect": "288"})
        outcomes = one.feed(frame, 5) + one.flush(5)
        damaged = {getattr(o, "reason", "") for o in outcomes} & {
            *("bad_checksum", "cut_frame", "garbage"),
        }
        assert whole == (not damaged)


def _framed(body: bytes) -> bytes:
    return omnitag.build_command(body[1], body[2:-2], adr=body[0])


# --- commands


@given(
    q=st.integers(0, 15),
    session=st.sampled_from(get_args(Session)),
    flags=st.tuples(st.booleans(), st.booleans()),
    antenna=st.none() | st.integers(1, 16),
    address=st.integers(0, 255),
)
def test_the_polls_that_we_send_are_omnitags(
    q: int, session: Session, flags: tuple[bool, bool], antenna: int | None, address: int
) -> None:
    fast_id, phase = flags
    options = uhfreader.UhfReaderOptions(
        q=q, session=session, fast_id=fast_id, phase=phase, address=address, scan_ms=300
    )
    assert uhfreader.encode_poll(options, "288", antenna) == omnitag.build_inventory(
        q_value=q,
        session=session,
        adr=address,
        antenna=antenna,
        scan_time=3,
        fast_id=fast_id,
        phase=phase,
    )


@given(st.integers(0, 255), st.integers(0, 255), st.binary(max_size=200))
def test_any_command_is_framed_by_all_three_alike(command: int, address: int, data: bytes) -> None:
    frame = wire.encode_command(command, data, address)
    assert frame == omnitag.build_command(command, data, adr=address)
    assert frame == bytes(ReaderCommand(command, address, list(data)).serialize())


def test_the_work_mode_commands_are_omnitags() -> None:
    assert wire.encode_work_mode("answer", 7) == omnitag.build_set_work_mode(0, adr=7)
    assert wire.encode_work_mode("push", 7) == omnitag.build_set_work_mode(1, adr=7)


# --- where they differ from us, and why we stay with ours


def test_a_tag_that_several_antennas_heard_is_a_read_of_each_and_others_keep_one_or_none() -> None:
    frame = wire.encode_tags_288([Tag(b"ab")], ant=0b0101)
    assert [antenna for _, antenna, *_ in ours(frame)] == [1, 3]
    assert [antenna for _, antenna, *_ in omnitags(frame)] == [3]
    assert [antenna for _, antenna, *_ in wabsons(frame)] == [None]


def test_a_tid_without_an_epc_is_a_tid_and_omnitag_takes_it_for_an_epc() -> None:
    frame = wire.encode_tags_288([Tag(b"", 9, TID)])
    assert ours(frame) == [(b"", 1, 9, TID)]
    assert omnitags(frame) == [(TID, 1, 9, None)]


def test_an_odd_number_of_bytes_is_no_epc_and_others_take_it() -> None:
    """A tag answers whole words, so such a frame is damaged or made by somebody."""
    frame = wire.encode_answer(wire.INVENTORY, wire.MORE, b"\x01\x01\x03abc\x40")
    assert not ours(frame)
    assert omnitags(frame) == wabsons(frame) == [(b"abc", 1, 0x40, None)]


def test_bytes_behind_the_last_tag_reject_the_frame_and_others_ignore_them() -> None:
    """They show another layout, in which the same bytes may be another card."""
    frame = wire.encode_answer(wire.INVENTORY, wire.MORE, b"\x01\x01\x02ab\x40more")
    assert not ours(frame)
    assert omnitags(frame) == wabsons(frame) == [(b"ab", 1, 0x40, None)]


def test_the_end_of_a_poll_is_no_tag_and_wabson_gives_one_of_zero_bytes_where_it_has_one() -> None:
    (frame,) = captured("no tag")
    assert not ours(frame)
    assert not ours(frame, "18")
    assert wabsons(frame) == []
    assert wabsons(frame, "18") == [(b"", None, None, None)]
