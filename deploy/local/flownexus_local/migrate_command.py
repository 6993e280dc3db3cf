"""`flownexus migrate`: servers of one's own, brought to this version."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr, ValidationError
from rich.console import Console

from flownexus_api.accounts import FIRST_ADMINISTRATOR
from flownexus_local.errors import CannotRun
from flownexus_local.migration import migrate_servers
from flownexus_runtime.settings import NatsSettings
from flownexus_schemas.database_role import DatabaseRole

migrate_app = typer.Typer()
out = Console(highlight=False)


def role_password(of: str, variable: str) -> typer.models.OptionInfo:
    """The password that a role of the database gets."""
    option: typer.models.OptionInfo = typer.Option(
        help=f"Of the role flownexus_{of}, which is made where it is not there.", envvar=variable, show_default=False
    )
    return option


@migrate_app.command()
def migrate(  # noqa: PLR0917 - typer makes each argument an option
    database_url: Annotated[str, typer.Option(envvar="FLOWNEXUS_DATABASE_URL", help="PostgreSQL 15 or newer.")],
    nats_url: Annotated[str, typer.Option(envvar="FLOWNEXUS_NATS_URL", help="NATS with JetStream; tls:// for TLS.")],
    nats_ca: Annotated[
        Path | None,
        typer.Option(envvar="FLOWNEXUS_NATS_CA", help="The CA of its certificate; the system's by default."),
    ] = None,
    nats_server_name: Annotated[
        str | None, typer.Option(envvar="FLOWNEXUS_NATS_SERVER_NAME", help="The name in it, if not the URL's host.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds to wait for both.")] = 60.0,
    audit_days: Annotated[
        int | None,
        typer.Option(min=1, max=36_500, envvar="FLOWNEXUS_AUDIT_DAYS", help="Days that the audit is kept; for ever."),
    ] = None,
    ingest_password: Annotated[str, role_password("ingest", "FLOWNEXUS_INGEST_DATABASE_PASSWORD")] = "",
    api_password: Annotated[str, role_password("api", "FLOWNEXUS_API_DATABASE_PASSWORD")] = "",
    grafana_password: Annotated[str, role_password("grafana", "FLOWNEXUS_GRAFANA_DATABASE_PASSWORD")] = "",
) -> None:
    """Bring a database and a NATS server of your own to this version; for containers. `up` does it by itself."""
    given = {
        DatabaseRole.INGEST: ingest_password,
        DatabaseRole.API: api_password,
        DatabaseRole.GRAFANA: grafana_password,
    }
    roles = {role: password for role, password in given.items() if password}
    try:
        bus = NatsSettings(nats_url=SecretStr(nats_url), nats_ca=nats_ca, nats_server_name=nats_server_name)
    except ValidationError as error:
        raise CannotRun(
            "; ".join(f"FLOWNEXUS_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
        ) from None
    kept_for = None if audit_days is None else timedelta(days=audit_days)
    password = asyncio.run(migrate_servers(database_url, bus, timeout, roles, kept_for))
    if password is not None:
        out.print(f"First administrator: {FIRST_ADMINISTRATOR}, password {password} (shown this once)", markup=False)
    out.print("The database and the streams are up to date.")
