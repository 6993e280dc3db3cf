"""Devices that answer although they sleep. The view has the columns that `endpoint` had when it was made: made anew."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

ENDPOINT_STATUS = """
create view endpoint_status as
select endpoint.*,
    case
        when not registered or expires_at is null or expires_at <= now() then 'offline'
        when queue_mode and (awake_until is null or awake_until <= now()) then 'asleep'
        else 'online'
    end as status
from endpoint
"""


def upgrade() -> None:
    op.execute("drop view endpoint_status")
    op.add_column("endpoint", sa.Column("answers_asleep_within_s", sa.Double(), nullable=True))
    op.execute(ENDPOINT_STATUS)


def downgrade() -> None:
    op.execute("drop view endpoint_status")
    op.drop_column("endpoint", "answers_asleep_within_s")
    op.execute(ENDPOINT_STATUS)
