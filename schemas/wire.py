"""The wire form of messages: msgpack maps between processes, JSON for people and other systems."""

import hashlib
import re
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any, Final

import msgspec
import orjson

from schemas.alert import RejectReason
from schemas.message import Message
from schemas.topics import TOPICS

CONTENT_TYPE: Final = b"application/vnd.msgpack"

#: Fields that are an id of the message by themselves, and fields that are one together.
_OWN_IDS: Final = ("event_id", "alert_id", "filing_id")
_ID_PARTS: Final = (
    "record_id",
    "crossing_id",
    "unmatched_id",
    "person",
    "revision",
    "closed_by",
    "source_event_id",
)

Headers = tuple[tuple[str, bytes], ...]

_encoder = msgspec.msgpack.Encoder(order=None)
_PATH = re.compile(r" - at `(?:key in )?(\$[^`]*)`")


class SchemaError(Exception):
    """A value that is not a message of its topic.

    Attributes:
        reason: why, in the words of `schemas.alert.Rejected`.
        path: the wrong field, such as `$.lanes[0].id`; `$` for the whole value.
        detail: what is wrong there.
    """

    def __init__(self, reason: RejectReason, path: str, detail: str) -> None:
        """Keep the parts; the text names the path."""
        super().__init__(f"{path}: {detail}")
        self.reason: RejectReason = reason
        self.path = path
        self.detail = detail


def encode(message: Message) -> bytes:
    """A message as a msgpack map, with its `type` and `v`."""
    return _encoder.encode(message)


def decode(topic: str, value: bytes) -> Message:
    """The message that stands in a topic as `value`; raises `SchemaError`."""
    try:
        message: Message = _decoder(topic).decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _explain(topic, error, lambda: msgspec.msgpack.decode(value)) from error
    return message


def to_json(topic: str, key: str, at_us: int, message: Message) -> bytes:
    """One NDJSON line (without the line end): topic, key, time and the message as a JSON object."""
    return orjson.dumps({"topic": topic, "key": key, "at_us": at_us, "value": to_plain(message)})


def to_plain(message: Message) -> dict[str, Any]:
    """A message as a dict of JSON's own types; bytes become base64."""
    plain: dict[str, Any] = msgspec.to_builtins(message)
    return plain


def from_plain(topic: str, value: object) -> Message:
    """The message of a topic from JSON's own types; raises `SchemaError`."""
    try:
        message: Message = msgspec.convert(value, type=_union(topic))
    except (msgspec.ValidationError, RecursionError) as error:
        raise _explain(topic, error, lambda: value) from error
    return message


def headers(message: Message, *, source: str, at_us: int, trace: bytes | None = None) -> Headers:
    """CloudEvents attributes in Kafka's binary mode, and the W3C trace context if there is one.

    Source: CloudEvents 1.0, Kafka protocol binding, section 3.2 (binary content mode).
    """
    found = (
        ("content-type", CONTENT_TYPE),
        ("ce_specversion", b"1.0"),
        ("ce_type", f"gatebook.{_tag(type(message))}".encode()),
        ("ce_source", source.encode()),
        ("ce_id", ce_id(message).encode()),
        ("ce_time", rfc3339(at_us).encode()),
    )
    return found if trace is None else (*found, ("traceparent", trace))


def ce_id(message: Message) -> str:
    """An id that is the same whenever the same message is written again."""
    own = next(filter(None, (getattr(message, name, None) for name in _OWN_IDS)), None)
    if isinstance(own, str):
        return own
    parts = (getattr(message, name, None) for name in _ID_PARTS)
    text = "|".join(str(part) for part in parts if part is not None)
    return text or hashlib.sha256(encode(message)).hexdigest()[:32]


def rfc3339(at_us: int) -> str:
    """A time as text, such as `2026-11-24T18:00:00.000001Z`; out-of-range times as `@<microseconds>`."""
    seconds, micros = divmod(at_us, 1_000_000)
    try:
        return f"{_second(seconds)}.{micros:06d}Z"
    except (ValueError, OverflowError, OSError):
        return f"@{at_us}"


@lru_cache(maxsize=1024)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


@cache
def _union(topic: str) -> Any:
    kinds = TOPICS[topic].messages
    if not kinds:
        raise KeyError(f"topic {topic} holds no messages")
    union: Any = kinds[0]
    for kind in kinds[1:]:
        union = union | kind
    return union


@cache
def _decoder(topic: str) -> msgspec.msgpack.Decoder[Any]:
    return msgspec.msgpack.Decoder(_union(topic))


@cache
def _tag(kind: type[Message]) -> str:
    return str(kind.__struct_config__.tag)


def _explain(topic: str, error: Exception, plain: Any) -> SchemaError:
    """Say which of the four things went wrong: no msgpack at all, a type, a version, or a field."""
    text = str(error)
    found = _PATH.search(text)
    path = found.group(1) if found else "$"
    detail = _PATH.sub("", text)
    try:
        value = plain()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return SchemaError("malformed", path, detail)
    if not isinstance(value, dict):
        return SchemaError("malformed", path, f"expected a map, got {type(value).__name__}")
    tag = value.get("type")
    if not isinstance(tag, str) or tag not in map(_tag, TOPICS[topic].messages):
        return SchemaError("unknown_type", "$.type", f"no message {str(tag)[:40]!r} in {topic}")
    if path == "$.v":
        return SchemaError("unsupported_version", path, detail)
    return SchemaError("wrong_type", path, detail)
