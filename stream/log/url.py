"""Where an event log is: `memory:NAME`, `sqlite:PATH` or `kafka://HOST:PORT[,HOST:PORT...]/PREFIX`.

Pure: reading a URL connects nothing, so a configuration can be checked without the log.
"""

import re
from typing import Final, NamedTuple


class LogUrlError(ValueError):
    """A log URL that cannot be used; the text says what is wrong and what it should look like."""


class MemoryUrl(NamedTuple):
    """A log inside this process, for tests and replays."""

    name: str


class SqliteUrl(NamedTuple):
    """A log in one file."""

    path: str


class KafkaUrl(NamedTuple):
    """A log on Kafka brokers."""

    #: `host:port` of at least one broker.
    brokers: tuple[str, ...]
    #: Stands before every topic name, group id and transactional id, as it is; may be empty.
    prefix: str


LogUrl = MemoryUrl | SqliteUrl | KafkaUrl

FORMS: Final = "memory:NAME, sqlite:PATH or kafka://HOST:PORT[,HOST:PORT]/PREFIX"

_HOST: Final = r"(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\])"
_BROKER: Final = re.compile(rf"{_HOST}:(\d{{1,5}})")
#: Legal characters of a topic name are org.apache.kafka.common.internals.Topic.LEGAL_CHARS; a name may have
#: 249 of them, and the longest of ours needs 40.
_PREFIX: Final = re.compile(r"[A-Za-z0-9._-]{0,120}")


def parse_log_url(url: str) -> LogUrl:
    """What a URL names; raises `LogUrlError`."""
    scheme, colon, rest = url.partition(":")
    if not colon:
        raise LogUrlError(f"{url!r} is not a log URL: expected {FORMS}")
    if scheme == "memory":
        return _memory(url, rest)
    if scheme == "sqlite":
        return _sqlite(url, rest)
    if scheme == "kafka":
        return _kafka(url, rest)
    raise LogUrlError(f"{url!r}: no event log is called {scheme!r}: expected {FORMS}")


def _memory(url: str, rest: str) -> MemoryUrl:
    if not rest:
        raise LogUrlError(f"{url!r} has no name: expected memory:NAME")
    return MemoryUrl(rest)


def _sqlite(url: str, rest: str) -> SqliteUrl:
    if not rest or rest.endswith("/") or "\0" in rest:
        raise LogUrlError(f"{url!r} names no file: expected sqlite:PATH, such as sqlite:var/log.db")
    if rest.startswith("//") and not rest.startswith("///"):
        raise LogUrlError(f"{url!r}: after sqlite: comes a path, not a host")
    return SqliteUrl("/" + rest.lstrip("/") if rest.startswith("//") else rest)


def _kafka(url: str, rest: str) -> KafkaUrl:
    if not rest.startswith("//"):
        raise LogUrlError(f"{url!r}: expected kafka://HOST:PORT[,HOST:PORT]/PREFIX")
    hosts, _, prefix = rest[2:].partition("/")
    brokers = tuple(hosts.split(","))
    for broker in brokers:
        found = _BROKER.fullmatch(broker)
        if found is None or not 0 < int(found.group(1)) < 65536:
            raise LogUrlError(f"{url!r}: {broker!r} is not HOST:PORT of a Kafka broker")
    if not _PREFIX.fullmatch(prefix):
        raise LogUrlError(
            f"{url!r}: the prefix {prefix!r} may have letters, digits, '.', '_' and '-' (at most 120)"
        )
    return KafkaUrl(brokers, prefix)
