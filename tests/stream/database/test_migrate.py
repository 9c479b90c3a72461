"""The ledger database gets its tables by migrations, and nobody writes into one without them."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, insert, inspect, text
from sqlalchemy.dialects.postgresql import dialect
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateTable

from schemas.border import BorderRecord
from stream.database.engine import DatabaseUrlError, engine_for, shown
from stream.database.migrate import NotMigrated, check_migrated, migrate, newest
from stream.database.rows import row_of
from stream.database.tables import border_records, metadata
from tests.schemas.samples import SAMPLES


def test_an_empty_database_gets_exactly_the_tables_of_this_version(engine: Engine) -> None:
    assert migrate(engine) == (None, newest())
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        checks = inspect(connection).get_check_constraints("border_records")
    assert {one["name"] for one in checks} == {"one_moment", "two_countries"}


def test_migrating_twice_changes_nothing(ledger: Engine) -> None:
    assert migrate(ledger) == (newest(), newest())


def test_a_database_without_tables_is_refused_with_the_command_to_run(
    engine: Engine, url: str
) -> None:
    with pytest.raises(NotMigrated, match="gatebook database migrate --url sqlite:///"):
        check_migrated(engine, url)
    migrate(engine)
    check_migrated(engine, url)


def test_a_database_of_a_newer_version_is_refused_and_left_as_it_is(
    ledger: Engine, url: str
) -> None:
    with ledger.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for attempt in (lambda: migrate(ledger), lambda: check_migrated(ledger, url)):
        with pytest.raises(NotMigrated, match="newer version"):
            attempt()


def test_a_migration_that_fails_leaves_nothing_behind(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE border_records (x INTEGER)"))
    with pytest.raises(Exception, match="already exists"):
        migrate(engine)
    with engine.connect() as connection:
        assert set(inspect(connection).get_table_names()) == {"border_records"}


def test_sqlite_keeps_what_it_was_told_even_if_the_power_goes(ledger: Engine) -> None:
    with ledger.connect() as connection:
        pragmas = ("journal_mode", "synchronous", "foreign_keys")
        found = [connection.execute(text(f"PRAGMA {name}")).scalar() for name in pragmas]
    assert found == ["wal", 2, 1]


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [({"exit_at_us": 8}, "one_moment"), ({"exit_country": "US"}, "two_countries")],
)
def test_the_database_itself_refuses_an_entry_that_is_not_its_exit(
    ledger: Engine, wrong: dict[str, object], problem: str
) -> None:
    _, row = row_of(next(one for one in SAMPLES if isinstance(one, BorderRecord)))
    with pytest.raises(IntegrityError, match=problem), ledger.begin() as connection:
        connection.execute(insert(border_records), row | wrong)


def test_the_tables_can_be_made_on_postgresql_too() -> None:
    postgresql = dialect()  # type: ignore[no-untyped-call]
    made = [str(CreateTable(table).compile(dialect=postgresql)) for table in metadata.sorted_tables]
    assert sum("JSONB" in one for one in made) == 2


@pytest.mark.parametrize("url", ["", "ledger.db", "nosuch:///x", "sqlite://host/x"])
def test_a_url_that_is_none_is_refused_in_words(url: str) -> None:
    with pytest.raises(DatabaseUrlError, match="expected sqlite:///PATH"):
        engine_for(url)


def test_a_shown_url_has_no_password() -> None:
    assert shown("postgresql://me:secret@db/ledger") == "postgresql://me:***@db/ledger"
