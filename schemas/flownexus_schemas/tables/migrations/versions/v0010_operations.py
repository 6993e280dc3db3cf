"""Operations as they are asked for, with their history. The table before was never written: it is made anew."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
JSONB = postgresql.JSONB(astext_type=sa.Text())


def upgrade() -> None:
    op.drop_table("endpoint_operation")
    op.create_table(
        "endpoint_operation",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("operation_type", sa.Text(), nullable=False),
        sa.Column("request", JSONB, nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("batch", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=True),
        sa.Column("expires_at", TIME, nullable=True),
        sa.Column("last_attempt_at", TIME, nullable=True),
        sa.Column("finished_at", TIME, nullable=True),
        sa.Column("last_action", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("diagnostic", sa.Text(), nullable=True),
        sa.Column("answer", JSONB, nullable=True),
        sa.Column("stream_sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_endpoint_operation"),
    )
    op.create_index("ix_endpoint_operation_created", "endpoint_operation", ["created_at", "id"])
    op.create_index("ix_endpoint_operation_of_endpoint", "endpoint_operation", ["endpoint", "created_at", "id"])
    op.create_index(
        "ix_endpoint_operation_of_batch",
        "endpoint_operation",
        ["batch", "created_at", "id"],
        postgresql_where=sa.text("batch is not null"),
    )
    op.create_index(
        "ix_endpoint_operation_open",
        "endpoint_operation",
        ["created_at", "id"],
        postgresql_where=sa.text("status in ('QUEUED', 'SENDING')"),
    )
    op.create_table(
        "endpoint_operation_change",
        sa.Column("operation_id", sa.Text(), nullable=False),
        sa.Column("stream_sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("time", TIME, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("diagnostic", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["operation_id"], ["endpoint_operation.id"], name="fk_endpoint_operation_change_operation_id"
        ),
        sa.PrimaryKeyConstraint("operation_id", "stream_sequence", name="pk_endpoint_operation_change"),
    )


def downgrade() -> None:
    op.drop_table("endpoint_operation_change")
    op.drop_table("endpoint_operation")
    op.create_table(
        "endpoint_operation",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("endpoint_id", sa.BigInteger(), nullable=False),
        sa.Column("operation_type", sa.Text(), nullable=False),
        sa.Column("request", JSONB, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("last_attempt_at", TIME, nullable=True),
        sa.Column("finished_at", TIME, nullable=True),
        sa.Column("last_action", sa.Text(), nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("diagnostic", sa.Text(), nullable=True),
        sa.Column("stream_sequence", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["endpoint_id"], ["endpoint.id"], name="fk_endpoint_operation_endpoint_id"),
        sa.PrimaryKeyConstraint("id", name="pk_endpoint_operation"),
    )
    op.create_index("ix_endpoint_operation_endpoint_id", "endpoint_operation", ["endpoint_id"])
    op.create_index("ix_endpoint_operation_status", "endpoint_operation", ["status"])
