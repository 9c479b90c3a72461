"""Commands `gatebook database`."""

import asyncio
from typing import Annotated

import typer
from sqlalchemy import Engine

from stream import journal
from stream.database.exchange_cli import exchange
from stream.database.migrate import check_migrated, migrate
from stream.database.observers_cli import observers
from stream.database.opened import USAGE, UrlOption, opened, say
from stream.database.sink import Sink
from stream.lifetime import stop_on_signals, supervised
from stream.log.contract import EventLog
from stream.log.open import LogUrlError, parse_log_url

app = typer.Typer(
    no_args_is_help=True,
    help="The ledger database: notices and border records as rows.",
    pretty_exceptions_enable=False,
)
app.command("exchange")(exchange)
app.command("observers")(observers)


@app.callback()
def _app() -> None:
    """The ledger database: notices and border records as rows."""


@app.command("migrate")
def migrate_database(url: UrlOption) -> None:
    """Make the tables, or bring them to this version. Running it again changes nothing."""
    with opened(url) as engine:
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
        say(str(error))
        raise typer.Exit(USAGE) from None
    with opened(url) as engine:
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
