"""Any reader that publishes tags as JSON over MQTT: a configured mapping, no code.

One MQTT payload a call: an object, or an array of them. Options say where the tags are in it and where in a
tag its fields are, as paths of `gateway.json_path`. Without options it is the common form of Keonn AdvanNet:

    {"devid":"..","devip":"..","devmac":"..",
     "reads":[{"epc":"e28068..","sku":"..","serial":"..","rssi":"-61","ts":"1788785436194"}]}

Numbers may stand in strings. `ts` is milliseconds since 1970, `rssi` dBm.

    options = { tags = "tags", antenna = "antennaPort", time = "timeStampOfRead", time_form = "us" }   # CSL CS463

Sources: descriptions of both forms (`tests/captures/README.md`). Keonn's payload is a template that the user
writes. Unverified: all of it on a device of our own.
"""

import re
from binascii import unhexlify
from collections.abc import Mapping
from contextlib import suppress
from datetime import timezone
from typing import Annotated, Final, NamedTuple, TypedDict, cast

import msgspec
import orjson

from gateway.json_path import (
    Condition,
    NotThere,
    PathError,
    Place,
    every,
    fits,
    numbered,
    parse_conditions,
    parse_place,
    written,
)
from gateway.options import parse_options
from gateway.reader_time import UNITS, TimeReader, time_reader, zone_of
from gateway.reads import Due, OptionError, Outcome, Read, ReaderNote, Rejected

#: More than this is not parsed at all.
MAX_PAYLOAD: Final = 1 << 20
#: Of one rejected tag; bounds the table of rejects.
MAX_RAW: Final = 4096
#: Tags of one payload that are rejected one by one: bounds what a hostile array costs.
MAX_REJECTED: Final = 100
#: Tags, and objects, of one payload.
MAX_BATCH: Final = 20_000
#: Numbers written as text that are remembered, of each field.
MAX_TEXTS: Final = 1_000
#: Characters of a text about what is wrong.
MAX_DETAIL: Final = 200
#: Bytes of an EPC or a TID: PC can count 62; the rest is slack.
MAX_NUMBER: Final = 66

_FLOAT: Final = re.compile(r"[+-]?\d{1,12}(?:\.\d{1,12})?", re.ASCII)

_Text = Annotated[str, msgspec.Meta(max_length=256)]


class JsonMapOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Where things are. A field's option is a path in the tag, or from the root with `$.`; empty: not looked for."""

    #: The array of tags, or the one tag; `$`: the payload itself is the tag.
    tags: _Text = "reads"
    epc: _Text = "epc"
    tid: _Text = ""
    pc: _Text = ""
    #: A number here is not a path but the antenna of all reads.
    antenna: int | _Text = ""
    rssi_dbm: _Text = "rssi"
    rssi_raw: _Text = ""
    frequency_khz: _Text = ""
    frequency_mhz: _Text = ""
    phase_deg: _Text = ""
    reads: _Text = ""
    time: _Text = "ts"
    time_form: _Text = "ms"
    #: A path, or the zone itself, such as `-06:00`.
    zone: _Text = ""
    #: `PATH=VALUE, PATH=VALUE` from the root: what is different is not for us, and a note.
    only: _Text = ""
    #: The same from the tag: what is different is passed over.
    only_tags: _Text = ""


class _Kind(NamedTuple):
    """A field that is a number: its name in `Read`, and what it may be before it is scaled."""

    name: str
    least: float
    most: float
    whole: bool = True
    scale: int = 1


class _Number(NamedTuple):
    """A number that is looked for, and what texts that came before stand for: most messages bring one of them."""

    kind: _Kind
    place: Place
    texts: dict[str, int | float]


class _Numbers(TypedDict, total=False):
    """What numbers of a read were found."""

    antenna: int
    rssi_dbm: float
    rssi_raw: int
    frequency_khz: int
    phase_deg: float
    reads: int


#: By the name of the option.
_KINDS: Final = {
    "antenna": _Kind("antenna", 0, 255),
    "rssi_dbm": _Kind("rssi_dbm", -200, 100, whole=False),
    "rssi_raw": _Kind("rssi_raw", 0, 65_535),
    "frequency_khz": _Kind("frequency_khz", 0, 10_000_000),
    "frequency_mhz": _Kind("frequency_khz", 0, 10_000, whole=False, scale=1000),
    "phase_deg": _Kind("phase_deg", -360, 360, whole=False),
    "reads": _Kind("reads", 1, 1_000_000),
}


