"""A gateway's configuration: TOML text in, `Config` or the list of everything that is wrong with it out.

Pure: no file is opened here but by its caller, and nothing that the file names is looked for.
"""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from gateway.cross_check import cross_check
from gateway.protocols import PROTOCOLS
from gateway.reads import WireProtocol
from gateway.tables import (
    Config,
    Finding,
    GatewayTable,
    HealthTable,
    LaneTable,
    LogTable,
    MqttTable,
    OutboxTable,
    ReaderTable,
    ReadPointTable,
    Table,
)

__all__ = ["Config", "ConfigError", "Finding", "read_config"]

_ONE: Final[dict[str, type[Table]]] = {
    "gateway": GatewayTable,
    "outbox": OutboxTable,
    "log": LogTable,
}
_OPTIONAL: Final[dict[str, type[Table]]] = {"health": HealthTable}
_MANY: Final[dict[str, tuple[str, type[Table]]]] = {
    "lane": ("lanes", LaneTable),
    "reader": ("readers", ReaderTable),
    "read_point": ("read_points", ReadPointTable),
    "mqtt": ("mqtt", MqttTable),
}
_PATH: Final = re.compile(r" - at `(?:key in )?\$\.?([^`]*)`")


class ConfigError(ValueError):
    """The configuration cannot be used; `findings` say why and what to do."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        """Keep the findings; the text has one a line."""
        self.findings = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))


def read_config(text: str, protocols: Mapping[str, WireProtocol] = PROTOCOLS) -> Config:
    """The configuration of a file's text; raises `ConfigError` with all findings at once."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([Finding("file", f"not TOML: {error}", "mend the line")]) from None
    findings = _unknown_tables(tables)
    parts: dict[str, object] = {}
    for name, kind in _ONE.items():
        parts[name] = _one(name, kind, tables.get(name), findings)
    for name, kind in _OPTIONAL.items():
        if name in tables:
            parts[name] = _table(name, kind, tables[name], findings)
    for name, (field, kind) in _MANY.items():
        parts[field] = _many(name, kind, tables.get(name, []), findings)
    if findings:
        raise ConfigError(findings)
    config = msgspec.convert(parts, Config, from_attributes=True)
    if wrong := cross_check(config, protocols):
        raise ConfigError(wrong)
    return config


def _unknown_tables(tables: Mapping[str, object]) -> list[Finding]:
    known = (*_ONE, *_OPTIONAL, *_MANY)
    return [
        Finding(name, "unknown table", _suggestion(name, known))
        for name in tables
        if name not in known
    ]


def _one(name: str, kind: type[Table], value: object, findings: list[Finding]) -> Table | None:
    if value is None:
        needed = ", ".join(_required(kind))
        findings.append(Finding(name, "the table is missing", f"add [{name}] with {needed}"))
        return None
    return _table(name, kind, value, findings)


def _many(name: str, kind: type[Table], value: object, findings: list[Finding]) -> list[Table]:
    if not isinstance(value, list):
        findings.append(Finding(name, "not a list of tables", f"write [[{name}]]"))
        return []
    rows = [_table(f"{name}[{n}]", kind, row, findings) for n, row in enumerate(value)]
    return [row for row in rows if row is not None]


def _table(path: str, kind: type[Table], value: object, findings: list[Finding]) -> Table | None:
    """The table, or None with what is wrong added to the findings."""
    if not isinstance(value, dict):
        findings.append(Finding(path, "not a table", f"write [{path}] and its keys below"))
        return None
    before = len(findings)
    known = _without_unknown(path, kind, value, findings)
    try:
        row = msgspec.convert(known, kind)
    except msgspec.ValidationError as error:
        findings.append(_wrong(path, kind, str(error)))
        return None
    return row if len(findings) == before else None


def _without_unknown(
    path: str, kind: type[Table], value: Mapping[str, object], findings: list[Finding]
) -> dict[str, object]:
    """The known keys of a table, so that a typing error does not hide what else is wrong."""
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    known: dict[str, object] = {}
    for key, inner in value.items():
        if key not in fields:
            findings.append(Finding(f"{path}.{key}", "unknown key", _suggestion(key, fields)))
            continue
        row_kind = _row_kind(fields[key])
        known[key] = inner
        if row_kind is not None and isinstance(inner, list):
            known[key] = [
                _without_unknown(f"{path}.{key}[{n}]", row_kind, row, findings)
                if isinstance(row, dict)
                else row
                for n, row in enumerate(inner)
            ]
    return known


def _row_kind(kind: object) -> type[Table] | None:
    """The table of which a field is a list, if it is one."""
    for inner in getattr(kind, "__args__", ()):
        if isinstance(inner, type) and issubclass(inner, Table):
            return inner
    return None


def _wrong(path: str, kind: type[Table], text: str) -> Finding:
    found = _PATH.search(text)
    where = f"{path}.{found.group(1)}" if found else path
    detail = _PATH.sub("", text)
    if detail.startswith("Object missing required field"):
        return Finding(where, detail.replace("Object missing", "missing"), "add the key")
    if "regex" in detail:
        return Finding(where, "this name cannot be used", "use letters, digits, '_' and '-' only")
    return Finding(where, detail, f"mend the value (keys of this table: {', '.join(_keys(kind))})")


def _suggestion(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"


def _keys(kind: type[Table]) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(kind)]


def _required(kind: type[Table]) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(kind) if field.required]
