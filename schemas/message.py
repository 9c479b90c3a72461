"""The base of every message, and the small types that messages share."""

from typing import Annotated, Literal

import msgspec

DerivedId = Annotated[str, msgspec.Meta(min_length=1, max_length=800)]
"""An id that is made of other ids."""

DerivedMicros = Annotated[int, msgspec.Meta(ge=0)]
"""A point in time that was reckoned from another one, so it may lie beyond the year 9999."""

Micros = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799_999_999)]
"""A point in time: microseconds since 1970-01-01 UTC, up to the year 9999. Field names end in `_us`."""

Seconds = Annotated[int, msgspec.Meta(ge=0, le=604_800)]
"""A span of at most a week."""

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
"""Names something. The bound keeps what is remembered of strangers' messages small."""

Country = Literal["US", "CA", "MX"]
"""ISO 3166-1 alpha-2 codes of the three countries that share these borders."""

Direction = Literal["US>CA", "CA>US", "US>MX", "MX>US"]
"""The country that a lane leaves and the one that it enters."""

Position = Literal["queue", "gate", "approach", "primary", "secondary", "exit"]
"""Where along a lane a read point hears vehicles, in the order of travel."""

POSITIONS: tuple[Position, ...] = ("queue", "gate", "approach", "primary", "secondary", "exit")

SealedS92 = Annotated[bytes, msgspec.Meta(extra_json_schema={"x-pii": "s92"})]
"""Sealed personal data: exactly the elements that section 92(1) of Canada's Customs Act names."""

SealedRest = Annotated[bytes, msgspec.Meta(extra_json_schema={"x-pii": "rest"})]
"""Sealed personal data that never leaves the country that holds it."""

NoteText = Annotated[str, msgspec.Meta(max_length=400)]
"""Short free text written by gatebook itself; never personal data."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A named group of fields inside a message."""


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """A value that crosses a process border: a msgpack map with a `type` tag and a version `v`.

    Unknown fields are ignored and missing optional ones get their default, so a field can be added
    without raising `v`. A wrong type is a `SchemaError` that names the path (see `schemas.wire`).
    """
