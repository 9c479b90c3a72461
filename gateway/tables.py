"""The tables of a gateway's configuration file, as typed values. `gateway.config` reads them.

Times in the file end in `_ms`. Relative paths are relative to the folder in which the daemon is started.
"""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from gateway.link import TopicKind
from schemas.message import Direction, Position

Name = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$", description="letters, digits, '_', '-'")
]
"""No dot: an event id is `gateway.epoch.seq`."""

Count = Annotated[int, Meta(ge=1, le=100_000)]
Milliseconds = Annotated[int, Meta(ge=1, le=86_400_000)]
Antenna = Annotated[int, Meta(ge=0, le=255)]
Pin = Annotated[int, Meta(ge=0, le=255)]
Text = Annotated[str, Meta(min_length=1, max_length=1024)]

#: Neighbours of a lane, counted from both sides; bounds what a stay remembers and its events say.
MAX_NEIGHBOURS: Final = 8


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file."""


class GatewayTable(Table, frozen=True, kw_only=True):
    """`[gateway]`: who this is."""

    id: Name
    pair: Name
    #: File with one line `key_id:hex` (`gateway.identity`).
    token_key_file: Text
    #: Ed25519 key (`gatebook gateway keygen`); without it events go out unsigned.
    signing_key_file: Text | None = None
    heartbeat_ms: Annotated[int, Meta(ge=100, le=3_600_000)] = 10_000


class OutboxTable(Table, frozen=True, kw_only=True):
    """`[outbox]`: where events are kept until the event log has them."""

    path: Text
    #: MiB that database and WAL may take; the disk is reserved for them (`OUTBOX.reserve`).
    quota_mb: Annotated[int, Meta(ge=16, le=1_048_576)] = 1024


class HealthTable(Table, frozen=True, kw_only=True):
    """`[health]`: the pages `/health` and `/metrics`. Without the table there are none."""

    #: `127.0.0.1:9464`; only an address of this machine, for the pages ask nobody who he is.
    listen: Text | None = None
    #: How long the event log may be away before that is a reason to answer 503.
    log_away_ms: Milliseconds = 30_000
    #: Whether a kernel clock that nothing disciplines is a reason; a clock set by PTP looks so.
    clock_check: bool = True


class LogTable(Table, frozen=True, kw_only=True):
    """`[log]`: the event log. Forms: `stream.log.url`."""

    url: Text


class LaneTable(Table, frozen=True, kw_only=True):
    """`[[lane]]`: a lane and its thresholds. Source of the four: ALE smoothing; the values are ours."""

    id: Name
    direction: Direction
    #: A tag is present after so many reads ...
    observe_reads: Count = 3
    #: ... or once so much time lies between its first and its last read.
    observe_ms: Milliseconds = 200
    #: A tag that was only glimpsed is forgotten after so much quiet.
    glimpse_ms: Milliseconds = 1_000
    #: A tag that was present has left after so much quiet.
    lost_ms: Milliseconds = 5_000
    #: Lanes whose antennas may hear this lane's tags; it is enough that one of two names the other.
    neighbours: tuple[Name, ...] = ()


class ReaderTable(Table, frozen=True, kw_only=True):
    """`[[reader]]`: a reader, the link to it and what it speaks."""

    id: Name
    #: `serial:///dev/serial/by-id/NAME?baud=115200`, `tcp://HOST:PORT`, `rfc2217://HOST:PORT?baud=115200`,
    #: `mqtt:ID` or `capture:FILE`.
    link: Text
    protocol: Text
    options: dict[str, object] = {}


class ReadPointTable(Table, frozen=True, kw_only=True):
    """`[[read_point]]`: a place where a reader hears a lane."""

    id: Name
    lane: Text
    position: Position
    reader: Text
    #: Empty: all antennas of the reader, which must then have no other read point.
    antennas: tuple[Antenna, ...] = ()
    #: Seconds that a vehicle usually needs from here to the booth.
    to_booth_s: Annotated[int, Meta(ge=0, le=86_400)] | None = None
    #: Antennas that a vehicle passes first, and those that it passes last: they tell the way of a tag.
    entry: tuple[Antenna, ...] = ()
    exit: tuple[Antenna, ...] = ()
    #: The two inputs of the reader (light barriers, loops) that a vehicle passes first and last: they tell
    #: the way where dBm do not.
    gpi: tuple[Pin, ...] = ()


class TopicTable(Table, frozen=True, kw_only=True):
    """An entry of `topics`: which reader speaks on the topics of a filter."""

    filter: Text
    reader: Text
    kind: TopicKind = "data"
    #: Only 1. With 2 the client library acknowledges before the outbox has the reads (PUBREC at once, state
    #: in memory: a kill loses them, measured), with 0 the broker never sends them again.
    qos: Literal[0, 1, 2] = 1


class MqttTable(Table, frozen=True, kw_only=True):
    """`[[mqtt]]`: a connection to a broker."""

    id: Name
    #: `mqtt://HOST[:1883]`, or `mqtts://HOST[:8883]` for TLS.
    url: Text
    #: The broker keeps what comes while the gateway is away under this name: never change it lightly.
    client_id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    topics: tuple[TopicTable, ...]
    #: 3.1.1 unless asked: every broker speaks it, and a persistent session there has no end of its own.
    version: Literal["3.1.1", "5"] = "3.1.1"
    #: MQTT 5 only: how long the broker keeps the session of a gateway that is away (default 14 days).
    session_expiry_s: Annotated[int, Meta(ge=60, le=4_294_967_295)] | None = None
    #: MQTT 5 only: how many messages may be unacknowledged at once (default 20).
    receive_maximum: Annotated[int, Meta(ge=1, le=65_535)] | None = None
    #: TLS only: the authority that signed the broker's certificate (PEM); without it, the system's own.
    ca: Text | None = None
    #: TLS only: our certificate and its key (PEM), for a broker that asks for them.
    cert: Text | None = None
    key: Text | None = None
    username: Text | None = None
    #: File with the password, one line.
    password_file: Text | None = None


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration that was checked."""

    gateway: GatewayTable
    outbox: OutboxTable
    log: LogTable
    lanes: tuple[LaneTable, ...] = ()
    readers: tuple[ReaderTable, ...] = ()
    read_points: tuple[ReadPointTable, ...] = ()
    mqtt: tuple[MqttTable, ...] = ()
    health: HealthTable = HealthTable()


class Finding(msgspec.Struct, frozen=True):
    """Something wrong in the file: where, what, and what to do."""

    path: str
    what: str
    fix: str

    def __str__(self) -> str:
        """One line for a person."""
        return f"{self.path}: {self.what}; {self.fix}"
