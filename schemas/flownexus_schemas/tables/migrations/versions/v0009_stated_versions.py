"""The versions of objects that endpoints stated, over time; so far only the last was kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "stated_versions",
        sa.Column("endpoint_id", sa.BigInteger(), nullable=False),
        sa.Column("stream_sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("object_versions", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["endpoint_id"], ["endpoint.id"], name="fk_stated_versions_endpoint_id"),
        sa.PrimaryKeyConstraint("endpoint_id", "stream_sequence", name="pk_stated_versions"),
    )
    op.execute(
        "insert into stated_versions select id, 0, object_versions from endpoint where object_versions <> '{}'::jsonb"
    )


def downgrade() -> None:
    op.drop_table("stated_versions")
