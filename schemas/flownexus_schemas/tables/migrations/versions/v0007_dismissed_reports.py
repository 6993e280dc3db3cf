"""Undecoded reports that nobody wants any more, and first blocks of what is read whole: they wait for nothing."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

INDEX, TABLE = "ix_undecoded_report_waiting", "undecoded_report"
COLUMNS = ["received_at", "stream_sequence"]


def upgrade() -> None:
    op.add_column(TABLE, sa.Column("dismissed_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(
        "update undecoded_report set dismissed_at = received_at "
        "where reason = 'only the first block came; the whole is read by itself'"
    )
    op.drop_index(INDEX, TABLE)
    op.create_index(INDEX, TABLE, COLUMNS, postgresql_where=sa.text("decoded_at is null and dismissed_at is null"))


def downgrade() -> None:
    op.drop_index(INDEX, TABLE)
    op.create_index(INDEX, TABLE, COLUMNS, postgresql_where=sa.text("decoded_at is null"))
    op.drop_column(TABLE, "dismissed_at")
