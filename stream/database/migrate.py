"""Bring a ledger database to the tables of this version, step by step, each in one transaction."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Engine

from stream.database.engine import shown


class NotMigrated(Exception):  # noqa: N818 - named by what is wrong
    """The database does not have the tables of this version; the text says what to do."""


def migrate(engine: Engine) -> tuple[str | None, str]:
    """Upgrade to the newest tables; return the revision before and after.

    Raises `NotMigrated` for a database of a newer version, which is left as it is.
    """
    config = _config()
    with engine.begin() as connection:
        before = MigrationContext.configure(connection).get_current_revision()
        _refuse_unknown(before, ScriptDirectory.from_config(config))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return before, newest()


def newest() -> str:
    """The revision that this version needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise RuntimeError("no migrations are installed")
    return head


def check_migrated(engine: Engine, url: str) -> None:
    """Raise `NotMigrated` unless the database has exactly the tables of this version."""
    with engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    if found == newest():
        return
    _refuse_unknown(found, ScriptDirectory.from_config(_config()))
    raise NotMigrated(
        f"the database is {'empty' if found is None else f'at revision {found}'}: "
        f"run `gatebook database migrate --url {shown(url)}` first"
    )


def _refuse_unknown(revision: str | None, scripts: ScriptDirectory) -> None:
    try:
        if revision is not None:
            scripts.get_revision(revision)
    except CommandError:
        raise NotMigrated(
            f"the database is at revision {revision}, which this version of gatebook does not know: "
            "use the newer version that made it"
        ) from None


def _config() -> Config:
    config = Config()
    place = str(Path(__file__).parent / "migrations")
    config.set_main_option("script_location", place.replace("%", "%%"))
    return config
