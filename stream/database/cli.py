"""Commands `gatebook database`."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from stream import journal
from stream.database.engine import DatabaseUrlError, engine_for, plain
from stream.database.migrate import NotMigrated, check_migrated, migrate
from stream.database.sink import Sink
from stream.lifetime import FATAL, stop_on_signals, supervised
from stream.log.contract import EventLog
from stream.log.open import LogUrlError, parse_log_url

USAGE = 2

app = typer.Typer(
    no_args_is_help=True,
    help="The ledger database: notices and border records as rows.",
    pretty_exceptions_enable=False,
)

UrlOption = Annotated[
    str, typer.Option("--url", metavar="URL", help="The database, such as sqlite:///var/ledger.db.")
]


@app.callback()
def _app() -> None:
    """The ledger database: notices and border records as rows."""


@app.command("migrate")
def migrate_database(url: UrlOption) -> None:
    """Make the tables, or bring them to this version. Running it again changes nothing."""
    with _database(url) as engine:
        before, after = migrate(engine)
    print(f"at revision {after}" + ("" if before == after else f" (was: {before or 'empty'})"))


@app.command("sink")
def sink(
    url: UrlOption,
    log: Annotated[
        str, typer.Option("--log", metavar="URL", help="The event log, such as sqlite:var/log.db.")
    ],
    once: Annotated[bool, typer.Option("--once", help="Stop at the log's present end.")] = False,
) -> None:
    """Write notices and border records into the database until SIGTERM or Ctrl-C."""
    try:
        parse_log_url(log)
    except LogUrlError as error:
        _say(str(error))
        raise typer.Exit(USAGE) from None
    with _database(url) as engine:
        check_migrated(engine, url)
        journal.configure()
        raise typer.Exit(asyncio.run(_sink(engine, log, once)))


async def _sink(engine: Engine, log_url: str, once: bool) -> int:
    made: list[Sink] = []

    async def start(log: EventLog) -> Sink:
        made.append(await Sink.start(log, engine))
        return made[-1]

    code = await supervised(log_url, start, Sink.once if once else Sink.run, stop_on_signals())
    if made and once:
        counts = made[-1].counts
        print(f"{counts['inserted']} rows written, {counts['repeated']} were there already")
    return code


@contextmanager
def _database(url: str) -> Iterator[Engine]:
    """The engine; what goes wrong with it becomes one line and an exit code."""
    try:
        engine = engine_for(url)
    except DatabaseUrlError as error:
        _say(str(error))
        raise typer.Exit(USAGE) from None
    try:
        yield engine
    except NotMigrated as error:
        _say(str(error))
        raise typer.Exit(FATAL) from None
    except SQLAlchemyError as error:
        _say(plain(error))
        raise typer.Exit(FATAL) from None
    finally:
        engine.dispose()


def _say(text: str) -> None:
    print(text, file=sys.stderr)
