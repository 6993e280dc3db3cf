"""What a device said to the notification attributes of an observation."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("observation_outcome", sa.Column("attributes", postgresql.JSONB(), nullable=True))
    op.add_column("observation_outcome", sa.Column("attributes_code", sa.Text(), nullable=True))
    op.add_column("observation_outcome", sa.Column("attributes_diagnostic", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("observation_outcome", "attributes_diagnostic")
    op.drop_column("observation_outcome", "attributes_code")
    op.drop_column("observation_outcome", "attributes")
