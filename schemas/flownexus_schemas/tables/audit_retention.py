"""How long the audit is kept: a function of the tables' owner, which the api may call and not change.

The api writes the audit and may neither change nor delete it, so who breaks into it cannot remove what they did. What
is old enough goes all the same, because the api asks for it, and how old that is was said by whoever migrated.
PostgreSQL: CREATE FUNCTION, "Writing SECURITY DEFINER Functions Safely".
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection, text

FORGET_AUDIT = "forget_audit"

_DEFINED = """
create or replace function {name}() returns bigint language sql security definer set search_path = pg_catalog, pg_temp
as $$ {body} $$
"""
_DELETES = """
with gone as (
    delete from public.audit_entry where time < now() - make_interval(secs => {seconds}) returning 1
) select count(*) from gone
"""


def apply(connection: Connection, kept_for: timedelta | None) -> None:
    """Make the function; None keeps all. Nobody may call it yet. Idempotent."""
    body = "select cast(0 as bigint)" if kept_for is None else _DELETES.format(seconds=int(kept_for.total_seconds()))
    connection.execute(text(_DEFINED.format(name=FORGET_AUDIT, body=body)))
    connection.execute(text(f"revoke all on function {FORGET_AUDIT}() from public"))
