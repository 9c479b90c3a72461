"""Impinj readers with the IoT device interface (R700 series) over MQTT.

One MQTT payload a call: an object; an array of them, as the reader's webhook sends, is taken too.

    {"timestamp":"2023-06-28T07:24:00.277766184Z","hostname":"impinj-14-2f-f4","eventType":"tagInventory",
     "tagInventoryEvent":{"epc":"4sRRo6UBH6APNUaT","antennaPort":2,"peakRssiCdbm":-5750,"frequency":921625}}

Exactly one inner object, called `eventType` + "Event"; some firmware leaves `eventType` away. `timestamp` is
when the reader queued the event, nine digits of a second; `lastSeenTime` is when it heard the tag. RSSI is in
1/100 dBm, frequency in kHz. `epc`, `tid` and `pc` are base64 in the URL-safe alphabet; `epcHex`, `tidHex`
and `xpcHex` are hex. Without further settings there is only `epc`, and no PC.

Other inner objects are notes. `overflow` says that the reader threw away events that nobody fetched: reads
are lost. A tag that was asked to prove itself has `tagAuthenticationResponse`: the reader's message and the tag's answer,
which only Impinj's service can check. What the reader publishes when it connects, leaves or is lost is plain text, set on the reader.

Sources: a message of an R700 (`tests/captures/README.md`) and version 1.7.0 of the API description that these
readers serve. Unverified: diagnostic, inventoryTerminated and location events, and events without a PC.
"""

from binascii import a2b_base64, b2a_base64, unhexlify
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import msgspec
import orjson

from gateway.facts import AntennaState, Fact, Lost, Pin
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
from gateway.reads import Due, Outcome, Proof, Read, ReaderNote, Rejected

#: `eventType` of an event that is no tag -> kind of the note, and what of it the text says. Location events
#: name a tag, so nothing of them is said.
NOTES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "inventoryStatus": ("inventory_status", ("status", "inventoryStatus")),
    "inventoryTerminated": ("inventory_terminated", ("reason", "cause", "message")),
    "antennaConnected": ("antenna_connected", ("antennaPort",)),
    "antennaDisconnected": ("antenna_disconnected", ("antennaPort",)),
    "antennaActivation": ("antenna_activation", ("antennaPort",)),
    "gpiTransition": ("gpi", ("gpi", "transition")),
    "diagnostic": ("diagnostic", ("code", "type", "severity", "message", "description")),
    "overflow": (
        "reads_lost",
        ("eventsPurged", "eventsRemaining", "firstEventTimestamp", "lastEventTimestamp"),
    ),
    "tagLocationEntry": ("location_entry", ()),
    "tagLocationUpdate": ("location_update", ()),
    "tagLocationExit": ("location_exit", ()),
}

#: A reader's buffer has 100,000 events or fewer; a greater count of lost ones is no count.
MAX_LOST: Final = 1_000_000_000

_TAG: Final = "tagInventory"
_EVENT: Final = "Event"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_URL_SAFE: Final = str.maketrans("-_", "+/")
_PLAIN: Final = str.maketrans("+/", "-_")

#: PC can count 62 bytes; the rest is slack.
_Hex = Annotated[str, msgspec.Meta(max_length=2 * 66)]
_Base64 = Annotated[str, msgspec.Meta(max_length=88)]
_Time = Annotated[str, msgspec.Meta(max_length=64)]
_Text = Annotated[str, msgspec.Meta(max_length=256)]


