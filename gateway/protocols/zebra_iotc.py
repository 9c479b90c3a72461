"""Zebra readers with the IoT Connector (FX7500, FX9600, ATR7000, FXR60, FXR90) over MQTT.

One MQTT payload a call: an object, or an array of them when the reader batches.

    {"data":{"eventNum":5059,"format":"epc","idHex":"e28068..","antenna":1,"peakRssi":-37,"reads":1},
     "timestamp":"2026-09-07T12:50:55.513+0000","type":"INVENTORY"}

`type` of a tag is the operating mode: SIMPLE, INVENTORY, CONVEYOR, CUSTOM, PORTAL. Which fields come
depends on it and on `tagMetaData`; only `idHex` is always there. `reads` counts since the last report.
Other types are notes: management events (`heartbeat`, `gpi`, `gpo`, `error`, `warning`,
`firmwareUpdateProgress`, `userapp`), DIRECTIONALITY, and BLE_DATA, which comes on the data topic too.

With `format` "uii" the PC counts the XPC words too, which come apart as `XPC1` (bit XI of the PC is set).
A heartbeat tells of the antennas and of the clock: `ntp` has `offset` in ms and `reach`, the last 8 attempts to hear
the time server (0: none of them did), and `numDataMessagesDropped` counts what its full store threw away: in
`reader_gateway.dataPathStatistics[]`, on older firmware in `reader_gateway` itself. USER may hold an English error
text where hex is expected.

Sources: messages of an FXR60 and an FXR90 (`tests/captures/README.md`) and the published schema of these
readers. Unverified: that counter above 0, PORTAL, DIRECTIONALITY, `XPC2`, and what `data` of an error or a warning holds.
"""

import re
from binascii import unhexlify
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Annotated, Final, Literal, get_args

import msgspec
import orjson

from gateway.facts import AntennaState, Dropped, Fact, Ntp, Pin
from gateway.gen2 import fault, plain_pc, tag_crc
from gateway.json_batch import (
    MAX_DETAIL,
    FieldError,
    Part,
    microseconds,
    outcomes_of,
    parsed,
    texts,
)
from gateway.options import parse_options
from gateway.reads import Due, Outcome, Read, ReaderNote

TagMode = Literal["SIMPLE", "INVENTORY", "CONVEYOR", "CUSTOM", "PORTAL"]

#: Type of a message that is no tag -> kind of the note, and what of `data` its text says. Nothing from
#: BLE: a beacon's address may belong to a person's phone.
NOTES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "heartbeat": ("heartbeat", ()),
    "gpi": ("gpi", ("pin", "state")),
    "gpo": ("gpo", ("pin", "state")),
    "error": ("error", ("code", "type", "message", "description")),
    "warning": ("warning", ("code", "type", "message", "description")),
    "firmwareUpdateProgress": ("firmware_update", ("status",)),
    "userapp": ("userapp", ()),
    "BLE_DATA": ("ble", ()),
    "DIRECTIONALITY": ("directionality", ("state", "zone", "prevZone", "direction")),
}

#: Ports of a reader that a heartbeat may speak of.
MAX_PORTS: Final = 64
_PORT: Final = re.compile(r"\d{1,3}", re.ASCII)

_DROPPED: Final = "numDataMessagesDropped"
#: No reader has lived long enough for more.
_MOST_DROPPED: Final = 1 << 48

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

_TAG_MODES: Final = frozenset(get_args(TagMode))

#: PC can count 62 bytes; the rest is slack.
_Hex = Annotated[str, msgspec.Meta(max_length=2 * 66)]
_Text = Annotated[str, msgspec.Meta(max_length=2048)]
_Number = Annotated[int, msgspec.Meta(ge=0)]


_NAMES: Final = {
    "id_hex": "idHex",
    "event_num": "eventNum",
    "peak_rssi": "peakRssi",
    **{name.lower(): name for name in ("PC", "CRC", "XPC", "XPC1", "XPC2", "TID", "USER")},
}


