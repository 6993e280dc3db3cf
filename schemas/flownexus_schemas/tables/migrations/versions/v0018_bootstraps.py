"""Steps of bootstraps."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

JSONB = postgresql.JSONB(astext_type=sa.Text())


def upgrade() -> None:
    op.create_table(
        "bootstrap_step",
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stream_sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("notes", JSONB, nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("profile", sa.Text(), nullable=True),
        sa.Column("credentials", JSONB, nullable=False),
        sa.Column("identity", sa.Text(), nullable=True),
        sa.Column("address_host", sa.Text(), nullable=False),
        sa.Column("address_port", sa.Integer(), nullable=False),
        sa.Column("gateway", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("time", "stream_sequence", name="pk_bootstrap_step"),
    )
    op.create_index("ix_bootstrap_step_of_endpoint", "bootstrap_step", ["endpoint", "time"])


def downgrade() -> None:
    op.drop_table("bootstrap_step")
