"""Zebra readers with the IoT Connector (FX7500, FX9600, ATR7000, FXR60, FXR90) over MQTT.

One MQTT payload a call: an object, or an array of them when the reader batches.

    {"data":{"eventNum":5059,"format":"epc","idHex":"e28068..","antenna":1,"peakRssi":-37,"reads":1},
     "timestamp":"2026-09-07T12:50:55.513+0000","type":"INVENTORY"}

`type` of a tag is the operating mode: SIMPLE, INVENTORY, CONVEYOR, CUSTOM, PORTAL. Which fields come
depends on it and on `tagMetaData`; only `idHex` is always there. `reads` counts since the last report.
Other types are notes: management events (`heartbeat`, `gpi`, `gpo`, `error`, `warning`,
`firmwareUpdateProgress`, `userapp`), DIRECTIONALITY, and BLE_DATA, which comes on the data topic too.

With `format` "uii" the PC counts the XPC words too, which come apart as `XPC1` (bit XI of the PC is set).
USER may hold an English error text where hex is expected.

Sources: messages of an FXR60 and an FXR90 (`tests/captures/README.md`) and the published schema of these
readers. Unverified: PORTAL, DIRECTIONALITY, `XPC2`, and what `data` of an error or a warning holds.
"""

from binascii import unhexlify
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal, TypeVar, get_args

import msgspec
import orjson

from gateway.gen2 import fault, plain_pc, tag_crc
from gateway.options import parse_options
from gateway.reads import Due, Outcome, Read, ReaderNote, Rejected

TagMode = Literal["SIMPLE", "INVENTORY", "CONVEYOR", "CUSTOM", "PORTAL"]

#: A reader's batch has at most 256,000 bytes; more than this is not parsed at all.
MAX_PAYLOAD: Final = 1 << 20
#: Of one rejected object; bounds the table of rejects.
MAX_RAW: Final = 4096
#: Objects of one payload that are rejected one by one: bounds what a hostile array costs.
MAX_REJECTED: Final = 100
#: Objects of one payload: a tag event has 90 bytes or more, so an honest MiB holds fewer.
MAX_BATCH: Final = 20_000
#: Characters of a note's text.
MAX_DETAIL: Final = 200

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

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

T = TypeVar("T")

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


_MESSAGE: Final = msgspec.json.Decoder(_Message)
_BATCH: Final = msgspec.json.Decoder(list[msgspec.Raw])
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
        if len(data) > MAX_PAYLOAD:
            return [_rejected("too_large", data, at_us, f"{len(data)} bytes of {MAX_PAYLOAD}")]
        if data[:1] == b"[" or data[:64].lstrip()[:1] == b"[":
            return _batch(data, at_us)
        outcomes: list[Outcome] = []
        try:
            _take(data, at_us, outcomes)
        except _FieldError as error:
            outcomes.append(_rejected(error.reason, data, at_us, error.detail))
        return outcomes

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


