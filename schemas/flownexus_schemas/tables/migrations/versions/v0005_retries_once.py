"""Which reports on the stream hold the values of an undecoded one, so that a retry is stored once; those that wait."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("undecoded_report", sa.Column("decoded_in", postgresql.JSONB(), nullable=False, server_default="[]"))
    op.create_index(
        "ix_undecoded_report_waiting",
        "undecoded_report",
        ["received_at", "stream_sequence"],
        postgresql_where=sa.text("decoded_at is null"),
    )


def downgrade() -> None:
    op.drop_index("ix_undecoded_report_waiting", "undecoded_report")
    op.drop_column("undecoded_report", "decoded_in")
