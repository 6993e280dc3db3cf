"""Undecoded reports that were retried; their key also tells streams apart that were made anew."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("undecoded_report", sa.Column("decoded_at", sa.DateTime(timezone=True), nullable=True))
    op.drop_constraint("pk_undecoded_report", "undecoded_report", type_="primary")
    op.create_primary_key("pk_undecoded_report", "undecoded_report", ["received_at", "stream_sequence"])


def downgrade() -> None:
    op.drop_constraint("pk_undecoded_report", "undecoded_report", type_="primary")
    op.create_primary_key("pk_undecoded_report", "undecoded_report", ["stream_sequence"])
    op.drop_column("undecoded_report", "decoded_at")
