"""Brings the servers to this version: tables, streams and buckets, the first administrator."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import timedelta

import psycopg
from nats.errors import Error as NatsError
from psycopg.conninfo import make_conninfo
from sqlalchemy.exc import ProgrammingError

from flownexus_api.accounts import ensure_first_administrator
from flownexus_local.errors import CannotRun
from flownexus_runtime import bus_tls
from flownexus_runtime.bus import tls_options
from flownexus_runtime.bus_tls import StrictClient
from flownexus_runtime.settings import NatsSettings
from flownexus_schemas import jetstream
from flownexus_schemas.database_role import DatabaseRole
from flownexus_schemas.tables.upgrade import provide_roles, upgrade

RETRY_S = 0.5


async def migrate_servers(
    database_url: str,
    nats: NatsSettings,
    timeout_s: float = 30.0,
    role_passwords: Mapping[DatabaseRole, str] | None = None,
    audit_kept_for: timedelta | None = None,
) -> str | None:
    """Migrate both, as often as wanted; the password of the first administrator if it was made now.

    Roles of the database are made or changed where they are given passwords; `audit_kept_for` lets go of entries of the
    audit that are older. Waits for servers that are still starting.
    Raises CannotRun if one is not there after `timeout_s`, or roles are not to be made.
    """
    deadline = time.monotonic() + timeout_s
    await _database(database_url, deadline)
    if role_passwords:
        try:
            await asyncio.to_thread(provide_roles, database_url, role_passwords)
        except ProgrammingError as error:
            raise CannotRun(f"the roles of the services cannot be made: {str(error.orig).strip()}") from None
    await asyncio.to_thread(upgrade, database_url, audit_kept_for=audit_kept_for)
    await _provision(nats, deadline)
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


async def _provision(settings: NatsSettings, deadline: float) -> None:
    while True:
        client = StrictClient()
        try:
            await client.connect(
                settings.nats_url.get_secret_value().split(","),
                connect_timeout=3,
                allow_reconnect=False,
                error_cb=_unsaid,
                **tls_options(settings),
            )
        except (OSError, NatsError) as error:
            if (advice := bus_tls.explanation(error)) is not None:
                raise CannotRun(advice) from None
            if time.monotonic() > deadline:
                raise CannotRun(f"NATS does not answer: {error!r}") from None
            await asyncio.sleep(RETRY_S)
            continue
        try:
            await jetstream.provision(client.jetstream())
        finally:
            await client.close()
        return


async def _unsaid(_: Exception) -> None:
    """What ends the attempt is raised too."""
