"""When endpoints wake up, and what follows for the next time. The view is made anew with it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)

STATUS = """case
        when not registered or expires_at is null or expires_at <= now() then 'offline'
        when queue_mode and (awake_until is null or awake_until <= now()) then 'asleep'
        else 'online'
    end as status"""

BEFORE = f"create view endpoint_status as select endpoint.*, {STATUS} from endpoint"  # noqa: S608 - constants only

# Once a time is past without a wake-up, the next counts: what it took lately, in two weeks, then interval by interval.
# A live registration is updated before it ends; one that ended is expected by its habit, until it missed ten times.
NOW = f"""
create view endpoint_status as
select endpoint.*, {STATUS},
    coalesce(is_live and overdue_since > last_seen_at, false) as overdue,
    case when is_live then least(next_at, expires_at) when missed <= 10 then next_at end as next_expected_at,
    case when is_live then least(next_by, expires_at) when missed <= 10 then next_by end as next_expected_by
from endpoint
left join endpoint_wake_ups on endpoint_id = endpoint.id
cross join lateral (
    select coalesce(registered and expires_at > now(), false) as is_live, greatest(interval_s, 1) as step_s
) as known
cross join lateral (
    select ceil(greatest(extract(epoch from now() - expected_at)::double precision, 0) / step_s) as missed
) as since
cross join lateral (
    select
        case
            when now() <= expected_by then expected_at
            when now() <= lately_by then lately_by
            when now() <= longest_by then longest_by
            else expected_at + missed * step_s * interval '1 second'
        end as next_at,
        case
            when now() <= expected_by then expected_by
            when now() <= lately_by then lately_by
            when now() <= longest_by then longest_by
            else expected_by + missed * step_s * interval '1 second'
        end as next_by
) as next
"""  # noqa: S608 - constants only


def upgrade() -> None:
    op.execute("drop view endpoint_status")
    op.add_column("endpoint", sa.Column("spoke_at", TIME, nullable=True))
    op.create_table(
        "endpoint_wake_ups",
        sa.Column("endpoint_id", sa.BigInteger(), nullable=False),
        sa.Column("began_at", TIME, nullable=False),
        sa.Column("learned", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("interval_s", sa.Double(), nullable=True),
        sa.Column("expected_at", TIME, nullable=True),
        sa.Column("expected_by", TIME, nullable=True),
        sa.Column("lately_by", TIME, nullable=True),
        sa.Column("longest_by", TIME, nullable=True),
        sa.Column("overdue_at", TIME, nullable=True),
        sa.Column("overdue_since", TIME, nullable=True),
        sa.ForeignKeyConstraint(["endpoint_id"], ["endpoint.id"], name="fk_endpoint_wake_ups_endpoint_id"),
        sa.PrimaryKeyConstraint("endpoint_id", name="pk_endpoint_wake_ups"),
    )
    op.execute(NOW)


def downgrade() -> None:
    op.execute("drop view endpoint_status")
    op.drop_table("endpoint_wake_ups")
    op.drop_column("endpoint", "spoke_at")
    op.execute(BEFORE)