class _FieldError(ValueError):
    """Inside this module: an object that says nothing usable, and why."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def _rejected(reason: str, raw: bytes, at_us: int, detail: str) -> Rejected:
    return Rejected(reason=reason, raw=raw[:MAX_RAW], at_us=at_us, detail=detail[:MAX_DETAIL])


def _batch(data: bytes, at_us: int) -> list[Outcome]:
    try:
        parts = _decode(_BATCH, data, "$")
    except _FieldError as error:
        return [_rejected(error.reason, data, at_us, error.detail)]
    if len(parts) > MAX_BATCH:
        return [_rejected("too_large", data, at_us, f"{len(parts)} objects of {MAX_BATCH}")]
    if not parts:
        return [ReaderNote(kind="batch", at_us=at_us, detail="empty")]
    outcomes: list[Outcome] = []
    rejected = 0
    for number, part in enumerate(parts):
        try:
            _take(part, at_us, outcomes)
        except _FieldError as error:
            rejected += 1
            if rejected > MAX_REJECTED:
                continue
            detail = error.detail.replace("`$", f"`$[{number}]", 1)
            outcomes.append(_rejected(error.reason, bytes(part), at_us, detail))
    if rejected > MAX_REJECTED:
        detail = f"{rejected - MAX_REJECTED} more objects of this payload"
        outcomes.append(_rejected("more_rejected", b"", at_us, detail))
    return outcomes


def _take(part: bytes | msgspec.Raw, at_us: int, outcomes: list[Outcome]) -> None:
    """Add what one object says; raises `_FieldError` and adds nothing when it says nothing usable."""
    message = _decode(_MESSAGE, part, "$")
    kind = message.type
    if kind is None:
        if message.command is None or message.response is None:
            raise _FieldError("bad_field", "no type - at `$.type`")
        detail = f"{message.command}: {message.response}"[:MAX_DETAIL]
        outcomes.append(ReaderNote(kind="answer", at_us=at_us, detail=detail))
    elif kind in _TAG_MODES:
        _tag(message, at_us, outcomes)
    elif kind in NOTES:
        outcomes.append(_note(message, at_us, *NOTES[kind]))
    else:
        raise _FieldError("unknown_type", f"{kind!a} - at `$.type`")


def _decode(decoder: msgspec.json.Decoder[T], part: bytes | msgspec.Raw, path: str) -> T:
    """Decode JSON that stands at this path; raises `_FieldError`, whatever the bytes."""
    try:
        return decoder.decode(part)
    except msgspec.ValidationError as error:
        text, _, inner = str(error).partition(" - at `$")
        raise _FieldError("bad_field", f"{text} - at `{path}{inner.rstrip('`')}`") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # A UnicodeDecodeError's text is plain, too: no bytes of the payload but the one at fault.
        raise _FieldError("not_json", str(error)) from None


def _tag(message: _Message, at_us: int, outcomes: list[Outcome]) -> None:
    data = _decode(_TAG, message.data, "$.data")
    epc = _hex(data.id_hex, "idHex")
    pc = None if data.pc is None else _hex(data.pc, "PC", 2)
    xpc = _xpc(data)
    if data.crc is not None:
        crc = _hex(data.crc, "CRC", 2)
        reason = fault(pc + epc + crc) if pc and xpc is None else None
        if reason:
            raise _FieldError(reason, "PC, idHex and CRC do not fit together - at `$.data`")
    tid = None if data.tid is None or _is_error(data.tid) else _hex(data.tid, "TID")
    event_num = message.event_num if data.event_num is None else data.event_num
    read = Read(
        epc=epc,
        at_us=at_us,
        reader_at_us=_microseconds(message.timestamp),
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
        raise _FieldError("bad_field", f"not hex - at `$.data.{name}`") from None
    if length is not None and len(octets) != length:
        raise _FieldError("bad_field", f"not {length} bytes - at `$.data.{name}`")
    return octets


def _microseconds(text: str | None) -> int:
    """The reader's time; all four zone forms that occur are ISO 8601: +0000, -0600, Z, +03:00."""
    try:
        since = datetime.fromisoformat(text or "") - _EPOCH
    except (ValueError, TypeError):
        raise _FieldError("bad_field", "not a time with its zone - at `$.timestamp`") from None
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _note(message: _Message, at_us: int, kind: str, names: tuple[str, ...]) -> ReaderNote:
    data = _decode(_TABLE, message.data, "$.data") or {}
    detail = _heartbeat(data) if kind == "heartbeat" else _texts(data, *names)
    number, time = message.event_num, message.timestamp
    key = None if number is None or time is None else f"{number}@{time}"
    return ReaderNote(kind=kind, at_us=at_us, detail=detail[:MAX_DETAIL], key=key)


def _texts(data: Mapping[str, object], *names: str) -> str:
    """`name value` of those that are there and plain; what is not plain is not for one line of text."""
    plain = (bool, int, float, str)
    found = ((name, data.get(name)) for name in names)
    return ", ".join(f"{name} {value}" for name, value in found if isinstance(value, plain))


def _table(data: Mapping[str, object], name: str) -> Mapping[str, object]:
    inner = data.get(name)
    return inner if isinstance(inner, dict) else {}


def _heartbeat(data: Mapping[str, object]) -> str:
    """Radio, antennas and clock: what a technician looks for first."""
    radio, ntp = _table(data, "radio_control"), _table(_table(data, "system"), "ntp")
    antennas = ", ".join(f"{port} {state}" for port, state in _table(radio, "antennas").items())
    parts = [
        _texts(radio, "radioActivity", "radioConnection", "numErrors", "numWarnings"),
        f"antennas {antennas}" if antennas else "",
        f"ntp {clock}" if (clock := _texts(ntp, "offset", "reach")) else "",
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
