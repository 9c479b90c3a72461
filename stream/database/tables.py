"""The tables of the ledger database, as SQLAlchemy Core. The migrations make them.

Every revision of a notice or record is its own row and is never changed; the highest revision of an id is
the one in force. Times are microseconds UTC. The whole message stands beside the columns as JSON.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
)
from sqlalchemy.dialects.postgresql import JSONB

Document = JSON().with_variant(JSONB(), "postgresql")

metadata = MetaData()

arrival_notices = Table(
    "arrival_notices",
    metadata,
    Column("crossing_id", String, primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("pair", String, nullable=False),
    Column("direction", String, nullable=False),
    Column("state", String, nullable=False),
    Column("lane", String, nullable=False),
    Column("position", String, nullable=False),
    Column("first_read_us", BigInteger, nullable=False),
    Column("last_read_us", BigInteger, nullable=False),
    Column("eta_us", BigInteger),
    Column("decision", String),
    Column("provisional", Boolean, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("notice", Document, nullable=False),
    Index("arrival_notices_by_time", "pair", "at_us"),
    Index("arrival_notices_by_last_read", "last_read_us"),
)

border_records = Table(
    "border_records",
    metadata,
    Column("record_id", String, primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("crossing_id", String, nullable=False),
    Column("person", String, nullable=False),
    Column("role", String, nullable=False),
    Column("pair", String, nullable=False),
    Column("state", String, nullable=False),
    Column("entry_country", String, nullable=False),
    Column("entry_office_code", String),
    Column("entry_authority", String, nullable=False),
    Column("entry_lane", String),
    Column("entry_at_us", BigInteger, nullable=False),
    Column("exit_country", String, nullable=False),
    Column("exit_office_code", String),
    Column("exit_at_us", BigInteger, nullable=False),
    Column("exit_basis", String, nullable=False),
    Column("retention_class", String, nullable=False),
    Column("delete_after_us", BigInteger, nullable=False),
    Column("record", Document, nullable=False),
    CheckConstraint("entry_at_us = exit_at_us", name="one_moment"),
    CheckConstraint("entry_country <> exit_country", name="two_countries"),
    Index("border_records_by_person", "person", "entry_at_us"),
    Index("border_records_by_crossing", "crossing_id"),
    Index("border_records_by_time", "entry_at_us"),
)

#: One row a revision that a country is told; it changes as the partner takes it. It holds nothing personal.
exchange_status = Table(
    "exchange_status",
    metadata,
    Column("country", String, primary_key=True),
    Column("record_id", String, primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("status", String, nullable=False),
    Column("kind", String),
    Column("provisional", Boolean, nullable=False),
    Column("told_us", BigInteger),
    Column("sent_us", BigInteger),
    Column("acked_us", BigInteger),
    Column("rejected_us", BigInteger),
    Column("reason", String),
    Index("exchange_status_by_record", "record_id"),
    Index("exchange_status_by_status", "status", "told_us"),
)

sink_positions = Table(
    "sink_positions",
    metadata,
    Column("topic", String, primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("next_offset", BigInteger, nullable=False),
)