class _Message(msgspec.Struct, frozen=True, gc=False, rename=_NAMES):
    """The envelope of all messages; the answer to a command has `command` and `response` instead."""

    type: _Text | None = None
    data: msgspec.Raw = msgspec.Raw(b"null")
    timestamp: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    #: Counts all events of a reader since it was switched on.
    event_num: _Number | None = None
    command: _Text | None = None
    response: _Text | None = None


class _Tag(msgspec.Struct, frozen=True, gc=False, rename=_NAMES):
    """`data` of a tag."""

    id_hex: _Hex
    event_num: _Number | None = None
    antenna: Annotated[int, msgspec.Meta(ge=0, le=255)] | None = None
    peak_rssi: Annotated[float, msgspec.Meta(ge=-200, le=100)] | None = None
    reads: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1
    format: _Text | None = None
    pc: _Hex | None = None
    crc: _Hex | None = None
    xpc: _Hex | None = None
    xpc1: _Hex | None = None
    xpc2: _Hex | None = None
    tid: _Text | None = None
    user: _Text | None = None
    #: MHz.
    channel: Annotated[float, msgspec.Meta(ge=0, le=10_000)] | None = None
    phase: Annotated[float, msgspec.Meta(ge=-360, le=360)] | None = None


class _TagMessage(msgspec.Struct, frozen=True, gc=False, rename=_NAMES):
    """A good message of a tag, which is decoded in one go; what is none is looked at again as a `_Message`."""

    type: TagMode
    data: _Tag
    timestamp: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    event_num: _Number | None = None
    command: _Text | None = None
    response: _Text | None = None


_TAG_MESSAGE: Final = msgspec.json.Decoder(_TagMessage)
_MESSAGE: Final = msgspec.json.Decoder(_Message)
_TAG: Final = msgspec.json.Decoder(_Tag)
_TABLE: Final = msgspec.json.Decoder(dict[str, object] | None)


class ZebraIotcOptions(msgspec.Struct, frozen=True, kw_only=True):
    """There is nothing to choose: each message says what it is."""


class ZebraIotcDecoder:
    """One reader's messages. Holds nothing between calls."""

    def start(self) -> bytes:
        """Nothing: the reader reports by itself."""
        return b""

    def stop(self) -> bytes:
        """Nothing: the reader is stopped by its own configuration."""
        return b""

    def feed(self, data: bytes, at_us: int) -> list[Outcome]:
        """Take one payload; an object of a batch that is bad rejects only itself."""
        return outcomes_of(data, at_us, _take)

    def due(self, now_us: int) -> Due:  # noqa: ARG002 - the contract's signature
        """Nothing is ever due."""
        return Due(b"", [], None)

    def flush(self, at_us: int) -> list[Outcome]:  # noqa: ARG002 - the contract's signature
        """Nothing is held."""
        return []


def decoder(options: Mapping[str, object]) -> ZebraIotcDecoder:
    """A decoder for one reader; raises `OptionError`."""
    parse_options(ZebraIotcOptions, options)
    return ZebraIotcDecoder()


def _take(part: Part, at_us: int, outcomes: list[Outcome]) -> None:
    """Add what one object says; raises `FieldError` and adds nothing when it says nothing usable."""
    try:
        tag = _TAG_MESSAGE.decode(part)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    else:
        _tag(tag, tag.data, at_us, outcomes)
        return
    message = parsed(_MESSAGE, part, "$")
    kind = message.type
    if kind is None:
        if message.command is None or message.response is None:
            raise FieldError("bad_field", "no type - at `$.type`")
        detail = f"{message.command}: {message.response}"[:MAX_DETAIL]
        outcomes.append(ReaderNote(kind="answer", at_us=at_us, detail=detail))
    elif kind in _TAG_MODES:
        _tag(message, parsed(_TAG, message.data, "$.data"), at_us, outcomes)
    elif kind in NOTES:
        outcomes.append(_note(message, at_us, *NOTES[kind]))
    else:
        raise FieldError("unknown_type", f"{kind!a} - at `$.type`")


