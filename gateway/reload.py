"""What a new configuration changes in a running gateway, and what it cannot change. Pure."""

from typing import NamedTuple

from gateway.link import Link, MqttUrl, parse_link
from gateway.tables import Config, Finding, MqttTable, ReaderTable

#: Table and key of what is read once, at the start.
FIXED = (
    ("gateway", "id"),
    ("gateway", "pair"),
    ("gateway", "token_key_file"),
    ("gateway", "signing_key_file"),
    ("gateway", "heartbeat_ms"),
    ("outbox", None),
    ("log", None),
    ("health", None),
)


class Wiring(NamedTuple):
    """All that a reader's link and decoder are made of: the same wiring, the same behaviour."""

    reader: ReaderTable
    broker: MqttTable | None


def refusals(old: Config, new: Config) -> list[Finding]:
    """What would need a restart."""
    found = []
    for table, key in FIXED:
        before, after = getattr(old, table), getattr(new, table)
        if key is not None:
            before, after = getattr(before, key, None), getattr(after, key, None)
        if before != after:
            path = table if key is None else f"{table}.{key}"
            found.append(Finding(path, "cannot be changed while the gateway runs", "restart it"))
    return found


def wiring_of(config: Config, link: Link) -> tuple[Wiring, ...]:
    """What a link and the decoders of its readers are made of."""
    readers = {reader.id: reader for reader in config.readers}
    brokers = {table.id: table for table in config.mqtt}
    found = []
    for name in link.readers:
        url = parse_link(readers[name].link)
        broker = brokers.get(url.id) if isinstance(url, MqttUrl) else None
        found.append(Wiring(readers[name], broker))
    return tuple(found)
