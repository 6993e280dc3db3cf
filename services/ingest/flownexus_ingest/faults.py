"""Whose fault a database error is: the message's, or ours and the server's."""

from __future__ import annotations

import psycopg

_PROGRAM_LIMIT = "54"


def is_of_the_message(error: psycopg.Error) -> bool:
    """Whether these rows can never be stored. All else (server away, disk full, tables missing) can pass: try again.

    PostgreSQL classes 22 data exception, 23 integrity constraint, 54 program limit; values that psycopg cannot send.
    """
    if isinstance(error, psycopg.DataError | psycopg.IntegrityError):
        return True
    return error.sqlstate is not None and error.sqlstate.startswith(_PROGRAM_LIMIT)
