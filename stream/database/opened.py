"""What the commands of the ledger database share: its URL, and what goes wrong with it as one line and an exit code."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Final

import typer
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from stream.database.engine import DatabaseUrlError, engine_for, plain
from stream.database.migrate import NotMigrated
from stream.lifetime import FATAL

USAGE: Final = 2

UrlOption = Annotated[
    str, typer.Option("--url", metavar="URL", help="The database, such as sqlite:///var/ledger.db.")
]


@contextmanager
def opened(url: str) -> Iterator[Engine]:
    """The engine; what goes wrong with it becomes one line and an exit code."""
    try:
        engine = engine_for(url)
    except DatabaseUrlError as error:
        say(str(error))
        raise typer.Exit(USAGE) from None
    try:
        yield engine
    except NotMigrated as error:
        say(str(error))
        raise typer.Exit(FATAL) from None
    except SQLAlchemyError as error:
        say(plain(error))
        raise typer.Exit(FATAL) from None
    finally:
        engine.dispose()


def say(text: str) -> None:
    """One line for a person."""
    sys.stderr.write(f"{text}\n")
