"""Brings the servers to this version: tables, streams and buckets, the first administrator."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import nats
import psycopg
from psycopg.conninfo import make_conninfo
from sqlalchemy.exc import ProgrammingError

from flownexus_api.accounts import ensure_first_administrator
from flownexus_local.errors import CannotRun
from flownexus_schemas import jetstream
from flownexus_schemas.database_role import DatabaseRole
from flownexus_schemas.tables.upgrade import provide_roles, upgrade

RETRY_S = 0.5


async def migrate_servers(
    database_url: str,
    nats_url: str,
    timeout_s: float = 30.0,
    role_passwords: Mapping[DatabaseRole, str] | None = None,
) -> str | None:
    """Migrate both, as often as wanted; the password of the first administrator if it was made now.

    Roles of the database are made or changed where they are given passwords. Waits for servers that are still starting.
    Raises CannotRun if one is not there after `timeout_s`, or roles are not to be made.
    """
    deadline = time.monotonic() + timeout_s
    await _database(database_url, deadline)
    if role_passwords:
        try:
            await asyncio.to_thread(provide_roles, database_url, role_passwords)
        except ProgrammingError as error:
            raise CannotRun(f"the roles of the services cannot be made: {str(error.orig).strip()}") from None
    await asyncio.to_thread(upgrade, database_url)
    await _provision(nats_url, deadline)
    return await asyncio.to_thread(ensure_first_administrator, database_url)


async def _database(database_url: str, deadline: float) -> None:
    try:
        conninfo = make_conninfo(database_url, connect_timeout=3)
    except psycopg.ProgrammingError as error:
        raise CannotRun(f"the database URL cannot be read: {error}") from None
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(conninfo):
                return
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise CannotRun(f"the database does not answer: {error}") from None
        await asyncio.sleep(RETRY_S)


async def _provision(nats_url: str, deadline: float) -> None:
    while True:
        try:
            client = await nats.connect(nats_url.split(","), connect_timeout=3, allow_reconnect=False)
        except (OSError, nats.errors.Error) as error:
            if time.monotonic() > deadline:
                raise CannotRun(f"NATS does not answer: {error!r}") from None
            await asyncio.sleep(RETRY_S)
            continue
        try:
            await jetstream.provision(client.jetstream())
        finally:
            await client.close()
        return
