"""Commands for API tokens, over the database."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from flownexus_api import api_tokens, user_changes
from flownexus_api.accounts import FIRST_ADMINISTRATOR
from flownexus_api.audit_entry import INSTALLATION, audit_entry
from flownexus_api.scopes import Scope
from flownexus_local.installation import DatabaseUrl, installation
from flownexus_local.options import DEFAULT_FOLDER, Folder

out = Console(highlight=False, soft_wrap=True)
token_app = typer.Typer(help="API tokens, for programs.", no_args_is_help=True)

Days = Annotated[float, typer.Option(min=0.01, max=api_tokens.MAX_DAYS, help="For how long.")]
Owner = Annotated[str, typer.Option("--user", help="Whose it is: it never does more than they may.")]


@token_app.command("create")
def create(
    *,
    name: Annotated[str, typer.Argument(help="What it is for.")],
    scope: Annotated[list[Scope], typer.Option(help="What it is good for; may be repeated.")],
    days: Annotated[
        float, typer.Option(min=0.01, max=api_tokens.MAX_DAYS, help="For how long.")
    ] = api_tokens.DEFAULT_DAYS,
    user: Owner = FIRST_ADMINISTRATOR,
    folder: Folder = DEFAULT_FOLDER,
    database_url: DatabaseUrl = None,
) -> None:
    """Make a token and print it, once."""
    with installation(folder, database_url) as connection:
        made = api_tokens.create(connection, user_changes.find(connection, user), name, scope, days)
        details = {"token": name, "scopes": made.row.scopes, "expires_at": made.row.expires_at.isoformat()}
        connection.execute(audit_entry(INSTALLATION, "token.created", user, details=details))
    out.print(made.token, markup=False)


@token_app.command("list")
def list_tokens(
    user: Owner = FIRST_ADMINISTRATOR, folder: Folder = DEFAULT_FOLDER, database_url: DatabaseUrl = None
) -> None:
    """List the tokens of a user."""
    with installation(folder, database_url) as connection:
        rows = api_tokens.of_user(connection, user_changes.find(connection, user).id)
    table = Table("ID", "NAME", "SCOPES", "UNTIL", "LAST USED", box=None, header_style="bold", pad_edge=False)
    for row in rows:
        last = f"{row.last_used_at:%Y-%m-%d %H:%M}" if row.last_used_at else "never"
        table.add_row(row.id, row.name, " ".join(row.scopes), f"{row.expires_at:%Y-%m-%d %H:%M}", last)
    out.print(table)


@token_app.command("revoke")
def revoke(
    token: Annotated[str, typer.Argument(metavar="ID", help="Its id, as the list has it.")],
    user: Owner = FIRST_ADMINISTRATOR,
    folder: Folder = DEFAULT_FOLDER,
    database_url: DatabaseUrl = None,
) -> None:
    """Take a token away, in force at once."""
    with installation(folder, database_url) as connection:
        row = api_tokens.revoke(connection, user_changes.find(connection, user).id, token)
        connection.execute(audit_entry(INSTALLATION, "token.revoked", user, details={"token": row.name}))
    out.print(f"{row.name} is revoked", markup=False)
