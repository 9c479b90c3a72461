"""The stream's configuration file. Reading it opens nothing; every key has a default but the log's URL."""

import tomllib
from difflib import get_close_matches
from typing import Annotated, Any, Final, Literal

import msgspec

from schemas.topics import PARTITIONS
from stream.log.url import LogUrlError, parse_log_url

StageName = Literal["trips", "lanes", "watch", "ledger"]

STAGE_NAMES: Final[tuple[StageName, ...]] = ("trips", "lanes", "watch", "ledger")

#: The names of `stream.shipped`.
PolicySet = Literal["today", "paper-2021"]

Partition = Annotated[int, msgspec.Meta(ge=0, lt=PARTITIONS)]


class ConfigError(ValueError):
    """A configuration that cannot be used; the text has one line a finding, each with its path."""


class LogTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Table `[log]`: where the event log is."""

    url: str


class StreamTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Table `[stream]`: what one worker process does."""

    #: Stages that it runs.
    stages: tuple[StageName, ...] = STAGE_NAMES
    #: Input partitions that it owns, of every one of its stages. Each must belong to one process only.
    partitions: tuple[Partition, ...] | Literal["all"] = "all"
    #: Most input records of one commit.
    batch: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 500
    #: Longest wait for input before ticks and reference rows are looked at again.
    commit_ms: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 100
    #: Seconds between the ticks that move the stages' timers.
    tick_s: Annotated[float, msgspec.Meta(ge=0.05, le=3_600)] = 10.0

    #: File with the key that draws random checks: 64 hex digits. None: none are drawn.
    random_key_file: str | None = None

    #: The set of shipped policies that holds beneath the rows of `policies`. None: only those rows hold.
    policy: PolicySet | None = None

    @property
    def numbers(self) -> tuple[int, ...]:
        """The partitions, written out."""
        every = tuple(range(PARTITIONS))
        return every if self.partitions == "all" else tuple(sorted(set(self.partitions)))


class StreamConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    log: LogTable
    stream: StreamTable = StreamTable()


def parse_config(text: str) -> StreamConfig:
    """The configuration in a TOML text; raises `ConfigError`."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not TOML: {error}") from error
    return convert(tables)


def convert(tables: dict[str, Any]) -> StreamConfig:
    """The configuration in tables as TOML gives them; raises `ConfigError`."""
    known = {"log": LogTable, "stream": StreamTable}
    findings = _unknown("", tables, tuple(known))
    for name, kind in known.items():
        table = tables.get(name, {})
        if isinstance(table, dict):
            findings += _unknown(f"{name}.", table, kind.__struct_fields__)
    if findings:
        raise ConfigError("\n".join(findings))
    try:
        config = msgspec.convert(tables, StreamConfig, strict=True)
        parse_log_url(config.log.url)
    except msgspec.ValidationError as error:
        raise ConfigError(str(error).replace("$.", "").replace("object", "table")) from error
    except LogUrlError as error:
        raise ConfigError(f"log.url: {error}") from error
    if not config.stream.stages or not config.stream.numbers:
        raise ConfigError("stream: no stages or no partitions, so there would be nothing to do")
    return config


def _unknown(prefix: str, table: dict[str, Any], known: tuple[str, ...]) -> list[str]:
    findings = []
    for key in table:
        if key not in known:
            close = get_close_matches(key, known, n=1, cutoff=0.5)
            advice = f"did you mean `{close[0]}`?" if close else f"known: {', '.join(known)}"
            findings.append(f"{prefix}{key}: unknown key; {advice}")
    return findings
