"""Topic `audit`: what the stages decided, by which rules and from which events. Append-only, a hash chain a writer.

    link_n = SHA-256(the row as a msgpack map, its fields sorted, `link` empty, fields with their default left out)

Each row holds the link of the row before it in `previous` (the first one 32 zero bytes), and `seq` has no gaps. So
no row can be changed, left out or moved without breaking every later one; the newest link says all of a chain.
"""

from functools import cache
from hashlib import sha256
from typing import Annotated, Any, Final, Literal

import msgspec

from schemas.border import Ending
from schemas.gate import Outcome
from schemas.message import DerivedId, Direction, Id, Message, Micros, Part

LinkBytes = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]

#: The link before row 1.
FIRST: Final = bytes(32)


class AuditedDraw(Part, frozen=True, kw_only=True, omit_defaults=True):
    """A random draw with all that proves it, once the key is published (`gatebook policy prove-draw`)."""

    #: SHA-256 of the key, as hex.
    key_sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    #: The first 8 bytes of HMAC-SHA-256(key, crossing id), as hex.
    value: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}$")]
    per_million: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
    drawn: bool


class Audit(Message, frozen=True, kw_only=True, tag="audit", omit_defaults=True):
    """What was decided of a crossing at its booth, and again when that changed or it ended.

    Fields with their default are not written, so that a field that is added later breaks no chain.
    """

    v: Literal[1]
    #: Stage and input partition, such as `lanes-2`: key of the topic.
    writer: Id
    seq: Annotated[int, msgspec.Meta(ge=1)]
    previous: LinkBytes
    link: LinkBytes
    crossing_id: Id
    pair: Id
    direction: Direction
    #: Revision of the arrival notice that shows it.
    revision: int
    at_us: Micros
    #: As of when rules and cards were judged.
    judged_as_of_us: int
    lanes: tuple[str, ...] = ()
    tier: Id | None = None
    reasons: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    #: Why somebody should look, as on the notice: `targeted:…`, `random:…`, `officer`.
    causes: tuple[str, ...] = ()
    #: Rules on trial that would have referred it: on no notice.
    shadow: tuple[str, ...] = ()
    #: Rules that failed on its data, those on trial included.
    failed: tuple[str, ...] = ()
    draw: AuditedDraw | None = None
    #: Rows of `policies` that counted, each as `POLICY_ID@DIGEST`; of targeting packs those that were asked.
    policies: tuple[DerivedId, ...] = ()
    trip_number: Id | None = None
    trip_version: int | None = None
    #: The officer's word in force.
    decision: Outcome | None = None
    how: Ending | None = None
    ended_at_us: Micros | None = None
    input_event_ids: tuple[Id, ...] = ()


def link_of(row: Audit) -> bytes:
    """The link that a row must have."""
    return sha256(_encoder.encode(msgspec.structs.replace(row, link=b""))).digest()


def digest_of(row: msgspec.Struct) -> bytes:
    """SHA-256 of any row in a form that fields added later leave as it is: as a map, sorted, defaults left out."""
    return sha256(_encoder.encode(_told(row))).digest()


def linked(row: Audit) -> Audit:
    """The row with its link."""
    return msgspec.structs.replace(row, link=link_of(row))


def _told(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return {
            name: _told(own)
            for name, default in _fields(type(value))
            if (own := getattr(value, name)) != default
        }
    if isinstance(value, tuple):
        return [_told(one) for one in value]
    return value


@cache
def _fields(kind: type[msgspec.Struct]) -> tuple[tuple[str, object], ...]:
    return tuple((field.name, field.default) for field in msgspec.structs.fields(kind))


_encoder: Final = msgspec.msgpack.Encoder(order="sorted")
