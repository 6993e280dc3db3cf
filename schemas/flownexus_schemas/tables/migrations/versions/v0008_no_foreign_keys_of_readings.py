"""Readings and events without foreign keys: their check was more than half of the work of an insert.

What they pointed to is kept instead: rows of `endpoint` and `resource_type` are not deleted.
"""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

KEYS = (
    ("resource", "endpoint_id", "endpoint"),
    ("resource", "resource_type_id", "resource_type"),
    ("event", "endpoint_id", "endpoint"),
)
KEPT = ("endpoint", "resource_type")

_REFUSE = """
create function refuse_delete() returns trigger language plpgsql as $$
begin
    raise foreign_key_violation using
        message = format('rows of %s are not deleted: readings and events point to them', tg_table_name),
        hint = 'Truncate the tables that ingest writes, with stream_position, to have them built anew from the stream.';
end
$$
"""


def upgrade() -> None:
    for table, column, _ in KEYS:
        op.drop_constraint(f"fk_{table}_{column}", table, type_="foreignkey")
    op.execute(_REFUSE)
    for table in KEPT:
        op.execute(
            f"create trigger {table}_is_kept before delete on {table} for each row execute function refuse_delete()"
        )


def downgrade() -> None:
    for table in KEPT:
        op.execute(f"drop trigger {table}_is_kept on {table}")
    op.execute("drop function refuse_delete()")
    for table, column, other in KEYS:
        op.create_foreign_key(f"fk_{table}_{column}", table, other, [column], ["id"])
