"""What came of something that the audit has: a function of the tables' owner, by which the api adds it.

An entry is written before what it tells of, and the api may not change it then. So its outcome is added here, within an
hour, and nothing that the entry says already is replaced. PostgreSQL: CREATE FUNCTION, "Writing SECURITY DEFINER
Functions Safely".
"""

from __future__ import annotations

from sqlalchemy import Connection, text

ADD_OUTCOME = "add_audit_outcome"

_DEFINED = """
create or replace function {name}(entries bigint[], outcome jsonb) returns void
language sql security definer set search_path = pg_catalog, pg_temp
as $$
    update public.audit_entry set details = outcome || coalesce(details, '{{}}')
    where id = any(entries) and time > now() - interval '1 hour'
$$
"""


def apply(connection: Connection) -> None:
    """Make the function. Nobody may call it yet. Idempotent."""
    connection.execute(text(_DEFINED.format(name=ADD_OUTCOME)))
    connection.execute(text(f"revoke all on function {ADD_OUTCOME}(bigint[], jsonb) from public"))
