"""The table of what became of each revision that a country is told: kept by the sink, listed by a command."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    Connection,
    Engine,
    RowMapping,
    Select,
    bindparam,
    func,
    insert,
    or_,
    select,
    update,
)

from stream.database.engine import for_reading
from stream.database.tables import exchange_status
from stream.ledger.acknowledged import Fate, Revision, merged

#: Records that one query asks for; below SQLite's smallest limit of bound values (999).
MAX_IDS: Final = 500

_KEY: Final = tuple(Revision._fields)


class Listed(NamedTuple):
    """A revision and what became of it."""

    revision: Revision
    fate: Fate


def keep(connection: Connection, news: Mapping[Revision, Fate]) -> int:
    """Add what is known now to what the table has; return how many rows changed. Twice is the same as once."""
    known = _known(connection, sorted({one.record_id for one in news}))
    fresh, changed = [], []
    for revision, fate in sorted(news.items()):
        old = known.get(revision)
        whole = fate if old is None else merged(old, fate)
        if old is None:
            fresh.append(revision._asdict() | _values(whole))
        elif whole != old:
            changed.append({f"key_{k}": v for k, v in revision._asdict().items()} | _values(whole))
    if fresh:
        connection.execute(insert(exchange_status), fresh)
    if changed:
        columns = exchange_status.columns
        connection.execute(
            update(exchange_status).where(*(columns[k] == bindparam(f"key_{k}") for k in _KEY)),
            changed,
        )
    return len(fresh) + len(changed)


def counts(engine: Engine, country: str | None = None) -> dict[tuple[str, str], int]:
    """How many records have which status by (country, status), each by its latest revision."""
    latest = _latest().subquery()
    asked = select(latest.c.country, latest.c.status, func.count()).group_by(
        latest.c.country, latest.c.status
    )
    if country is not None:
        asked = asked.where(latest.c.country == country)
    with for_reading(engine).connect() as connection:
        return {(whose, status): number for whose, status, number in connection.execute(asked)}


def listed(engine: Engine, statuses: Sequence[str], country: str | None = None) -> Iterator[Listed]:
    """The latest revision of each record that has one of the statuses, in the order in which they were told."""
    latest = _latest().subquery()
    asked = (
        select(latest)
        .where(latest.c.status.in_(statuses))
        .order_by(latest.c.told_us, latest.c.record_id, latest.c.country)
    )
    if country is not None:
        asked = asked.where(latest.c.country == country)
    with for_reading(engine).connect() as connection:
        for row in connection.execution_options(yield_per=1_000).execute(asked).mappings():
            yield _read(row)


def _latest() -> Select[tuple[Any, ...]]:
    """The latest revision that was told of each record, and every revision that an adapter made up."""
    table = exchange_status
    newest = (
        select(table.c.country, table.c.record_id, func.max(table.c.revision).label("revision"))
        .where(table.c.kind.is_not(None))
        .group_by(table.c.country, table.c.record_id)
        .subquery()
    )
    same = (table.c.country == newest.c.country) & (table.c.record_id == newest.c.record_id)
    return (
        select(table)
        .outerjoin(newest, same)
        .where(or_(table.c.kind.is_(None), table.c.revision == newest.c.revision))
    )


def _known(connection: Connection, ids: Sequence[str]) -> dict[Revision, Fate]:
    known: dict[Revision, Fate] = {}
    for at in range(0, len(ids), MAX_IDS):
        asked = select(exchange_status).where(
            exchange_status.c.record_id.in_(ids[at : at + MAX_IDS])
        )
        known.update(_read(row) for row in connection.execute(asked).mappings())
    return known


def _read(found: RowMapping) -> Listed:
    rejected_us = found["rejected_us"]
    return Listed(
        Revision(found["country"], found["record_id"], found["revision"]),
        Fate(
            kind=found["kind"],
            provisional=found["provisional"],
            told_us=found["told_us"],
            sent_us=found["sent_us"],
            acked_us=found["acked_us"],
            rejected=None if rejected_us is None else (rejected_us, found["reason"]),
        ),
    )


def _values(fate: Fate) -> dict[str, object]:
    return {
        "status": fate.status,
        "kind": fate.kind,
        "provisional": fate.provisional,
        "told_us": fate.told_us,
        "sent_us": fate.sent_us,
        "acked_us": fate.acked_us,
        "rejected_us": None if fate.rejected is None else fate.rejected[0],
        "reason": None if fate.rejected is None else fate.rejected[1],
    }
