"""Notices, border records and the positions of the sink."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    document = sa.JSON().with_variant(JSONB(), "postgresql")
    op.create_table(
        "arrival_notices",
        sa.Column("crossing_id", sa.String, primary_key=True),
        sa.Column("revision", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("pair", sa.String, nullable=False),
        sa.Column("direction", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("lane", sa.String, nullable=False),
        sa.Column("position", sa.String, nullable=False),
        sa.Column("first_read_us", sa.BigInteger, nullable=False),
        sa.Column("last_read_us", sa.BigInteger, nullable=False),
        sa.Column("eta_us", sa.BigInteger),
        sa.Column("decision", sa.String),
        sa.Column("provisional", sa.Boolean, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("notice", document, nullable=False),
    )
    op.create_index("arrival_notices_by_time", "arrival_notices", ["pair", "at_us"])
    op.create_table(
        "border_records",
        sa.Column("record_id", sa.String, primary_key=True),
        sa.Column("revision", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("crossing_id", sa.String, nullable=False),
        sa.Column("person", sa.String, nullable=False),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("pair", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("entry_country", sa.String, nullable=False),
        sa.Column("entry_office_code", sa.String),
        sa.Column("entry_authority", sa.String, nullable=False),
        sa.Column("entry_lane", sa.String),
        sa.Column("entry_at_us", sa.BigInteger, nullable=False),
        sa.Column("exit_country", sa.String, nullable=False),
        sa.Column("exit_office_code", sa.String),
        sa.Column("exit_at_us", sa.BigInteger, nullable=False),
        sa.Column("exit_basis", sa.String, nullable=False),
        sa.Column("retention_class", sa.String, nullable=False),
        sa.Column("delete_after_us", sa.BigInteger, nullable=False),
        sa.Column("record", document, nullable=False),
        sa.CheckConstraint("entry_at_us = exit_at_us", name="one_moment"),
        sa.CheckConstraint("entry_country <> exit_country", name="two_countries"),
    )
    op.create_index("border_records_by_person", "border_records", ["person", "entry_at_us"])
    op.create_index("border_records_by_crossing", "border_records", ["crossing_id"])
    op.create_table(
        "sink_positions",
        sa.Column("topic", sa.String, primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("next_offset", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("sink_positions")
    op.drop_table("border_records")
    op.drop_table("arrival_notices")
