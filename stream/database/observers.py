"""What the ledger database has of a day, without ids: what observers' aggregates are counted from."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Final

from sqlalchemy import Engine, Select, Table, func, select

from stream.database.engine import for_reading
from stream.database.tables import arrival_notices, border_records
from stream.ledger.observers import ENTERED, OUTCOMES, TAKEN_BACK, Ended

#: A local day begins at most 14 hours before the day in UTC and ends at most 12 hours after it.
MARGIN: Final = timedelta(hours=14)


def ended_about(engine: Engine, day: date) -> Iterator[Ended]:
    """What ended on the day in any zone, by the latest revision of each record and crossing."""
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC) - MARGIN
    end = begin + timedelta(days=1) + 2 * MARGIN
    times = int(begin.timestamp()) * 1_000_000, int(end.timestamp()) * 1_000_000
    with for_reading(engine).connect() as connection:
        reading = connection.execution_options(yield_per=1_000)
        for pair, left, entered, at_us, state in reading.execute(_records(*times)):
            outcome = TAKEN_BACK if state == "retracted" else ENTERED
            yield Ended(pair, left, entered, at_us, outcome)
        for pair, direction, at_us, state in reading.execute(_crossings(*times)):
            left, entered = direction.split(">")
            yield Ended(pair, left, entered, at_us, state)


def _records(begin_us: int, end_us: int) -> Select[str, str, str, int, str]:
    table = border_records.c
    return select(
        table.pair, table.exit_country, table.entry_country, table.entry_at_us, table.state
    ).where(
        table.entry_at_us.between(begin_us, end_us),
        table.revision == _newest(border_records, "record_id"),
    )


def _crossings(begin_us: int, end_us: int) -> Select[str, str, int, str]:
    table = arrival_notices.c
    return select(table.pair, table.direction, table.last_read_us, table.state).where(
        table.last_read_us.between(begin_us, end_us),
        table.state.in_(OUTCOMES),
        table.revision == _newest(arrival_notices, "crossing_id"),
    )


def _newest(table: Table, id_column: str) -> object:
    """The highest revision of the row's id."""
    other = table.alias()
    return (
        select(func.max(other.c.revision))
        .where(other.c[id_column] == table.c[id_column])
        .scalar_subquery()
    )
