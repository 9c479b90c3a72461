"""Connect to the ledger database by its URL: SQLite, or another database that SQLAlchemy has a driver for."""

from typing import Any

import orjson
from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

#: How long a write waits for another process to end its own, seconds.
BUSY_S = 10


_READING = "reading"


class DatabaseUrlError(ValueError):
    """A database URL that cannot be used; the text says why."""


def engine_for(url: str) -> Engine:
    """An engine; nothing is opened yet. Raises `DatabaseUrlError`."""
    try:
        sqlite = make_url(url).get_backend_name() == "sqlite"
        engine = create_engine(
            url,
            json_serializer=lambda value: orjson.dumps(value).decode(),
            json_deserializer=orjson.loads,
            connect_args={"timeout": BUSY_S} if sqlite else {},
        )
    except (ArgumentError, NoSuchModuleError, ImportError, ValueError) as error:
        raise DatabaseUrlError(f"database URL: {error}; expected sqlite:///PATH") from error
    if sqlite:
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def for_reading(engine: Engine) -> Engine:
    """The same database for transactions that only read: however long they are, the sink goes on meanwhile."""
    return engine.execution_options(**{_READING: True})


def shown(url: str) -> str:
    """The URL without its password."""
    return make_url(url).render_as_string(hide_password=True)


def plain(error: SQLAlchemyError) -> str:
    """What the driver says, without the statement and its values: those hold ids of persons."""
    cause = getattr(error, "orig", None) or type(error).__name__
    return f"the database: {str(cause).splitlines()[0][:200]}"


def _set_up_sqlite(connection: Any, _record: object) -> None:
    # None: the driver begins nothing by itself, so that DDL too is part of a transaction.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    if connection.get_execution_options().get(_READING):
        connection.exec_driver_sql("BEGIN")
        return
    # IMMEDIATE: a transaction that reads first and writes then must not fail because another one wrote.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
