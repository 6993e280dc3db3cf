"""Desired values as they stand."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
JSONB = postgresql.JSONB(astext_type=sa.Text())


def upgrade() -> None:
    op.create_table(
        "desired_value",
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("attribute", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=True),
        sa.Column("desired", JSONB, nullable=True),
        sa.Column("profile", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.Column("reported", JSONB, nullable=True),
        sa.Column("reported_at", TIME, nullable=True),
        sa.Column("checked_at", TIME, nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("stream_sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("endpoint", "path", "attribute", name="pk_desired_value"),
    )
    op.create_index(
        "ix_desired_value_out_of_sync",
        "desired_value",
        ["endpoint", "path", "attribute"],
        postgresql_where=sa.text("state <> 'in-sync'"),
    )
    op.create_index("ix_desired_value_of_profile", "desired_value", ["profile", "endpoint", "path", "attribute"])
    op.create_index("ix_desired_value_of_path", "desired_value", ["path", "endpoint", "attribute"])


def downgrade() -> None:
    op.drop_table("desired_value")
