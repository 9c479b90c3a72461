"""Lines of NDJSON, the form for people: `{"topic":…, "key":…, "at_us":…, "value":{…}}`.

`schemas.wire.to_json` writes such a line; this reads one. A `value` of null deletes the key.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import orjson

from schemas.message import Message
from schemas.topics import MAX_VALUE_BYTES, TOPICS, topic_key
from schemas.wire import SchemaError, encode, from_plain

#: Longest line that is read; bounds what one line costs.
MAX_LINE_BYTES: Final = 4 * MAX_VALUE_BYTES

FIELDS: Final = frozenset(("topic", "key", "at_us", "value"))


#: From a topic and a value of it to the value with its personal data sealed; may raise `SchemaError`.
Seal = Callable[[str, object], object]


class Line(NamedTuple):
    """One line, read."""

    topic: str
    key: str
    at_us: int
    #: None deletes the key.
    message: Message | None


class LineError(NamedTuple):
    """Why a line cannot be taken."""

    number: int
    #: The wrong field, such as `$.value.statuses[0].state`.
    path: str
    detail: str

    def __str__(self) -> str:
        """As a finding: line, path, what is wrong."""
        return f"line {self.number}: {self.path}: {self.detail}"


def parse_line(number: int, text: bytes, seal: Seal | None = None) -> Line | LineError:
    """Read line `number` (from 1). Never raises. `seal` sees each value before it becomes a message."""
    if len(text) > MAX_LINE_BYTES:
        return LineError(number, "$", f"longer than {MAX_LINE_BYTES} bytes")
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return LineError(number, "$", f"not JSON: {error.msg} at column {error.colno}")
    if not isinstance(found, dict):
        return LineError(number, "$", f"expected an object, got {type(found).__name__}")
    missing = sorted(FIELDS - found.keys())
    if missing:
        return LineError(number, f"$.{missing[0]}", "missing")
    unknown = sorted(found.keys() - FIELDS)
    if unknown:
        return LineError(number, f"$.{unknown[0][:40]}", "no such field in a line")
    return _line(number, found, seal)


def _line(number: int, found: dict[str, object], seal: Seal | None) -> Line | LineError:
    topic, key, at_us, value = (found[name] for name in ("topic", "key", "at_us", "value"))
    if not isinstance(topic, str) or topic not in TOPICS:
        return LineError(number, "$.topic", f"no topic {str(topic)[:40]!r}")
    if not TOPICS[topic].messages:
        return LineError(number, "$.topic", f"{topic} is written by its stage only")
    if not isinstance(key, str) or not key:
        return LineError(number, "$.key", "expected text that is not empty")
    if not isinstance(at_us, int) or isinstance(at_us, bool):
        return LineError(number, "$.at_us", "expected microseconds UTC, a whole number")
    line = Line(topic, key, at_us, None)
    return _deletion(line, number) if value is None else _with_message(line, number, value, seal)


def _deletion(line: Line, number: int) -> Line | LineError:
    if TOPICS[line.topic].compacted:
        return line
    return LineError(number, "$.value", f"null, but nothing is ever deleted from {line.topic}")


def _with_message(line: Line, number: int, value: object, seal: Seal | None) -> Line | LineError:
    try:
        message = from_plain(line.topic, value if seal is None else seal(line.topic, value))
    except SchemaError as error:
        return LineError(number, f"$.value{error.path.removeprefix('$')}", error.detail)
    own = topic_key(message)
    if own != line.key:
        return LineError(number, "$.key", f"the message's own key is {own[:80]!r}")
    size = len(encode(message))
    if size > MAX_VALUE_BYTES:
        return LineError(number, "$.value", f"{size} bytes as a record; at most {MAX_VALUE_BYTES}")
    return line._replace(message=message)
