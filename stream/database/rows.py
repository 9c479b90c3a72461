"""Messages as rows of the ledger database."""

from typing import Any, Final, NamedTuple

from sqlalchemy import Table

from schemas.arrival import ArrivalNotice
from schemas.border import BorderRecord
from schemas.message import Message
from schemas.wire import to_plain
from stream.database.tables import arrival_notices, border_records
from stream.ledger.acknowledged import TOPIC_COUNTRY

#: Topics that the sink reads.
TOPICS_READ: Final = ("arrivals", "border-records", *TOPIC_COUNTRY)

Row = dict[str, Any]


class Target(NamedTuple):
    """A table of revisions: the column of the id, and that of the whole message."""

    table: Table
    id_column: str
    document: str


NOTICES: Final = Target(arrival_notices, "crossing_id", "notice")
RECORDS: Final = Target(border_records, "record_id", "record")


def row_of(message: Message) -> tuple[Target, Row]:
    """The table and the row of a message; raises TypeError for one that has no table."""
    match message:
        case ArrivalNotice():
            return NOTICES, _notice(message)
        case BorderRecord():
            return RECORDS, _record(message)
        case _:
            raise TypeError(f"no table for {type(message).__name__}")


def _notice(notice: ArrivalNotice) -> Row:
    columns = set(arrival_notices.columns.keys()) - {"notice"}
    return {name: getattr(notice, name) for name in columns} | {"notice": to_plain(notice)}


def _record(record: BorderRecord) -> Row:
    entry, exit_ = record.entry, record.exit
    return {
        "record_id": record.record_id,
        "revision": record.revision,
        "crossing_id": record.crossing_id,
        "person": record.person,
        "role": record.role,
        "pair": record.pair,
        "state": record.state,
        "entry_country": entry.country,
        "entry_office_code": entry.office_code,
        "entry_authority": entry.authority,
        "entry_lane": entry.lane,
        "entry_at_us": entry.at_us,
        "exit_country": exit_.country,
        "exit_office_code": exit_.office_code,
        "exit_at_us": exit_.at_us,
        "exit_basis": exit_.basis,
        "retention_class": record.retention_class,
        "delete_after_us": record.delete_after_us,
        "record": to_plain(record),
    }
