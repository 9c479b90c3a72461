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
    """Run the gateway until SIGTERM or Ctrl-C; SIGHUP takes the file anew. Logs go to stderr."""
    settings = _read(config)
    key = _token_key(settings)
    from gateway.daemon import Fatal, run_daemon  # noqa: PLC0415 - links are loaded only to run

    try:
        run_daemon(settings, key, lambda: _parsed(config))
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
def doctor(
    config: ConfigFile,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    listen: Annotated[
        float,
        typer.Option(metavar="SECONDS", min=0.1, max=60, help="Listen to each reader so long."),
    ] = 3.0,
) -> None:
    """Look at all that a configuration names; exit 1 with findings, 3 when the gateway cannot run."""
    settings = _read(config)
    from gateway.doctor_cli import run_doctor  # noqa: PLC0415

    sys.exit(run_doctor(settings, listen, as_json=as_json))


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
def keygen(
    config: ConfigFile,
    show: Annotated[
        bool, typer.Option("--show", help="Make no key: print the row of the one that is there.")
    ] = False,
) -> None:
    """Make the signing key; the row for `gatebook reference load` that makes it known is on stdout."""
    settings = _read(config)
    if settings.gateway.signing_key_file is None:
        _stop(f"{config}: gateway.signing_key_file: missing: name the file for the key", FINDINGS)
    from gateway.now import anchored_clock  # noqa: PLC0415
    from gateway.signing import (  # noqa: PLC0415 - cryptography is loaded only here
        SigningKeyError,
        key_row,
        make_signing_key,
        read_signing_key,
    )
    from schemas.topics import topic_key  # noqa: PLC0415
    from schemas.wire import to_json  # noqa: PLC0415

    path = Path(settings.gateway.signing_key_file)
    try:
        signer = read_signing_key(path) if show else make_signing_key(path)
    except SigningKeyError as error:
        _stop(str(error), FATAL)
    now_us = anchored_clock()()
    row = key_row(settings.gateway.id, signer, now_us)
    print(to_json("policies", topic_key(row) or "", now_us, row).decode())
    if not show:
        print(f"{path}: made; keep it secret, and load the row above", file=sys.stderr)


@app.command()
def rejects(
    config: ConfigFile,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """What readers sent that gave no read, oldest first. It may hold card numbers: keep it here."""
    settings = _read(config)
    from gateway.outbox_look import read_rejects  # noqa: PLC0415
    from gateway.outbox_tables import OutboxError  # noqa: PLC0415

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


@app.command()
def tap(  # noqa: PLR0917 - options of a command line
    config: ConfigFile,
    reader: Annotated[
        str | None, typer.Option("--reader", "-r", metavar="R", help="Only this reader.")
    ] = None,
    lane: Annotated[
        str | None, typer.Option("--lane", "-l", metavar="L", help="Only this lane.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option("--for", metavar="S", min=0, help="End after S seconds.")
    ] = None,
    show_numbers: Annotated[
        bool,
        typer.Option(
            "--show-numbers", help="Show card numbers and raw bytes, not token beginnings."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Show live what the running gateway hears: reads, rejects, and sightings once they are stored.

    It needs the right to open the socket beside the outbox, and never slows the gateway: what this
    terminal does not take in time is dropped and counted.
    """
    settings = _read(config)
    from gateway.live_cli import run_tap  # noqa: PLC0415
    from gateway.tap import Wish  # noqa: PLC0415

    wish = Wish(want="tap", reader=reader, lane=lane, numbers=show_numbers)
    run_tap(settings, wish, as_json=as_json, seconds=seconds)


@app.command()
def capture(
    config: ConfigFile,
    *,
    reader: Annotated[str, typer.Option("--reader", "-r", metavar="R", help="Of this reader.")],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="FILE", help="A new file; it is made with mode 0600."),
    ],
    seconds: Annotated[
        float, typer.Option("--for", metavar="S", min=0, max=86_400, help="End after S seconds.")
    ] = 3_600,
    max_mb: Annotated[
        int, typer.Option("--max-mb", metavar="N", min=1, max=10_240, help="End before N MiB.")
    ] = 100,
    keep_days: Annotated[
        int,
        typer.Option(
            "--keep-days", metavar="N", min=0, max=3_650, help="Keep it N days; 0: for ever."
        ),
    ] = 30,
) -> None:
    """Write the bytes that a reader sends and is sent into a capture file, from the running gateway.

    The file holds card numbers, and says until when it may be kept: later captures into the same folder remove
    it after that. `gatebook decode` reads it, and a reader with `link = "capture:FILE"` plays it.
    """
    settings = _read(config)
    from gateway.live_cli import Bounds, run_capture  # noqa: PLC0415
    from gateway.tap import Wish  # noqa: PLC0415

    bounds = Bounds(seconds, max_mb, keep_days)
    run_capture(settings, Wish(want="capture", reader=reader), out, bounds)


def _read(path: Path) -> Config:
    """The checked configuration, or the findings on stderr and the end."""
    try:
        return _parsed(path)
    except ConfigError as error:
        _findings(path, error.findings)
    except (OSError, UnicodeDecodeError) as error:
        _stop(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}", USAGE)


def _parsed(path: Path) -> Config:
    """The checked configuration; raises `ConfigError`, or `OSError` or `UnicodeDecodeError`."""
    from stream.log.url import LogUrlError, parse_log_url  # noqa: PLC0415

    settings = read_config(path.read_text(encoding="utf-8"))
    try:
        parse_log_url(settings.log.url)
    except LogUrlError as error:
        raise ConfigError([Finding("log.url", "cannot be used", str(error))]) from None
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
