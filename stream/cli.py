"""Commands `gatebook stream`, `gatebook topics` and `gatebook reference`."""

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, BinaryIO, cast

import msgspec
import typer

from stream import journal
from stream.config import STAGE_NAMES, ConfigError, StageName, StreamConfig, convert, parse_config
from stream.lifetime import FATAL
from stream.load import MAX_FINDINGS, Checked, LoadInterrupted, check_rows, write_rows
from stream.log.contract import LogError
from stream.log.open import LogUrlError, open_log
from stream.ndjson import Seal
from stream.reference import Reference
from stream.running import run_stages
from stream.sealed_rows import sealing
from stream.sealing import SealKey, SealKeyError, parse_seal_key
from stream.stages import stages_named
from stream.table import Table, port_table
from stream.topics_cli import topics
from stream.trips.resolve import Register
from stream.worker import read_random_key

__all__ = ["reference", "stream", "topics"]

FINDINGS = 1
USAGE = 2

stream = typer.Typer(
    no_args_is_help=True, help="Run the stages of the stream.", pretty_exceptions_enable=False
)
reference = typer.Typer(
    no_args_is_help=True,
    help="Reference rows: cards, parties, trips, sites.",
    pretty_exceptions_enable=False,
)

LogOption = Annotated[
    str, typer.Option("--log", metavar="URL", help="The event log, such as sqlite:var/log.db.")
]


class StageChoice(StrEnum):
    """What `--stage` may name."""

    TRIPS = "trips"
    LANES = "lanes"
    WATCH = "watch"
    LEDGER = "ledger"
    ALL = "all"


@stream.callback()
def _stream() -> None:
    """Run the stages of the stream."""


@reference.callback()
def _reference() -> None:
    """Reference rows: cards, parties, trips, sites."""


@stream.command("run")
def run(
    config: Annotated[
        Path | None, typer.Option("-c", "--config", help="Configuration; see docs/stream.toml.")
    ] = None,
    stage: Annotated[
        StageChoice | None, typer.Option(help="Stages to run; overrides the configuration.")
    ] = None,
    log: Annotated[
        str | None, typer.Option("--log", metavar="URL", help="Event log; overrides it too.")
    ] = None,
    partitions: Annotated[
        str | None, typer.Option(metavar="N,N", help="Input partitions to own; overrides it too.")
    ] = None,
) -> None:
    """Run stages until SIGTERM or Ctrl-C. Exit codes: 0 stopped, 2 usage, 3 start it again, 4 fenced."""
    found = _configured(config, stage, log, partitions)
    journal.configure()
    stages = stages_named(found.stream.stages)
    raise typer.Exit(asyncio.run(_run(found, stages)))


@reference.command("load")
def load(
    file: Annotated[str, typer.Argument(metavar="FILE", help="NDJSON; - for standard input.")],
    log: LogOption,
    seal_key_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Key that personal data of persons is sealed with."),
    ] = None,
) -> None:
    """Load rows and filings from NDJSON lines {"topic":…, "key":…, "at_us":…, "value":{…}}; null deletes.

    Odd identifiers are printed as warnings. Every line is read first: if any is bad, all findings are printed and nothing is written (exit 1).
    """
    seal = sealing(_seal_key(seal_key_file))
    try:
        with _opened(file) as lines:
            register = Register()
            checked = check_rows(lines, port_table(), register, seal)
            _report(checked, file)
            lines.seek(0)
            rows = asyncio.run(_write(log, lines, register if checked.filings else None, seal))
    except OSError as error:
        _say(f"{file}: {error.strerror or error}")
        raise typer.Exit(USAGE) from None
    except LogUrlError as error:
        _say(str(error))
        raise typer.Exit(USAGE) from None
    except LoadInterrupted as error:
        _say(f"{error}; {error.written} rows are written, loading the file again is safe")
        raise typer.Exit(FATAL) from None
    except (LogError, ValueError) as error:
        _say(str(error))
        raise typer.Exit(FATAL) from None
    print(f"{rows} rows loaded")


def _configured(
    path: Path | None, stage: StageChoice | None, log: str | None, partitions: str | None
) -> StreamConfig:
    """The file with what the command line overrides; ends the process with a text when it is wrong."""
    if path is None and log is None:
        _say("name the event log by --log URL, or a configuration by -c FILE")
        raise typer.Exit(USAGE)
    where = "command line" if path is None else str(path)
    try:
        tables: dict[str, Any] = {}
        if path is not None:
            tables = msgspec.to_builtins(parse_config(path.read_text(encoding="utf-8")))
        if log is not None:
            tables["log"] = {"url": log}
        worker = tables.setdefault("stream", {})
        if stage is not None:
            every = stage is StageChoice.ALL
            worker["stages"] = STAGE_NAMES if every else (cast("StageName", stage.value),)
        if partitions is not None:
            worker["partitions"] = _numbers(partitions)
        config = convert(tables)
        read_random_key(config.stream.random_key_file)
    except OSError as error:
        _say(f"{where}: {error.strerror}")
    except (ConfigError, UnicodeDecodeError) as error:
        for finding in str(error).splitlines():
            _say(f"{where}: {finding}")
    else:
        return config
    raise typer.Exit(USAGE)


def _numbers(text: str) -> tuple[int, ...] | str:
    if text == "all":
        return text
    try:
        return tuple(int(number) for number in text.split(","))
    except ValueError:
        raise ConfigError(f"--partitions: expected numbers such as 0,1,2, got {text!r}") from None


async def _run(config: StreamConfig, stages: Sequence[Any]) -> int:
    return await run_stages(config.log.url, stages, config.stream)


def _seal_key(path: Path | None) -> SealKey | None:
    if path is None:
        return None
    try:
        return parse_seal_key(path.read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None)
        _say(f"{path}: {why or (error if isinstance(error, SealKeyError) else 'no ASCII text')}")
        raise typer.Exit(USAGE) from None


async def _write(url: str, lines: BinaryIO, register: Register | None, seal: Seal) -> int:
    """Write the lines; with a register filings are resolved by it and by the rows that the log has."""
    log = await open_log(url)
    try:
        if register is None:
            return await write_rows(log, lines, seal=seal)
        table = Table(("credentials", "parties"), Reference())
        await table.load(log)
        for row in table.reference.resolvable():
            register.add(row, newer=False)
        return await write_rows(log, lines, register.resolve, seal)
    finally:
        await log.aclose()


def _opened(file: str) -> BinaryIO:
    """The file, or standard input in a temporary one, since the lines are read twice."""
    if file != "-":
        return Path(file).open("rb")
    spool = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115
    while piece := sys.stdin.buffer.read(1 << 20):
        spool.write(piece)
    spool.seek(0)
    return spool


def _report(checked: Checked, file: str) -> None:
    for warning in checked.warnings:
        _say(f"{file}: warning: {warning}")
    if checked.odd > len(checked.warnings):
        _say(f"{file}: {checked.odd} warnings (the first {MAX_FINDINGS} are shown)")
    if not checked.bad:
        return
    for finding in checked.findings:
        _say(f"{file}: {finding}")
    more = f" (the first {MAX_FINDINGS} are shown)" if checked.bad > len(checked.findings) else ""
    _say(f"{file}: {checked.bad} bad lines{more}, {checked.rows} good ones; nothing was written")
    raise typer.Exit(FINDINGS)


def _say(text: str) -> None:
    print(text, file=sys.stderr)
