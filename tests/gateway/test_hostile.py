"""Input that somebody made to do harm: every protocol answers it in bounded memory and time, and goes on."""

import json
import math
from collections.abc import Iterator
from importlib import import_module

import pytest

from gateway.protocols import PROTOCOLS
from gateway.reads import Decoder, Read, ReaderNote, Rejected
from gateway.tracker import Point, Tracker
from tests.gateway.test_protocols import MAX_HELD, STREAMS, chunks_of, held, module

MESSAGES = [name for name in PROTOCOLS if name not in STREAMS]
NOW = 1_788_785_436_194_000
MEGABYTE = 1 << 20
GOOD = Read(epc=b"a good card.", at_us=NOW, rssi_dbm=-50, key="7")
POINT = Point(
    id="L01-primary",
    lane="L01",
    position="primary",
    direction="MX>US",
    to_booth_s=0,
    observe_reads=3,
    observe_us=200_000,
    glimpse_us=1_000_000,
    lost_us=5_000_000,
)

#: Without an end: of each byte that means something at a start, and of headers that announce the most.
LINES = {
    "zeros": b"\x00",
    "FF": b"\xff",
    "starts of R200 frames": b"\xbb",
    "headers of R200 tags": b"\xbb\x02\x22\x00\x43",
    "headers of long R200 frames": b"\xbb\x02\x22\x02\x00",
    "headers of Mercury reports": b"\xff\xf8\x22\x00\x00",
    "headers of UHFReader tags": b"\xfb\x00\x01\x03\x01\x01\x3e",
    "text": b"#KING 1302 ",
    "answers in one line": b"+CINV: 3034257BF468D480000003EC,E200600311753E33,-50 ",
}

#: Bytes of it. Telling whether one byte of a frame is damaged costs up to 0.1 ms a byte, so frames get less.
SIZE = {"ascii_line": MEGABYTE}
FEWER = 32_768

#: JSON that costs more than it looks.
BOMBS = {
    "arrays in arrays": b"[" * 500_000,
    "closed arrays in arrays": b"[" * 50_000 + b"]" * 50_000,
    "objects in objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "data in data": b'{"data":' * 100_000,
    "a number of a million digits": b'{"data":{"idHex":' + b"9" * 1_000_000 + b"}}",
    "an exponent": b'{"data":{"idHex":1e999999999}}',
    "10 MB of numbers": b"[" + b"1," * 5_000_000 + b"1]",
    "10 MB of empty objects": b"[" + b"{}," * 3_400_000 + b"{}]",
    "a million empty objects under the limit": b"[" + b"{}," * 340_000 + b"{}]",
    "one member again and again": b"{" + b'"data":1,' * 110_000 + b'"data":1}',
    "a long string": b'{"epc":"' + b"A" * 1_000_000 + b'"}',
    "escapes": b'{"epc":"' + b"\\u0041" * 170_000 + b'"}',
    "half a character": b'{"epc":"\\ud800"}',
    "no UTF-8": b'{"epc":"\xff\xfe"}',
    "spaces": b" " * MEGABYTE,
    "nothing": b"",
}

WRONG: list[object] = [
    *(None, True, False, -1, 0, 256, 2**31, 2**63, 2**64, -(2**63), 10**30, 0.5, -1e308, 1e308),
    *("", " ", "x", "0", "-1", "1e5", "NaN", "E2", "E28", "é", "\x00", "A" * 70_000),
    *([], {}, [[]], [{}], {"": None}, ["E28011"], {"epc": "E28011"}),
]


def goes_on(name: str, decoder: Decoder) -> None:
    """A good frame is read, once the line was silent."""
    decoder.due(NOW + 3_600_000_000)
    outcomes = decoder.feed(module(name).encode(GOOD), NOW) + decoder.flush(NOW)
    reads = [outcome for outcome in outcomes if isinstance(outcome, Read)]
    assert [read.epc for read in reads][-1:] == [GOOD.epc]


