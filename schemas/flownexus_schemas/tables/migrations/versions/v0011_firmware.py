"""Firmware as it is uploaded, and its updates by the name of the endpoint. Neither table was ever written before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.drop_table("firmware_update")
    op.drop_table("firmware")
    op.create_table(
        "firmware",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("uploaded_by", sa.Text(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_firmware"),
        sa.UniqueConstraint("name", "version", name="uq_firmware_name_version"),
    )
    op.create_table(
        "firmware_update",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("firmware_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("state", sa.Integer(), nullable=True),
        sa.Column("result", sa.Integer(), nullable=True),
        sa.Column("waiting_for", sa.Text(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("stream_sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_firmware_update"),
    )
    op.create_index("ix_firmware_update_endpoint", "firmware_update", ["endpoint"])
    op.create_index("ix_firmware_update_status", "firmware_update", ["status"])


def downgrade() -> None:
    op.drop_table("firmware_update")
    op.drop_table("firmware")
    op.create_table(
        "firmware",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("download_url", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_firmware"),
        sa.UniqueConstraint("version", name="uq_firmware_version"),
    )
    op.create_table(
        "firmware_update",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("endpoint_id", sa.BigInteger(), nullable=False),
        sa.Column("firmware_id", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("state", sa.Integer(), nullable=True),
        sa.Column("result", sa.Integer(), nullable=True),
        sa.Column("waiting_for", sa.Text(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("stream_sequence", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["endpoint_id"], ["endpoint.id"], name="fk_firmware_update_endpoint_id"),
        sa.ForeignKeyConstraint(["firmware_id"], ["firmware.id"], name="fk_firmware_update_firmware_id"),
        sa.PrimaryKeyConstraint("id", name="pk_firmware_update"),
    )
    op.create_index("ix_firmware_update_endpoint_id", "firmware_update", ["endpoint_id"])
    op.create_index("ix_firmware_update_status", "firmware_update", ["status"])
