"""Fresh databases of a PostgreSQL server, wherever it runs."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from urllib.parse import urlsplit

import psycopg
from psycopg import sql


class Databases:
    """`url` is the superuser's; `url_of` gives that of another database."""

    def __init__(self, url_of: Callable[[str], str]) -> None:
        self._url_of = url_of
        self.url = url_of("postgres")
        self._ended: list[str] = []

    def create_database(self, template: str | None = None) -> str:
        """The URL of a new database, empty or a copy of the database named `template`."""
        name = f"test_{secrets.token_hex(6)}"
        copied = sql.SQL(" TEMPLATE {}").format(sql.Identifier(template)) if template else sql.SQL("")
        with psycopg.connect(self.url, autocommit=True) as connection:
            while self._ended:
                ended = sql.Identifier(self._ended.pop())
                connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(ended))
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)) + copied)
        return self._url_of(name)

    def end(self, url: str) -> None:
        """Nobody needs this database any more once those who use it now have ended: it goes when the next is made."""
        self._ended.append(_name_in(url))

    def make_template(self, url: str) -> str:
        """The name of a database after it was closed to connections, TimescaleDB's own among them, for copies."""
        name = _name_in(url)
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(
                sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false IS_TEMPLATE true").format(sql.Identifier(name))
            )
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        return name


def _name_in(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")
