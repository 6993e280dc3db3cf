"""By which object models the stored values of each resource were decoded."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("resource_type", sa.Column("decoded_by", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("resource_type", "decoded_by")
