"""What a link is: a way in which bytes reach the gateway. One file a kind in `gateway.links`.

A link says what it hears through `tell`, reconnects for ever by itself, and reports each outage. It
stamps the time: nothing after it reads a clock.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol
from urllib.parse import parse_qsl, urlsplit

TopicKind = Literal["data", "management"]
"""What a reader sends on an MQTT topic: reads and notes, or only what it says about itself: there a read is rejected."""

Clock = Callable[[], int]
"""The gateway's time: microseconds UTC, never going back."""


class Ticket(NamedTuple):
    """What a link needs to acknowledge a message once the reads in it are committed."""

    #: The connection on which it came: an id means nothing on another one.
    generation: int
    mid: int


class Envelope(NamedTuple):
    """How an MQTT message came, beside its payload."""

    topic: str
    qos: int
    #: The broker had kept it for whoever subscribes.
    retain: bool


class Chunk(NamedTuple):
    """Bytes as they came: a piece of a stream, or one whole message."""

    reader: str
    data: bytes
    at_us: int
    kind: TopicKind = "data"
    ticket: Ticket | None = None
    envelope: Envelope | None = None


class Oversize(NamedTuple):
    """A message too large to be looked at; `head` is its beginning."""

    reader: str
    head: bytes
    size: int
    at_us: int
    ticket: Ticket | None = None
    envelope: Envelope | None = None


class LinkUp(NamedTuple):
    """The reader can be heard from now on."""

    reader: str
    at_us: int


class LinkDown(NamedTuple):
    """The reader cannot be heard since `at_us`; `cause` tells a person what to look for."""

    reader: str
    at_us: int
    cause: str
    #: True at the planned end: no fault, and nothing to reconnect.
    ended: bool = False


Said = Chunk | Oversize | LinkUp | LinkDown
Tell = Callable[[Said], Awaitable[None]]


class Link(Protocol):
    """One way in, serving one reader or several."""

    #: The readers that are heard through it.
    readers: tuple[str, ...]

    async def run(self, tell: Tell) -> None:
        """Hear and tell until cancelled; returns only when there can be nothing more."""
        ...

    async def write(self, reader: str, data: bytes) -> bool:
        """Send bytes to the reader; False when it is not connected or takes none."""
        ...

    def acknowledge(self, tickets: Sequence[Ticket]) -> None:
        """The messages of these tickets are committed. Tickets of a lost connection are ignored."""
        ...


class LinkUrlError(ValueError):
    """A link that cannot be read; the text says what is wrong and what it should look like."""


class SerialUrl(NamedTuple):
    """A serial port, by a name that stays the same when it is plugged in again."""

    path: str
    baud: int
    #: The reader stops us, and we stop it, with the bytes 13 and 11 (XOFF, XON).
    xonxoff: bool = False


class TcpUrl(NamedTuple):
    """A reader, or a terminal server before it, that gives the bytes of its line as they are."""

    host: str
    port: int


class Rfc2217Url(NamedTuple):
    """A serial port of a terminal server that lets us set it (RFC 2217)."""

    host: str
    port: int
    baud: int
    xonxoff: bool = False


class MqttUrl(NamedTuple):
    """A connection to a broker, by the id of its `[[mqtt]]` table."""

    id: str


class CaptureUrl(NamedTuple):
    """A capture file, played at `rate` times the speed at which it was taken; 0: without waiting."""

    path: str
    rate: float


LinkUrl = SerialUrl | TcpUrl | Rfc2217Url | MqttUrl | CaptureUrl

FORMS = (
    "serial:///dev/serial/by-id/NAME?baud=115200, tcp://HOST:PORT, rfc2217://HOST:PORT?baud=115200, "
    "mqtt:ID or capture:FILE?rate=1"
)
DEFAULT_BAUD = 115_200


def parse_link(text: str) -> LinkUrl:
    """What a reader's `link` names; raises `LinkUrlError`."""
    scheme, colon, rest = text.partition(":")
    if not colon:
        raise LinkUrlError(f"expected {FORMS}")
    match scheme:
        case "serial":
            path, query = _split(text, rest, ("baud", "xonxoff"))
            return SerialUrl(path, _baud(query), _yes(query, "xonxoff"))
        case "tcp":
            host, port, _ = _address(text, ())
            return TcpUrl(host, port)
        case "rfc2217":
            host, port, query = _address(text, ("baud", "xonxoff"))
            return Rfc2217Url(host, port, _baud(query), _yes(query, "xonxoff"))
        case "mqtt":
            if not rest or "/" in rest or "?" in rest:
                raise LinkUrlError("expected mqtt:ID, where ID is the id of an [[mqtt]] table")
            return MqttUrl(rest)
        case "capture":
            path, query = _split(text, rest, ("rate",))
            return CaptureUrl(path, _number(query.get("rate", "1"), "rate", 0))
        case _:
            raise LinkUrlError(f"no link is called {scheme!r}: expected {FORMS}")


def _split(text: str, rest: str, known: Sequence[str]) -> tuple[str, dict[str, str]]:
    parts = urlsplit(text)
    if parts.netloc or parts.fragment:
        raise LinkUrlError(f"after {parts.scheme}: comes a path, such as {parts.scheme}:///PATH")
    path = rest.partition("?")[0]
    path = "/" + path.lstrip("/") if path.startswith("/") else path
    if not path.strip("/") or "\0" in path:
        raise LinkUrlError(f"no path in it: expected {FORMS}")
    return path, _settings(parts.scheme, parts.query, known)


def _address(text: str, known: Sequence[str]) -> tuple[str, int, dict[str, str]]:
    """Host, port and settings of `SCHEME://HOST:PORT?SETTING=VALUE`."""
    scheme = text.partition(":")[0]
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise LinkUrlError(f"{error}: expected {scheme}://HOST:PORT") from None
    if parts.username is not None or parts.password is not None:
        raise LinkUrlError("a name or password in the URL is not supported: it would be logged")
    if not host or not port or parts.path.strip("/") or parts.fragment or not host.isprintable():
        raise LinkUrlError(f"expected {scheme}://HOST:PORT")
    return host, port, _settings(scheme, parts.query, known)


def _settings(scheme: str, text: str, known: Sequence[str]) -> dict[str, str]:
    query = dict(parse_qsl(text, keep_blank_values=True))
    for key in query:
        if key not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise LinkUrlError(f"{key!r} is no setting of {scheme}: {has}")
    return query


def _baud(query: Mapping[str, str]) -> int:
    return int(_number(query.get("baud", str(DEFAULT_BAUD)), "baud", 300))


def _yes(query: Mapping[str, str], name: str) -> bool:
    value = query.get(name, "0")
    if value not in {"0", "1"}:
        raise LinkUrlError(f"{name} cannot be {value!r}: 1, or 0 as without it")
    return value == "1"


def _number(text: str, name: str, least: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not least <= value <= 4_000_000:
        raise LinkUrlError(f"{name} cannot be {text!r}")
    return value
