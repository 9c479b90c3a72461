"""Where a demo keeps its files, and the configurations that its programs are given.

Pure but for `Places.make`. Everything lies in one folder: the event log, the outbox, the ledger database, the simulated
ports, the world and its truth.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from simulators.site import (
    DIRECTION,
    GATEWAY,
    LANES,
    PAIR,
    READERS,
    ReadPoint,
    SiteReader,
    data_topic,
    management_topic,
)

#: Short, so that a demo knows soon when its gateway hears all readers.
HEARTBEAT_MS: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The folder of a demo."""

    root: Path

    def make(self) -> None:
        """Make the folders that are not there."""
        for folder in (self.root, self.ports, self.broker_store, self.logs, self.captures):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def ports(self) -> Path:
        """Folder of the serial readers' ports."""
        return self.root / "ports"

    @property
    def captures(self) -> Path:
        """Folder of what crossed the ports and topics, where that was asked for."""
        return self.root / "captures"

    @property
    def logs(self) -> Path:
        """Folder of what each program says on stderr."""
        return self.root / "logs"

    @property
    def broker_store(self) -> Path:
        """Folder in which mosquitto keeps sessions."""
        return self.root / "mosquitto"

    @property
    def event_log(self) -> str:
        """URL of the event log."""
        return f"sqlite:{self.root / 'log.db'}"

    @property
    def ledger(self) -> Path:
        """File of the ledger database."""
        return self.root / "ledger.db"

    @property
    def outbox(self) -> Path:
        """File of the gateway's outbox."""
        return self.root / "outbox.db"

    @property
    def token_key(self) -> Path:
        """The key that turns card numbers into tokens."""
        return self.root / "token.key"

    @property
    def signing_key(self) -> Path:
        """The key that the gateway signs its events with."""
        return self.root / "signing.key"

    @property
    def gateway_toml(self) -> Path:
        """Configuration of the gateway."""
        return self.root / "gateway.toml"

    @property
    def mosquitto_conf(self) -> Path:
        """Configuration of mosquitto."""
        return self.root / "mosquitto.conf"

    @property
    def world(self) -> Path:
        """What readers and officers follow."""
        return self.root / "world.ndjson"

    @property
    def reference(self) -> Path:
        """Reference rows."""
        return self.root / "reference.ndjson"

    @property
    def truth(self) -> Path:
        """What must come of the world."""
        return self.root / "truth.ndjson"

    @property
    def records(self) -> Path:
        """What came of it: the committed outputs."""
        return self.root / "records.ndjson"


def gateway_toml(places: Places, broker_port: int) -> str:
    """The gateway's configuration for the simulated site."""
    parts = [
        f'[gateway]\nid = "{GATEWAY}"\npair = "{PAIR}"\n'
        f"token_key_file = {_quoted(places.token_key)}\n"
        f"signing_key_file = {_quoted(places.signing_key)}\nheartbeat_ms = {HEARTBEAT_MS}\n",
        f"[outbox]\npath = {_quoted(places.outbox)}\nquota_mb = 256\n",
        f"[log]\nurl = {_quoted(places.event_log)}\n",
        *(f'[[lane]]\nid = "{lane}"\ndirection = "{DIRECTION}"\n' for lane in LANES),
        *(_reader(reader, places) for reader in READERS),
        *(_read_point(reader, point) for reader in READERS for point in reader.read_points),
        f'[[mqtt]]\nid = "broker"\nurl = "mqtt://127.0.0.1:{broker_port}"\n'
        f'client_id = "{GATEWAY}"\ntopics = [\n{"".join(_topics())}]\n',
    ]
    return "\n".join(parts)


def mosquitto_conf(places: Places, port: int, *, as_root: bool) -> str:
    """A broker on loopback that keeps sessions, and as many messages as a demo can bring."""
    lines = [
        f"listener {port} 127.0.0.1",
        "allow_anonymous true",
        "persistence true",
        f"persistence_location {places.broker_store}/",
        # Beyond its default of 1,000 mosquitto drops in silence what a subscriber has not fetched.
        "max_queued_messages 100000",
        "log_dest stderr",
        "log_type error",
        "log_type warning",
    ]
    if as_root:
        # Else it drops to a user of its own, who cannot write into a folder of root.
        lines.append("user root")
    return "\n".join(lines) + "\n"


def _reader(reader: SiteReader, places: Places) -> str:
    serial = reader.protocol == "r200"
    link = f"serial://{places.ports / reader.id}?baud=115200" if serial else "mqtt:broker"
    return (
        f'[[reader]]\nid = "{reader.id}"\nlink = {_quoted(link)}\nprotocol = "{reader.protocol}"\n'
    )


def _read_point(reader: SiteReader, point: ReadPoint) -> str:
    antennas = "" if point.antenna is None else f"antennas = [{point.antenna}]\n"
    return (
        f'[[read_point]]\nid = "{point.id}"\nlane = "{point.lane}"\nposition = "{point.position}"\n'
        f'reader = "{reader.id}"\n{antennas}to_booth_s = {point.to_booth_s}\n'
    )


def _topics() -> list[str]:
    return [
        f'  {{ filter = "{topic(reader.id)}", reader = "{reader.id}", kind = "{kind}" }},\n'
        for reader in READERS
        if reader.protocol == "zebra_iotc"
        for kind, topic in (("data", data_topic), ("management", management_topic))
    ]


def _quoted(value: object) -> str:
    """A TOML basic string; raises ValueError for a path that no configuration should hold."""
    text = str(value)
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise ValueError(f"{text!r}: control characters cannot be part of a path here")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
