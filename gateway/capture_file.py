r"""Files and pipes that hold what readers said, in the forms in which people have them.

    hex      BB02220011C93400..                           one chunk a line, spaces allowed
             BB02220011C93400.. ; rx ; source ; note      only `rx` lines are what the reader sent
    capture  {"at_us":1,"dir":"rx","hex":"BB0222.."}      the gateway's own capture format, see below
    json     {"data":{..},"type":"SIMPLE",..}             one payload a line, for message protocols
    payload  one JSON document over several lines         for message protocols
    raw      the bytes themselves                         for stream protocols
    escaped  #KING 1302\r\n ; family ; source ; note      for readers that send ASCII lines

`escaped` is told by its first line, `# escaped line`. Escapes: \r \n \t \\ \xNN; a line without any gets CR LF; a
family `tx` is what the host sent. In `hex` and `escaped` a line that is `#` or begins with `# ` is a comment; blank
lines are passed over everywhere.

In a capture, lines of MQTT also have `topic`, `qos`, `retain`, and `kind` where the topic is one of management; a message
that was too large has its head and its `size`. All of that may be missing, and what else stands in a line is passed over.
The first line of a capture that the gateway wrote sends nothing (`tx`, no bytes); its `delete_after_us` says how long the
file may be kept.
"""

import string
from typing import Annotated, Final, Literal, NamedTuple, assert_never

import msgspec

from gateway.ascii_lines import unescaped
from gateway.link import Envelope, TopicKind
from gateway.reads import Framing

Form = Literal["hex", "capture", "json", "payload", "raw", "escaped"]
LineForm = Literal["hex", "capture", "json", "escaped"]

#: 1 MiB of payload, in hex, and a line around it.
MAX_LINE: Final = (1 << 21) + 4096

_PRINTABLE: Final = string.printable.encode()


class Heard(NamedTuple):
    """What a line gives to the decoder. `line` is None where there are no lines, `at_us` where no time is."""

    line: int | None
    chunk: bytes
    at_us: int | None
    kind: TopicKind = "data"
    #: Of MQTT, where the capture says it.
    envelope: Envelope | None = None
    #: Of a message that was too large; `chunk` is only its head.
    size: int | None = None


class BadLine(NamedTuple):
    """A line that is not what its file's form asks for."""

    line: int
    reason: str
    detail: str
    raw: bytes


class _CaptureRow(msgspec.Struct, frozen=True):
    dir: Literal["rx", "tx"]
    hex: str
    at_us: Annotated[int, msgspec.Meta(ge=0)] | None = None
    kind: TopicKind = "data"
    topic: Annotated[str, msgspec.Meta(max_length=65_535)] | None = None
    qos: Literal[0, 1, 2] = 0
    retain: bool = False
    size: Annotated[int, msgspec.Meta(ge=0)] | None = None


class _FirstRow(msgspec.Struct, frozen=True):
    dir: Literal["tx"]
    delete_after_us: int


def detect(head: bytes, framing: Framing) -> Form:
    """The form of an input that begins with these bytes (some kilobytes of it)."""
    if framing == "stream" and head.lstrip().startswith(b"# escaped line"):
        return "escaped"
    first = next((line for line in head.splitlines() if _matters(line)), b"").strip()
    if first.startswith(b"{") and b'"hex"' in first:
        return "capture"
    if framing == "stream":
        return "hex" if _is_text(head) else "raw"
    if first in {b"{", b"["}:
        return "payload"
    return "hex" if first and _hex(first.split(b" ; ")[0]) is not None else "json"


def parse_line(form: LineForm, number: int, text: bytes) -> Heard | BadLine | None:
    """What line `number` says; None when it is blank, a comment, or sent by the host."""
    text = text.strip()
    if not text:
        return None
    if len(text) > MAX_LINE:
        detail = f"more than {MAX_LINE} bytes"
        return BadLine(line=number, reason="long_line", detail=detail, raw=text[:64])
    match form:
        case "hex":
            return _hex_line(number, text) if _matters(text) else None
        case "escaped":
            return _escaped_line(number, text) if _matters(text) else None
        case "capture":
            return _capture_line(number, text)
        case "json":
            return Heard(number, text, None)
        case _:
            assert_never(form)


def _matters(line: bytes) -> bool:
    text = line.strip()
    return bool(text) and text != b"#" and not text.startswith(b"# ")


def _is_text(head: bytes) -> bool:
    return not head.translate(None, _PRINTABLE)


def _hex(text: bytes) -> bytes | None:
    try:
        return bytes.fromhex(text.decode("ascii"))
    except ValueError:
        return None


def _hex_line(number: int, text: bytes) -> Heard | BadLine | None:
    fields = [field.strip() for field in text.split(b";")]
    direction = fields[1].lower() if len(fields) > 1 else b"rx"
    if direction == b"tx":
        return None
    if direction != b"rx":
        return BadLine(number, "bad_direction", "neither rx nor tx", text)
    chunk = _hex(fields[0])
    if chunk is None:
        return BadLine(number, "bad_hex", "not pairs of hex digits", text)
    return Heard(number, chunk, None)


def _escaped_line(number: int, text: bytes) -> Heard | None:
    fields = text.split(b" ; ")
    if len(fields) > 1 and fields[1].strip().lower() == b"tx":
        return None
    chunk = unescaped(fields[0].decode("latin-1"))
    return Heard(number, chunk if b"\\" in fields[0] else chunk + b"\r\n", None)


def _capture_line(number: int, text: bytes) -> Heard | BadLine | None:
    try:
        row = _ROW.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return BadLine(number, "bad_capture_line", str(error)[:200], text)
    if row.dir == "tx":
        return None
    chunk = _hex(row.hex.encode())
    if chunk is None:
        return BadLine(number, "bad_hex", "not pairs of hex digits - at `$.hex`", text)
    envelope = None if row.topic is None else Envelope(row.topic, row.qos, row.retain)
    size = row.size if row.size is not None and row.size > len(chunk) else None
    return Heard(number, chunk, row.at_us, row.kind, envelope, size)


def first_line(reader: str, at_us: int, delete_after_us: int) -> bytes:
    """The first line of a capture: whose it is, and how long it may be kept."""
    row = {"at_us": at_us, "dir": "tx", "hex": "", "reader": reader}
    return msgspec.json.encode(row | {"delete_after_us": delete_after_us}) + b"\n"


def delete_after(head: bytes) -> int | None:
    """Until when the capture that begins with these bytes may be kept, None when it does not say."""
    try:
        return _FIRST.decode(head.partition(b"\n")[0]).delete_after_us
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


_ROW: Final = msgspec.json.Decoder(_CaptureRow)
_FIRST: Final = msgspec.json.Decoder(_FirstRow)
