"""Commands `gatebook outbox`: check, stats and export. They change nothing and may run at any time."""

import json
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, NamedTuple, NoReturn

import typer

from gateway.config import ConfigError, read_config
from gateway.outbox_check import TOPIC, Stats, check, stats_of
from gateway.outbox_look import Look
from gateway.outbox_room import MIB
from gateway.outbox_tables import OutboxError
from gateway.signing import Signer, SigningKeyError, read_signing_key
from schemas.wire import SchemaError, decode, to_json

FINDINGS: Final = 1
USAGE: Final = 2
FATAL: Final = 3

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Look at a gateway's outbox: what waits, and whether it is sound. Changes nothing.",
)

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", metavar="FILE", help="The gateway's configuration (TOML)."),
]
OutboxPath = Annotated[
    Path | None, typer.Argument(metavar="OUTBOX", help="The outbox, without a configuration.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]


class _Place(NamedTuple):
    """The outbox that a command is about."""

    path: Path
    pair: str
    quota: int | None = None
    key_file: Path | None = None


@app.command("check")
def check_command(
    outbox: OutboxPath = None, config: ConfigFile = None, as_json: Json = False
) -> None:
    """Structure, numbers, links, signatures and room of all that waits; exit 1 with findings."""
    place = _place(outbox, config)
    signer = _signer(place)
    with _look(place) as look:
        try:
            found = check(look, signer, place.quota)
        except OutboxError as error:
            _stop(str(error), FATAL)
    if as_json:
        plain = found._asdict() | {"troubles": [one._asdict() for one in found.troubles]}
        print(json.dumps(plain))
    else:
        for one in found.troubles:
            print(f"{place.path}: {one.what}; {one.why}; {one.fix}")
        rest = f", {found.other_keys} by keys that are not at hand" if found.other_keys else ""
        print(
            f"{place.path}: {found.events} events wait, {found.signatures} signatures verified{rest}, "
            f"{len(found.troubles)} findings"
        )
    if found.unsigned and signer is None:
        print(
            f"warning: {found.unsigned} events wait without a signature: without gateway.signing_key_file "
            "(`gatebook gateway keygen`) nobody can tell them from forged ones",
            file=sys.stderr,
        )
    if found.troubles:
        sys.exit(FINDINGS)


@app.command()
def stats(outbox: OutboxPath = None, config: ConfigFile = None, as_json: Json = False) -> None:
    """How many events wait, how old they are, and the room that is taken."""
    place = _place(outbox, config)
    with _look(place) as look:
        try:
            found = stats_of(look, place.quota)
        except OutboxError as error:
            _stop(str(error), FATAL)
    if as_json:
        print(json.dumps(found._asdict()))
        return
    for line in _lines(found):
        print(line)


@app.command()
def export(outbox: OutboxPath = None, config: ConfigFile = None) -> None:
    """The events that wait, as NDJSON on stdout, oldest first; they stay in the outbox."""
    place = _place(outbox, config)
    damaged = 0
    with _look(place) as look:
        try:
            for row in look.waiting():
                try:
                    message = decode(TOPIC, row.value)
                except SchemaError as error:
                    print(f"event {row.seq}: {error}", file=sys.stderr)
                    damaged += 1
                    continue
                key = getattr(message, "pair", place.pair)
                print(to_json(TOPIC, key, row.at_us, message).decode())
        except OutboxError as error:
            _stop(str(error), FATAL)
    if damaged:
        _stop(f"{damaged} events are damaged and were left out", FINDINGS)


def _lines(found: Stats) -> list[str]:
    signed = "signed" if found.signed else "not signed"
    lines = [
        f"gateway    {found.gateway}, epoch {found.epoch}, {signed}",
        f"waiting    {found.waiting} events, the next number is {found.next_seq}",
    ]
    if found.earlier:
        lines.append(f"           {found.earlier} of them salvaged from an earlier epoch")
    if found.oldest_us is not None:
        lines.append(f"oldest     {_time(found.oldest_us)}")
    if found.newest_us is not None:
        lines.append(f"newest     {_time(found.newest_us)}")
    lines += [
        f"kept       {found.open_stays} open sightings, {found.keys} message keys, "
        f"{found.rejects} rejects, {found.quarantined} in quarantine",
        *(f"file       {size:>12} bytes  OUTBOX{name}" for name, size in found.files.items()),
        f"filled     {found.filled:>12} bytes of the database",
    ]
    if found.quota is not None:
        used = found.files.get("", 0) + found.files.get("-wal", 0)
        lines.append(
            f"quota      {found.quota:>12} bytes, {100 * used / found.quota:.1f} % of it used"
        )
    return lines


def _time(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1e6, UTC).isoformat(timespec="milliseconds")


def _place(outbox: Path | None, config: Path | None) -> _Place:
    if (outbox is None) == (config is None):
        _stop("name an outbox, or its gateway's configuration with -c", USAGE)
    if config is None:
        return _Place(outbox or Path(), "")
    try:
        settings = read_config(config.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        _stop(f"{config}: cannot be read: {getattr(error, 'strerror', None) or error}", USAGE)
    except ConfigError as error:
        for finding in error.findings:
            print(f"{config}: {finding}", file=sys.stderr)
        sys.exit(FINDINGS)
    gateway, table = settings.gateway, settings.outbox
    key_file = None if gateway.signing_key_file is None else Path(gateway.signing_key_file)
    return _Place(Path(table.path), gateway.pair, table.quota_mb * MIB, key_file)


def _signer(place: _Place) -> Signer | None:
    if place.key_file is None:
        return None
    try:
        return read_signing_key(place.key_file)
    except SigningKeyError as error:
        print(f"warning: {error}; signatures are not verified", file=sys.stderr)
        return None


def _look(place: _Place) -> "closing[Look]":
    try:
        return closing(Look(place.path))
    except OutboxError as error:
        _stop(str(error), FATAL)


def _stop(text: str, code: int) -> NoReturn:
    print(text, file=sys.stderr)
    sys.exit(code)