@pytest.mark.parametrize("unit", LINES.values(), ids=LINES)
@pytest.mark.parametrize("name", STREAMS)
def test_what_never_ends_is_rejected_in_pieces_and_not_held(name: str, unit: bytes) -> None:
    decoder = PROTOCOLS[name].decoder({})
    decoder.start()
    line = unit * (SIZE.get(name, FEWER) // len(unit))
    outcomes = decoder.feed(line, NOW)
    assert held(decoder) <= MAX_HELD
    outcomes += decoder.flush(NOW)
    raws = [len(outcome.raw) for outcome in outcomes if isinstance(outcome, Rejected)]
    assert sum(raws) == len(line)
    assert max(raws) <= MAX_HELD
    goes_on(name, decoder)


@pytest.mark.parametrize("payload", BOMBS.values(), ids=BOMBS)
@pytest.mark.parametrize("name", MESSAGES)
def test_a_bomb_gives_no_read_and_ends_nothing(name: str, payload: bytes) -> None:
    decoder = PROTOCOLS[name].decoder({})
    outcomes = decoder.feed(payload, NOW)
    assert outcomes
    assert not any(isinstance(outcome, Read) for outcome in outcomes)
    raw = sum(len(outcome.raw) for outcome in outcomes if isinstance(outcome, Rejected))
    assert raw <= MEGABYTE
    assert len(outcomes) <= 1_000
    goes_on(name, decoder)


def places(value: object, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where everything in a document is."""
    yield at
    steps = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for step, inner in steps:
        yield from places(inner, (*at, step))


def changed(text: bytes, at: tuple[str | int, ...], value: object) -> bytes:
    """The document with another value there."""
    if not at:
        return json.dumps(value).encode()
    document = json.loads(text)
    inner = document
    for step in at[:-1]:
        inner = inner[step]
    inner[at[-1]] = value
    return json.dumps(document).encode()


def sane(read: Read) -> bool:
    """Whether what a read says can be stored and sent on, whatever the reader sent."""
    numbers = (read.rssi_dbm, read.phase_deg)
    whole = (read.antenna, read.pc, read.xpc, read.rssi_raw, read.frequency_khz, read.reader_at_us)
    return (
        len(read.epc) <= 70
        and len(read.tid or b"") <= 70
        and all(number is None or math.isfinite(number) for number in numbers)
        and all(number is None or -(2**63) <= number < 2**63 for number in whole)
        and 1 <= read.reads < 2**31
        and len(read.key or "") <= 200
    )


@pytest.mark.parametrize("name", MESSAGES)
def test_a_wrong_type_in_any_field_rejects_or_is_passed_over_and_never_raises(name: str) -> None:
    decoder = PROTOCOLS[name].decoder({})
    tried = 0
    for text in chunks_of(name):
        try:
            document = json.loads(text)
        except ValueError:
            continue
        for at in places(document):
            for value in WRONG:
                outcomes = decoder.feed(changed(text, at, value), NOW)
                assert outcomes, (at, value)
                assert all(sane(o) for o in outcomes if isinstance(o, Read)), (at, value)
                assert not any(len(o.detail) > 400 for o in outcomes if isinstance(o, ReaderNote))
                tried += 1
    assert tried > 1_000
    goes_on(name, decoder)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_none_of_5000_reads_a_second_of_500_tags_is_lost(
    name: str,
) -> None:
    encode = import_module(f"gateway.protocols.{name}").encode
    tags = [b"\xe2\x80" + bytes(8) + number.to_bytes(2, "big") for number in range(500)]
    decoder, tracker = PROTOCOLS[name].decoder({}), Tracker()
    seconds = 3
    chunks = [
        (
            NOW + number * 200,
            encode(Read(epc=tags[number % 500], at_us=NOW, rssi_dbm=-50, key=f"{number}")),
        )
        for number in range(5_000 * seconds)
    ]
    outcomes = [outcome for at_us, chunk in chunks for outcome in decoder.feed(chunk, at_us)]
    outcomes += decoder.flush(NOW + seconds * 1_000_000)
    for outcome in outcomes:
        if isinstance(outcome, Read):
            tracker.hear(POINT, outcome)
    assert sum(stay.reads for stay in tracker.stays()) == 5_000 * seconds
    assert len(tracker) == 500
