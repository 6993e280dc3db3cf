"""What was assumed where a payload was not as the specification has it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("resource", "latest_value"):
        op.add_column(table, sa.Column("marks", postgresql.ARRAY(sa.Text()), nullable=True))


def downgrade() -> None:
    for table in ("resource", "latest_value"):
        op.drop_column(table, "marks")