def _tag(message: _Message | _TagMessage, data: _Tag, at_us: int, outcomes: list[Outcome]) -> None:
    epc = _hex(data.id_hex, "idHex")
    pc = None if data.pc is None else _hex(data.pc, "PC", 2)
    xpc = _xpc(data)
    if data.crc is not None:
        crc = _hex(data.crc, "CRC", 2)
        reason = fault(pc + epc + crc) if pc and xpc is None else None
        if reason:
            raise FieldError(reason, "PC, idHex and CRC do not fit together - at `$.data`")
    tid = None if data.tid is None or _is_error(data.tid) else _hex(data.tid, "TID")
    event_num = message.event_num if data.event_num is None else data.event_num
    read = Read(
        epc=epc,
        at_us=at_us,
        reader_at_us=microseconds(message.timestamp, "timestamp"),
        pc=None if pc is None else pc[0] << 8 | pc[1],
        xpc=xpc,
        tid=tid,
        antenna=data.antenna,
        rssi_dbm=data.peak_rssi,
        frequency_khz=None if data.channel is None else round(data.channel * 1000),
        phase_deg=data.phase,
        reads=data.reads,
        key=None if event_num is None else f"{event_num}@{message.timestamp}",
    )
    outcomes.append(read)
    if data.tid is data.user is None:
        return
    for text in (data.tid, data.user):
        if text and _is_error(text):
            detail = text[:MAX_DETAIL]
            outcomes.append(ReaderNote(kind="access_error", at_us=at_us, detail=detail))


def _xpc(data: _Tag) -> int | None:
    """The XPC words, as one number."""
    if data.xpc is data.xpc1 is data.xpc2 is None:
        return None
    texts = (("XPC", data.xpc), ("XPC1", data.xpc1), ("XPC2", data.xpc2))
    words = b"".join(_hex(text, name) for name, text in texts if text is not None)
    return int.from_bytes(words, "big") if words else None


def _is_error(text: str) -> bool:
    """The reader could not read that bank and says so in English."""
    return text.startswith("Error")


def _hex(text: str, name: str, length: int | None = None) -> bytes:
    try:
        octets = unhexlify(text)
    except ValueError:
        raise FieldError("bad_field", f"not hex - at `$.data.{name}`") from None
    if length is not None and len(octets) != length:
        raise FieldError("bad_field", f"not {length} bytes - at `$.data.{name}`")
    return octets


def _note(message: _Message, at_us: int, kind: str, names: tuple[str, ...]) -> ReaderNote:
    data = parsed(_TABLE, message.data, "$.data") or {}
    detail = _heartbeat(data) if kind == "heartbeat" else texts(data, names)
    number, time = message.event_num, message.timestamp
    key = None if number is None or time is None else f"{number}@{time}"
    return ReaderNote(
        kind=kind,
        at_us=at_us,
        detail=detail[:MAX_DETAIL],
        key=key,
        reader_at_us=_time(time),
        facts=_facts(kind, data),
    )


def _time(text: str | None) -> int | None:
    """The reader's time of a note, which counts without it too."""
    try:
        return microseconds(text, "timestamp")
    except FieldError:
        return None


def _facts(kind: str, data: Mapping[str, object]) -> tuple[Fact, ...]:
    """What a program can use of a note; what is of the wrong type is left away."""
    if kind == "gpi":
        pin, state = data.get("pin"), data.get("state")
        if isinstance(pin, int) and state in {"HIGH", "LOW"}:
            return (Pin(pin, state == "HIGH"),)
        return ()
    if kind != "heartbeat":
        return ()
    ports = _table(_table(data, "radio_control"), "antennas")
    facts: list[Fact] = [
        AntennaState(int(port), state == "connected")
        for port, state in list(ports.items())[:MAX_PORTS]
        if _PORT.fullmatch(port) and state in ("connected", "disconnected")
    ]
    ntp = _table(_table(data, "system"), "ntp")
    if (reach := _float(ntp.get("reach"))) is not None:
        facts.append(Ntp(reach != 0, _float(ntp.get("offset"))))
    if (dropped := _dropped(_table(data, "reader_gateway"))) is not None:
        facts.append(Dropped(dropped))
    return tuple(facts)


