"""`gatebook gateway`: run the daemon, check its configuration, make tokens, look at rejects."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer

from gateway.config import Config, ConfigError, Finding, read_config
from gateway.identity import (
    NumberError,
    TokenKey,
    TokenKeyError,
    epc_token,
    parse_number,
    parse_token_key,
    tid_token,
)

FINDINGS: Final = 1
USAGE: Final = 2
FATAL: Final = 3

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="The edge daemon: reads of readers in, events of sightings out.",
)

ConfigFile = Annotated[
    Path, typer.Option("--config", "-c", metavar="FILE", help="The gateway's configuration (TOML).")
]


@app.command()
def run(config: ConfigFile) -> None:
    """Run the gateway until SIGTERM or Ctrl-C. Logs go to stderr."""
    settings = _read(config)
    key = _token_key(settings)
    from gateway.daemon import Fatal, run_daemon  # noqa: PLC0415 - links are loaded only to run

    try:
        run_daemon(settings, key)
    except Fatal as error:
        _stop(str(error), FATAL)


@app.command()
def check(config: ConfigFile) -> None:
    """Check a configuration without touching what it names; exit 1 with findings."""
    settings = _read(config)
    counts = (
        f"{len(settings.lanes)} lanes, {len(settings.readers)} readers, "
        f"{len(settings.read_points)} read points"
    )
    print(f"{config}: good: gateway {settings.gateway.id} at {settings.gateway.pair}, {counts}")


@app.command()
def token(
    config: ConfigFile,
    tid: Annotated[
        bool, typer.Option("--tid", help="The numbers are TIDs (tag serial numbers).")
    ] = False,
) -> None:
    """Card numbers as hex on stdin, one a line, to tokens on stdout: how a card is enrolled."""
    key = _token_key(_read(config))
    bad = 0
    for number, line in enumerate(sys.stdin, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            card = parse_number(text)
        except NumberError as error:
            print(f"line {number}: {error}", file=sys.stderr)
            bad += 1
            continue
        print(tid_token(key, card) if tid else epc_token(key, card))
    if bad:
        _stop(f"{bad} lines gave no token", FINDINGS)


@app.command()
def rejects(
    config: ConfigFile,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """What readers sent that gave no read, oldest first. It may hold card numbers: keep it here."""
    settings = _read(config)
    from gateway.outbox import OutboxError, read_rejects  # noqa: PLC0415

    try:
        kept = read_rejects(Path(settings.outbox.path))
    except OutboxError as error:
        _stop(str(error), FATAL)
    for row in kept.rows:
        at = datetime.fromtimestamp(row.at_us / 1e6, UTC).isoformat(timespec="milliseconds")
        if as_json:
            plain = {"at_us": row.at_us, "reader": row.reader, "reason": row.reason}
            print(json.dumps(plain | {"detail": row.detail, "hex": row.raw.hex().upper()}))
        else:
            print(
                f"{at}  {row.reader}  {row.reason}  {row.raw.hex().upper()}  {row.detail}".rstrip()
            )
    print(f"{len(kept.rows)} rejects kept, {kept.dropped} older ones dropped", file=sys.stderr)


def _read(path: Path) -> Config:
    """The checked configuration, or the findings on stderr and the end."""
    from stream.log.url import LogUrlError, parse_log_url  # noqa: PLC0415

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        _stop(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}", USAGE)
    try:
        settings = read_config(text)
        parse_log_url(settings.log.url)
    except ConfigError as error:
        _findings(path, error.findings)
    except LogUrlError as error:
        _findings(path, (Finding("log.url", "cannot be used", str(error)),))
    return settings


def _findings(path: Path, findings: tuple[Finding, ...]) -> NoReturn:
    for finding in findings:
        print(f"{path}: {finding}", file=sys.stderr)
    sys.exit(FINDINGS)


def _token_key(settings: Config) -> TokenKey:
    path = Path(settings.gateway.token_key_file)
    try:
        key = parse_token_key(path.read_text(encoding="ascii"))
        others = path.stat().st_mode & 0o077
    except FileNotFoundError:
        _stop(f"{path}: the token key file is not there (one line `key_id:hex`)", FATAL)
    except (OSError, UnicodeDecodeError) as error:
        _stop(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}", FATAL)
    except TokenKeyError as error:
        _stop(f"{path}: {error}", FATAL)
    if others:
        print(
            f"{path}: warning: others can use this key: chmod 600 {path}",
            file=sys.stderr,
        )
    return key


def _stop(text: str, code: int) -> NoReturn:
    print(text, file=sys.stderr)
    sys.exit(code)
