"""Rollouts, their devices and their history."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
JSONB = postgresql.JSONB(astext_type=sa.Text())


def upgrade() -> None:
    op.create_table(
        "rollout",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("firmware_id", sa.Text(), nullable=True),
        sa.Column("firmware_name", sa.Text(), nullable=True),
        sa.Column("version", sa.Text(), nullable=True),
        sa.Column("state", JSONB, nullable=False),
        sa.Column("rollback_of", sa.Text(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=True),
        sa.Column("finished_at", TIME, nullable=True),
        sa.Column("last_action", sa.Text(), nullable=False),
        sa.Column("stream_sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rollout"),
    )
    op.create_index("ix_rollout_created", "rollout", ["created_at", "id"])
    op.create_index("ix_rollout_rollback_of", "rollout", ["rollback_of"])
    op.create_table(
        "rollout_device",
        sa.Column("rollout_id", sa.Text(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), server_default="0", nullable=False),
        sa.Column("group_number", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("firmware_id", sa.Text(), nullable=True),
        sa.Column("version", sa.Text(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("update_id", sa.Text(), nullable=True),
        sa.Column("begun_at", TIME, nullable=True),
        sa.Column("updated_at", TIME, nullable=True),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("version_before", sa.Text(), nullable=True),
        sa.Column("last_action", sa.Text(), nullable=False),
        sa.Column("stream_sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("rollout_id", "endpoint", name="pk_rollout_device"),
    )
    op.create_index("ix_rollout_device_endpoint", "rollout_device", ["endpoint"])
    op.create_index("ix_rollout_device_place", "rollout_device", ["rollout_id", "place"])
    op.create_table(
        "rollout_change",
        sa.Column("rollout_id", sa.Text(), nullable=False),
        sa.Column("stream_sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("time", TIME, nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("rollout_id", "stream_sequence", name="pk_rollout_change"),
    )
    op.create_index("ix_rollout_change_of_rollout", "rollout_change", ["rollout_id", "endpoint", "stream_sequence"])


def downgrade() -> None:
    op.drop_table("rollout_change")
    op.drop_table("rollout_device")
    op.drop_table("rollout")