class JsonMapDecoder:
    """One reader's messages. Holds nothing between calls."""

    def __init__(self, options: JsonMapOptions) -> None:
        """Raises `OptionError`."""
        self._tags = _path(options.tags, "tags").steps
        self._epc = _path(options.epc, "epc")
        self._tid = _optional(options.tid, "tid")
        self._pc = _optional(options.pc, "pc")
        self._fixed: dict[str, int] = {}
        self._numbers = self._fields(options)
        self._time = _optional(options.time, "time")
        self._time_reader = _time_form(options.time_form)
        if options.zone and options.time_form in UNITS:
            raise OptionError("option 'zone' is for times as text: an epoch number needs none")
        self._zone, self._zone_place = _zone(options.zone)
        self._only = _only(options.only, "only")
        self._only_tags = _only(options.only_tags, "only_tags")

    def start(self) -> bytes:
        """Nothing: the reader is started by its own configuration."""
        return b""

    def stop(self) -> bytes:
        """Nothing: the reader is stopped by its own configuration."""
        return b""

    def feed(self, data: bytes, at_us: int) -> list[Outcome]:
        """Take one payload; a tag that is bad rejects only itself."""
        if len(data) > MAX_PAYLOAD:
            return [_rejected("too_large", data, at_us, f"{len(data)} bytes of {MAX_PAYLOAD}")]
        try:
            payload = msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return [_rejected("not_json", data, at_us, str(error))]
        taking = _Taking(data, at_us)
        if isinstance(payload, list):
            self._batch(payload, taking)
        else:
            self._object(payload, "$", taking)
        return taking.end()

    def due(self, now_us: int) -> Due:  # noqa: ARG002 - the contract's signature
        """Nothing is ever due."""
        return Due(b"", [], None)

    def flush(self, at_us: int) -> list[Outcome]:  # noqa: ARG002 - the contract's signature
        """Nothing is held."""
        return []

    def _fields(self, options: JsonMapOptions) -> list[_Number]:
        numbers = []
        for option, kind in _KINDS.items():
            value = getattr(options, option)
            if isinstance(value, int) or value.isdecimal():
                if option != "antenna" or not 0 <= int(value) <= 255:
                    raise OptionError(f"option {option!r} cannot be {value!r}")
                self._fixed[kind.name] = int(value)
            elif value:
                numbers.append(_Number(kind, _path(value, option), {}))
        return numbers

    def _batch(self, parts: list[object], taking: "_Taking") -> None:
        if len(parts) > MAX_BATCH:
            taking.reject("too_large", None, f"{len(parts)} objects of {MAX_BATCH}")
            return
        for number, part in enumerate(parts):
            self._object(part, f"$[{number}]", taking)

    def _object(self, root: object, where: str, taking: "_Taking") -> None:
        """What one object of a payload says."""
        if self._only and not fits(root, root, self._only):
            taking.passed_over += 1
            return
        try:
            for inner, number, tag in every(root, self._tags, where):
                if taking.tags >= MAX_BATCH:
                    path = numbered(inner, number)
                    taking.reject("too_large", None, f"more than {MAX_BATCH} tags - at `{path}`")
                    return
                taking.tags += 1
                if self._only_tags and not fits(tag, root, self._only_tags):
                    taking.passed_over += 1
                    continue
                try:
                    taking.outcomes.append(self._read(tag, root, taking.at_us))
                except _FieldError as error:
                    place = where if error.from_root else numbered(inner, number)
                    taking.reject("bad_field", tag, f"{error} - at `{place}{error.below}`")
        except NotThere as error:
            taking.reject("bad_field", root, str(error))

    def _read(self, tag: object, root: object, at_us: int) -> Read:
        """The read that a tag is; raises `_FieldError`."""
        numbers: dict[str, int | float] = {**self._fixed}
        for kind, place, texts in self._numbers:
            value = place.get(tag, root)
            if value is None or value == "":
                continue
            number = texts.get(value) if isinstance(value, str) else None
            if number is None:
                number = _number(value, kind, place)
                if isinstance(value, str) and len(texts) < MAX_TEXTS:
                    texts[value] = number
            numbers[kind.name] = number
        epc = _octets(tag, root, self._epc)
        if epc is None:
            raise _FieldError("nothing there", self._epc)
        pc = None if self._pc is None else _octets(tag, root, self._pc)
        if pc and len(pc) != 2:
            raise _FieldError("not 2 bytes", self._pc)
        return Read(
            epc=epc,
            at_us=at_us,
            reader_at_us=None if self._time is None else self._heard(tag, root, self._time),
            pc=pc[0] << 8 | pc[1] if pc else None,
            tid=(_octets(tag, root, self._tid) or None) if self._tid else None,
            **cast("_Numbers", numbers),
        )

    def _heard(self, tag: object, root: object, place: Place) -> int | None:
        value = place.get(tag, root)
        if value is None or value == "":
            return None
        zone = self._zone
        if self._zone_place is not None:
            text = self._zone_place.get(tag, root)
            try:
                zone = zone_of(text if isinstance(text, str) else "")
            except ValueError as error:
                raise _FieldError(str(error), self._zone_place) from None
        try:
            return self._time_reader(value, zone)
        except ValueError as error:
            text = str(error) if zone is None and "zone" in str(error) else "not such a time"
            raise _FieldError(text, place) from None