class _Answer(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """What a tag with Impinj's authentication answered to the reader's message."""

    message_hex: _Hex | None = None
    response_hex: _Hex | None = None


class _Tag(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """The inner object of a tag event."""

    epc: _Base64 | None = None
    epc_hex: _Hex | None = None
    tid: _Base64 | None = None
    tid_hex: _Hex | None = None
    pc: _Base64 | None = None
    xpc_hex: _Hex | None = None
    antenna_port: Annotated[int, msgspec.Meta(ge=0, le=255)] | None = None
    peak_rssi_cdbm: Annotated[int, msgspec.Meta(ge=-20_000, le=10_000)] | None = None
    #: kHz.
    frequency: Annotated[int, msgspec.Meta(ge=0, le=10_000_000)] | None = None
    phase_angle: Annotated[float, msgspec.Meta(ge=-360, le=360)] | None = None
    last_seen_time: _Time | None = None
    tag_authentication_response: _Answer | None = None


class _Message(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """The envelope of all events, and the inner object of the one that there are many of."""

    timestamp: _Time | None = None
    event_type: _Text | None = None
    tag_inventory_event: _Tag | None = None


_MESSAGE: Final = msgspec.json.Decoder(_Message)
_TABLE: Final = msgspec.json.Decoder(dict[str, object])


class ImpinjIotOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader's configuration may say: the reader's own settings of the same names."""

    connect_message: _Text = "connected"
    disconnect_message: _Text = ""
    will_message: _Text = "connection lost"


class ImpinjIotDecoder:
    """One reader's messages. Holds nothing between calls."""

    def __init__(self, options: ImpinjIotOptions) -> None:
        self._texts = {
            options.disconnect_message.encode(): "disconnected",
            options.will_message.encode(): "connection_lost",
            options.connect_message.encode(): "connected",
        }

    def start(self) -> bytes:
        """Nothing: the reader is started by its own preset."""
        return b""

    def stop(self) -> bytes:
        """Nothing: the reader is stopped by its own configuration."""
        return b""

    def feed(self, data: bytes, at_us: int) -> list[Outcome]:
        """Take one payload; an object of an array that is bad rejects only itself."""
        outcomes = outcomes_of(data, at_us, _take)
        kind = self._texts.get(bytes(data))
        if kind is None or not isinstance(outcomes[0], Rejected):
            return outcomes
        # These texts are the same every time, so only the time tells two of them apart.
        return [ReaderNote(kind=kind, at_us=at_us, key=f"{kind}@{at_us}")]

    def due(self, now_us: int) -> Due:  # noqa: ARG002 - the contract's signature
        """Nothing is ever due."""
        return Due(b"", [], None)

    def flush(self, at_us: int) -> list[Outcome]:  # noqa: ARG002 - the contract's signature
        """Nothing is held."""
        return []


def decoder(options: Mapping[str, object]) -> ImpinjIotDecoder:
    """A decoder for one reader; raises `OptionError`."""
    return ImpinjIotDecoder(parse_options(ImpinjIotOptions, options))


def _take(part: Part, at_us: int, outcomes: list[Outcome]) -> None:
    """Add what one object says; raises `FieldError` when it says nothing usable."""
    message = parsed(_MESSAGE, part)
    tag, event_type = message.tag_inventory_event, message.event_type
    if tag is not None and (event_type == _TAG or event_type is None):
        outcomes.append(_read(message.timestamp, tag, at_us))
    else:
        event = parsed(_TABLE, part)
        outcomes.append(_note(event, message, at_us))


def _read(timestamp: str | None, tag: _Tag, at_us: int) -> Read:
    epc = _number(tag.epc, tag.epc_hex, "epc")
    if epc is None:
        raise FieldError("bad_field", "neither epc nor epcHex - at `$.tagInventoryEvent`")
    pc = None if tag.pc is None else _base64(tag.pc, "pc")
    if pc is not None and len(pc) != 2:
        raise FieldError("bad_field", "not 2 bytes - at `$.tagInventoryEvent.pc`")
    if tag.last_seen_time is None:
        heard_us = microseconds(timestamp, "timestamp")
    else:
        heard_us = microseconds(tag.last_seen_time, "tagInventoryEvent.lastSeenTime")
    rssi = tag.peak_rssi_cdbm
    return Read(
        epc=epc,
        at_us=at_us,
        reader_at_us=heard_us,
        pc=None if pc is None else pc[0] << 8 | pc[1],
        xpc=int.from_bytes(_hex(tag.xpc_hex, "xpcHex"), "big") if tag.xpc_hex else None,
        tid=_number(tag.tid, tag.tid_hex, "tid"),
        antenna=tag.antenna_port,
        rssi_dbm=None if rssi is None else rssi / 100,
        frequency_khz=tag.frequency,
        phase_deg=tag.phase_angle,
        proof=None if tag.tag_authentication_response is None else _proof(tag),
    )


def _proof(tag: _Tag) -> Proof | None:
    """What the tag answered to the reader's challenge; its own short TID stays here."""
    said = tag.tag_authentication_response
    if said is None or not said.message_hex or not said.response_hex:
        return None
    name = "tagAuthenticationResponse"
    return Proof(
        challenge=_hex(said.message_hex, f"{name}.messageHex"),
        answer=_hex(said.response_hex, f"{name}.responseHex"),
    )


def _number(base64: str | None, hex_: str | None, name: str) -> bytes | None:
    """A number that may come in two forms, which must then say the same."""
    if base64 is None:
        return None if hex_ is None else _hex(hex_, f"{name}Hex")
    octets = _base64(base64, name)
    if hex_ is not None and octets != _hex(hex_, f"{name}Hex"):
        text = f"{name} and {name}Hex differ - at `$.tagInventoryEvent.{name}Hex`"
        raise FieldError("bad_field", text)
    return octets


def _base64(text: str, name: str) -> bytes:
    if "-" in text or "_" in text:
        text = text.translate(_URL_SAFE)
    try:
        octets = a2b_base64(text)
    except ValueError:
        octets = None
    # It passes over characters that are none of the alphabet's, and over a `=` too many.
    if octets is None or len(text) != (len(octets) + 2) // 3 * 4:
        raise FieldError("bad_field", f"not base64 - at `$.tagInventoryEvent.{name}`")
    return octets


def _hex(text: str, name: str) -> bytes:
    try:
        return unhexlify(text)
    except ValueError:
        raise FieldError("bad_field", f"not hex - at `$.tagInventoryEvent.{name}`") from None


def _note(event: Mapping[str, object], message: _Message, at_us: int) -> ReaderNote:
    """What an event that is no tag says; raises `FieldError`. An inner object may be missing."""
    event_type = message.event_type
    there = [name for name, value in event.items() if name.endswith(_EVENT) and value is not None]
    if event_type is None and len(there) != 1:
        text = f"{len(there)} inner objects and no eventType - at `$`"
        raise FieldError("bad_field", text)
    name = there[0].removesuffix(_EVENT) if event_type is None else event_type
    if name not in NOTES and name != _TAG:
        raise FieldError("unknown_type", f"{name!a} - at `$.eventType`")
    inner = event.get(f"{name}{_EVENT}") or {}
    if name == _TAG or not isinstance(inner, dict) or there not in ([], [f"{name}{_EVENT}"]):
        raise FieldError("bad_field", f"not this object alone - at `$.{name}{_EVENT}`")
    kind, names = NOTES[name]
    return ReaderNote(
        kind=kind,
        at_us=at_us,
        detail=texts(inner, names)[:MAX_DETAIL],
        reader_at_us=_time(message.timestamp),
        facts=_facts(name, inner),
    )


def _facts(name: str, inner: Mapping[str, object]) -> tuple[Fact, ...]:
    """What a program can use of an event; what is of the wrong type is left away."""
    match name, inner:
        case "overflow", _:
            purged = inner.get("eventsPurged")
            count = purged if isinstance(purged, int) and 0 <= purged <= MAX_LOST else None
            return (Lost(count),)
        case (("antennaConnected" | "antennaDisconnected"), {"antennaPort": int(port)}):
            return (AntennaState(port, name == "antennaConnected"),)
        case "gpiTransition", {"gpi": int(pin), "transition": str(transition)}:
            return (Pin(pin, transition.endswith("high")),)
        case _:
            return ()


def _time(text: str | None) -> int | None:
    try:
        return microseconds(text, "timestamp")
    except FieldError:
        return None


def timestamp(at_us: int) -> str:
    """A time as the reader writes it: nine digits of a second and `Z`."""
    at = _EPOCH + at_us * _MICROSECOND
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond:06d}000Z"


def encode_event(
    event_type: str, inner: Mapping[str, object], *, at_us: int, named: bool = True
) -> bytes:
    """One event of any kind; without its `eventType` when it is not to be `named`."""
    event: dict[str, object] = {"timestamp": timestamp(at_us)}
    if named:
        event["eventType"] = event_type
    return orjson.dumps(event | {f"{event_type}{_EVENT}": inner})


def encode_tag_event(
    epc: bytes, *, at_us: int, fields: Mapping[str, object] | None = None, named: bool = True
) -> bytes:
    """One tag event as a reader sends it without further settings: the EPC in base64 only.

    `fields` are further members of the inner object, such as `antennaPort` or `epcHex`.
    """
    inner = {"epc": _encoded(epc), **(fields or {})}
    return encode_event(_TAG, inner, at_us=at_us, named=named)


def encode_lost(purged: int, remaining: int, *, first_us: int, last_us: int, at_us: int) -> bytes:
    """The event that says how many events the reader threw away, and from when they were."""
    inner = {"firstEventTimestamp": timestamp(first_us), "lastEventTimestamp": timestamp(last_us)}
    return encode_event(
        "overflow", {**inner, "eventsPurged": purged, "eventsRemaining": remaining}, at_us=at_us
    )


def encode_batch(events: Sequence[bytes]) -> bytes:
    """The payload of a webhook."""
    return b"[" + b",".join(events) + b"]"


def encode(read: Read) -> bytes:
    """What a reader sends for this read."""
    fields = {
        "tid": None if read.tid is None else _encoded(read.tid),
        "xpcHex": None if read.xpc is None else f"{read.xpc:04X}",
        "pc": None if read.pc is None else _encoded(read.pc.to_bytes(2, "big")),
        "antennaPort": read.antenna,
        "peakRssiCdbm": None if read.rssi_dbm is None else round(read.rssi_dbm * 100),
        "frequency": read.frequency_khz,
        "phaseAngle": read.phase_deg,
    }
    return encode_tag_event(
        read.epc,
        at_us=read.at_us if read.reader_at_us is None else read.reader_at_us,
        fields={name: value for name, value in fields.items() if value is not None},
    )


def _encoded(octets: bytes) -> str:
    return b2a_base64(octets, newline=False).decode().translate(_PLAIN)
