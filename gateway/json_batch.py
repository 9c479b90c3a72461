"""Payloads of readers that send JSON objects, one or an array of them: what is wrong stays in its place.

    {..}                 one object: its outcomes, or one reject
    [{..},{..},{..}]     each object by itself: a bad one rejects only itself, and names its place `$[1]`

A protocol gives `take`, which adds what one object says to the outcomes, or raises `FieldError` and adds nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, TypeVar

import msgspec

from gateway.reads import Outcome, ReaderNote, Rejected

#: More than this is not parsed at all; a Zebra reader's batch has at most 256,000 bytes.
MAX_PAYLOAD: Final = 1 << 20
#: Bytes of one rejected object; bounds the table of rejects.
MAX_RAW: Final = 4096
#: Objects of one payload that are rejected one by one: bounds what a hostile array costs.
MAX_REJECTED: Final = 100
#: Objects of one payload: a tag event has 90 bytes or more, so an honest MiB holds fewer.
MAX_BATCH: Final = 20_000
#: Characters of a note's text.
MAX_DETAIL: Final = 200

Part = bytes | msgspec.Raw
Take = Callable[[Part, int, list[Outcome]], None]

T = TypeVar("T")

_BATCH: Final = msgspec.json.Decoder(list[msgspec.Raw])
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PLAIN: Final = (bool, int, float, str)


class FieldError(ValueError):
    """An object that says nothing usable: the reason of its reject, and where and what in words."""

    def __init__(self, reason: str, detail: str) -> None:
        """`detail` ends with the path, such as "not hex - at `$.data.TID`"."""
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def outcomes_of(payload: bytes, at_us: int, take: Take) -> list[Outcome]:
    """What a payload says, in its order. Never raises `FieldError`."""
    if len(payload) > MAX_PAYLOAD:
        return [rejected("too_large", payload, at_us, f"{len(payload)} bytes of {MAX_PAYLOAD}")]
    outcomes: list[Outcome] = []
    try:
        if payload[:1] == b"[" or payload[:64].lstrip()[:1] == b"[":
            return _batch(payload, at_us, take)
        take(payload, at_us, outcomes)
    except FieldError as error:
        outcomes.append(rejected(error.reason, payload, at_us, error.detail))
    return outcomes


def rejected(reason: str, raw: bytes, at_us: int, detail: str) -> Rejected:
    """A reject of bounded size."""
    return Rejected(reason=reason, raw=raw[:MAX_RAW], at_us=at_us, detail=detail[:MAX_DETAIL])


def parsed(decoder: msgspec.json.Decoder[T], part: Part, path: str = "$") -> T:
    """Decode JSON that stands at this path; raises `FieldError`, whatever the bytes."""
    try:
        return decoder.decode(part)
    except msgspec.ValidationError as error:
        text, _, inner = str(error).partition(" - at `$")
        raise FieldError("bad_field", f"{text} - at `{path}{inner.rstrip('`')}`") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # A UnicodeDecodeError's text is plain, too: no bytes of the payload but the one at fault.
        raise FieldError("not_json", str(error)) from None


def microseconds(text: str | None, path: str) -> int:
    """An ISO 8601 time with its zone; what is finer than a microsecond is cut. Raises `FieldError`."""
    try:
        since = datetime.fromisoformat(text or "") - _EPOCH
    except (ValueError, TypeError):
        raise FieldError("bad_field", f"not a time with its zone - at `$.{path}`") from None
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def texts(table: Mapping[str, object], names: Sequence[str]) -> str:
    """`name value` of those that are there and plain; what is not plain is not for one line of text."""
    found = ((name, table.get(name)) for name in names)
    return ", ".join(f"{name} {value}" for name, value in found if isinstance(value, _PLAIN))


def _batch(payload: bytes, at_us: int, take: Take) -> list[Outcome]:
    parts = parsed(_BATCH, payload)
    if len(parts) > MAX_BATCH:
        return [rejected("too_large", payload, at_us, f"{len(parts)} objects of {MAX_BATCH}")]
    if not parts:
        return [ReaderNote(kind="batch", at_us=at_us, detail="empty")]
    outcomes: list[Outcome] = []
    bad = 0
    for number, part in enumerate(parts):
        try:
            take(part, at_us, outcomes)
        except FieldError as error:
            bad += 1
            if bad <= MAX_REJECTED:
                detail = error.detail.replace("`$", f"`$[{number}]", 1)
                outcomes.append(rejected(error.reason, bytes(part), at_us, detail))
    if bad > MAX_REJECTED:
        detail = f"{bad - MAX_REJECTED} more objects of this payload"
        outcomes.append(rejected("more_rejected", b"", at_us, detail))
    return outcomes