class _Taking:
    """What has come of one payload so far."""

    __slots__ = ("_data", "_rejected", "at_us", "outcomes", "passed_over", "tags")

    def __init__(self, data: bytes, at_us: int) -> None:
        self.at_us = at_us
        self.outcomes: list[Outcome] = []
        self.tags = 0
        self.passed_over = 0
        self._rejected = 0
        self._data = data

    def reject(self, reason: str, part: object, detail: str) -> None:
        """One tag, or the whole payload where there is no part."""
        self._rejected += 1
        if self._rejected > MAX_REJECTED:
            return
        raw = self._data
        if part is not None:
            # What cannot be written again, such as a number of 30 digits, is shown with all around it.
            with suppress(msgspec.MsgspecError, OverflowError, RecursionError, ValueError):
                raw = msgspec.json.encode(part)
        self.outcomes.append(_rejected(reason, raw, self.at_us, detail))

    def end(self) -> list[Outcome]:
        """All of it; never nothing."""
        if self._rejected > MAX_REJECTED:
            detail = f"{self._rejected - MAX_REJECTED} more of this payload"
            self.outcomes.append(_rejected("more_rejected", b"", self.at_us, detail))
        if self.passed_over:
            note = ReaderNote(kind="ignored", at_us=self.at_us, detail=f"{self.passed_over}")
            self.outcomes.append(note)
        if not self.outcomes:
            self.outcomes.append(ReaderNote(kind="batch", at_us=self.at_us, detail="empty"))
        return self.outcomes


class _FieldError(ValueError):
    """Inside this module: a tag that says nothing usable, and why."""

    def __init__(self, text: str, place: Place | None) -> None:
        super().__init__(text)
        self.from_root = place is not None and place.from_root
        self.below = "" if place is None else written("", place.steps)


def decoder(options: Mapping[str, object]) -> JsonMapDecoder:
    """A decoder for one reader; raises `OptionError`."""
    return JsonMapDecoder(parse_options(JsonMapOptions, options))


def _rejected(reason: str, raw: bytes, at_us: int, detail: str) -> Rejected:
    return Rejected(reason=reason, raw=raw[:MAX_RAW], at_us=at_us, detail=detail[:MAX_DETAIL])


def _path(text: str, option: str) -> Place:
    try:
        place = parse_place(text)
    except PathError as error:
        raise OptionError(f"option {option!r}: {error}") from None
    if option != "tags" and None in place.steps:
        raise OptionError(f"option {option!r} cannot be {text!r}: [*] is for tags alone")
    return place


def _optional(text: str, option: str) -> Place | None:
    return _path(text, option) if text else None


def _time_form(text: str) -> TimeReader:
    try:
        return time_reader(text)
    except ValueError as error:
        raise OptionError(f"option 'time_form': {error}") from None


def _zone(text: str) -> tuple[timezone | None, Place | None]:
    """A zone, or where one is."""
    if not text:
        return None, None
    try:
        return zone_of(text), None
    except ValueError as error:
        if text[0] in "+-0123456789":
            raise OptionError(f"option 'zone' cannot be {text!r}: {error}") from None
        return None, _path(text, "zone")


def _only(text: str, option: str) -> tuple[Condition, ...]:
    try:
        return parse_conditions(text)
    except PathError as error:
        raise OptionError(f"option {option!r}: {error}") from None


def _octets(tag: object, root: object, place: Place) -> bytes | None:
    value = place.get(tag, root)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > 2 * MAX_NUMBER:
        raise _FieldError("not hex", place)
    try:
        return unhexlify(value)
    except ValueError:
        raise _FieldError("not hex", place) from None


def _number(value: object, kind: _Kind, place: Place) -> int | float:
    _, least, most, whole, scale = kind
    if isinstance(value, str):
        text = value.strip()
        if not _FLOAT.fullmatch(text):
            raise _FieldError("not a number", place)
        value = float(text)
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise _FieldError("not a number", place)
    if not least <= value <= most:
        raise _FieldError(f"not from {least} to {most}", place)
    if not whole:
        return value if scale == 1 else round(value * scale)
    if value != int(value):
        raise _FieldError("not a whole number", place)
    return int(value) * scale


def encode(read: Read) -> bytes:
    """What a reader with the common form sends for this read: numbers in strings."""
    heard_us = read.at_us if read.reader_at_us is None else read.reader_at_us
    tag = {"epc": read.epc.hex(), "ts": str(heard_us // 1000)}
    if read.rssi_dbm is not None:
        tag["rssi"] = f"{read.rssi_dbm:g}"
    return orjson.dumps({"devid": "reader-1", "reads": [tag]})
