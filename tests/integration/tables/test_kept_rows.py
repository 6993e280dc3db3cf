"""What readings and events point to without a foreign key is not deleted."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.errors import ForeignKeyViolation


@pytest.mark.parametrize("table", ["endpoint", "resource_type"])
def test_what_readings_point_to_is_kept_and_the_refusal_says_how_to_begin_anew(database_url: str, table: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("insert into endpoint (name) values ('dev')")
        connection.execute("insert into resource_type (object_id, resource_id) values (3303, 5700)")
        with pytest.raises(ForeignKeyViolation, match="are not deleted") as refused:
            connection.execute(f"delete from {table}".encode())
        assert "Truncate" in str(refused.value.diag.message_hint)
        assert connection.execute(f"select count(*) from {table}".encode()).fetchone() == (1,)
        connection.execute("truncate endpoint, resource_type cascade")