def _dropped(gateway: Mapping[str, object]) -> int | None:
    """Messages thrown away on all paths, None where no counter is there."""
    paths = gateway.get("dataPathStatistics")
    tables = [gateway, *(paths[:MAX_PORTS] if isinstance(paths, list) else [])]
    found = [table.get(_DROPPED) for table in tables if isinstance(table, dict)]
    counts = [count for count in found if type(count) is int and 0 <= count < _MOST_DROPPED]
    return sum(counts) if counts else None


def _float(value: object) -> float | None:
    """A number, or a text that is one: firmware differs."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if isfinite(number) else None


def _table(data: Mapping[str, object], name: str) -> Mapping[str, object]:
    inner = data.get(name)
    return inner if isinstance(inner, dict) else {}


def _heartbeat(data: Mapping[str, object]) -> str:
    """Radio, antennas and clock: what a technician looks for first."""
    radio, ntp = _table(data, "radio_control"), _table(_table(data, "system"), "ntp")
    antennas = ", ".join(f"{port} {state}" for port, state in _table(radio, "antennas").items())
    parts = [
        texts(radio, ("radioActivity", "radioConnection", "numErrors", "numWarnings")),
        f"antennas {antennas}" if antennas else "",
        f"ntp {clock}" if (clock := texts(ntp, ("offset", "reach"))) else "",
    ]
    return "; ".join(part for part in parts if part)


def timestamp(at_us: int) -> str:
    """A time as the reader writes it: milliseconds and `+0000`."""
    at = _EPOCH + at_us * _MICROSECOND
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}+0000"


def encode_tag_event(
    epc: bytes,
    *,
    event_num: int | None,
    at_us: int,
    mode: TagMode = "INVENTORY",
    fields: Mapping[str, object] | None = None,
) -> bytes:
    """One tag event. `fields` are further members of `data`, such as `antenna` or `peakRssi`.

    CUSTOM events get PC and CRC beside them, as a reader sends them that is asked for both.
    """
    data: dict[str, object] = {"eventNum": event_num, "format": "epc", "idHex": epc.hex()}
    data = {name: value for name, value in data.items() if value is not None}
    if mode == "CUSTOM":
        pc = plain_pc(epc).to_bytes(2, "big")
        data |= {"PC": pc.hex(), "CRC": f"{tag_crc(pc + epc):04x}"}
    data |= fields or {}
    return _encoded({"data": data, "timestamp": timestamp(at_us), "type": mode})


def encode_note(
    type_: str, *, event_num: int, at_us: int, data: Mapping[str, object], component: str = "RG"
) -> bytes:
    """One management event, such as `heartbeat` or `gpi`."""
    event = {"component": component, "data": data, "eventNum": event_num, "type": type_}
    return _encoded({**event, "timestamp": timestamp(at_us)})


def encode_batch(events: Sequence[bytes]) -> bytes:
    """The payload of a reader that batches."""
    return b"[" + b",".join(events) + b"]"


def encode(read: Read) -> bytes:
    """What a reader sends for this read."""
    fields = {
        "PC": None if read.pc is None else f"{read.pc:04x}",
        "XPC1": None if read.xpc is None else f"{read.xpc:04x}",
        "TID": None if read.tid is None else read.tid.hex(),
        "antenna": read.antenna,
        "peakRssi": read.rssi_dbm,
        "channel": None if read.frequency_khz is None else read.frequency_khz / 1000,
        "phase": read.phase_deg,
        "reads": read.reads,
    }
    return encode_tag_event(
        read.epc,
        event_num=None if read.key is None else int(read.key.partition("@")[0]),
        at_us=read.at_us if read.reader_at_us is None else read.reader_at_us,
        fields={name: value for name, value in fields.items() if value is not None},
    )


def _encoded(event: Mapping[str, object]) -> bytes:
    return orjson.dumps(event, option=orjson.OPT_SORT_KEYS)
