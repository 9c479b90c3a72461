"""Write rows and the positions that they were read up to, in one transaction; twice is the same as once."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import orjson
from sqlalchemy import Connection, Engine, insert, select, update
from sqlalchemy.exc import IntegrityError

from stream.database.exchange import keep
from stream.database.rows import Row, Target
from stream.database.tables import sink_positions
from stream.ledger.acknowledged import Fate, Revision
from stream.lifetime import GiveUp
from stream.log.contract import TopicPartition
from stream.log.crash import passing

#: Ids that one query asks for; below SQLite's smallest limit of bound values (999).
MAX_IDS = 500


class Written(NamedTuple):
    """What a transaction did."""

    inserted: int
    #: Rows that were there already, equal.
    repeated: int
    #: Rows that were there already under the same id and revision, but different; they were left as they were.
    conflicting: int


class AnotherSink(GiveUp):
    """The positions were moved by somebody else since they were read."""


def read_positions(engine: Engine) -> dict[TopicPartition, int]:
    """The positions of the sink, where it has any."""
    with engine.connect() as connection:
        rows = connection.execute(select(sink_positions)).all()
    return {TopicPartition(topic, partition): offset for topic, partition, offset in rows}


def write(
    engine: Engine,
    rows: Sequence[tuple[Target, Row]],
    moved: Mapping[TopicPartition, tuple[int | None, int]],
    news: Mapping[Revision, Fate] | None = None,
) -> Written:
    """Insert what is not there, add the `news` of the exchange, and move the positions from their old value (None: none) to the new one.

    Raises `AnotherSink`, and what the database raises; then nothing was written.
    """
    total = Written(0, 0, 0)
    with engine.begin() as connection:
        for target in {target.table.name: target for target, _ in rows}.values():
            mine = [row for other, row in rows if other is target]
            found = _insert(connection, target, mine)
            total = Written(*(a + b for a, b in zip(total, found, strict=True)))
        keep(connection, news or {})
        for place, (old, new) in moved.items():
            _move(connection, place, old, new)
        passing("sink.before")
    passing("sink.after")
    return total


def _insert(connection: Connection, target: Target, rows: Sequence[Row]) -> Written:
    known = _existing(connection, target, sorted({row[target.id_column] for row in rows}))
    fresh: list[Row] = []
    repeated = conflicting = 0
    for row in rows:
        key = (row[target.id_column], row["revision"])
        content = _canonical(row[target.document])
        there = known.get(key)
        if there is None:
            known[key] = content
            fresh.append(row)
        elif there == content:
            repeated += 1
        else:
            conflicting += 1
    if fresh:
        connection.execute(insert(target.table), fresh)
    return Written(len(fresh), repeated, conflicting)


def _existing(
    connection: Connection, target: Target, ids: Sequence[str]
) -> dict[tuple[str, int], bytes]:
    columns = target.table.columns
    identity = columns[target.id_column]
    known = {}
    for at in range(0, len(ids), MAX_IDS):
        found = connection.execute(
            select(identity, columns["revision"], columns[target.document]).where(
                identity.in_(ids[at : at + MAX_IDS])
            )
        )
        known.update({(one, revision): _canonical(whole) for one, revision, whole in found})
    return known


def _canonical(document: object) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def _move(connection: Connection, place: TopicPartition, old: int | None, new: int) -> None:
    if old is None:
        row = {"topic": place.topic, "partition": place.partition, "next_offset": new}
        try:
            connection.execute(insert(sink_positions), row)
        except IntegrityError as error:
            raise AnotherSink(_another(place)) from error
        return
    moved = connection.execute(
        update(sink_positions)
        .where(
            sink_positions.c.topic == place.topic,
            sink_positions.c.partition == place.partition,
            sink_positions.c.next_offset == old,
        )
        .values(next_offset=new)
    )
    if moved.rowcount != 1:
        raise AnotherSink(_another(place))


def _another(place: TopicPartition) -> str:
    return f"another sink writes this database too ({place.topic}/{place.partition}): run only one"
