"""What became of each revision that a country is told; indexes for the days of observers."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "exchange_status",
        sa.Column("country", sa.String, primary_key=True),
        sa.Column("record_id", sa.String, primary_key=True),
        sa.Column("revision", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("kind", sa.String),
        sa.Column("provisional", sa.Boolean, nullable=False),
        sa.Column("told_us", sa.BigInteger),
        sa.Column("sent_us", sa.BigInteger),
        sa.Column("acked_us", sa.BigInteger),
        sa.Column("rejected_us", sa.BigInteger),
        sa.Column("reason", sa.String),
    )
    op.create_index("exchange_status_by_record", "exchange_status", ["record_id"])
    op.create_index("exchange_status_by_status", "exchange_status", ["status", "told_us"])
    op.create_index("border_records_by_time", "border_records", ["entry_at_us"])
    op.create_index("arrival_notices_by_last_read", "arrival_notices", ["last_read_us"])


def downgrade() -> None:
    op.drop_index("arrival_notices_by_last_read", "arrival_notices")
    op.drop_index("border_records_by_time", "border_records")
    op.drop_table("exchange_status")
