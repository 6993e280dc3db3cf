"""Commands for the people who can log in, over the database."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from flownexus_api import login_failures, password_rules, passwords, sessions, user_changes
from flownexus_api.audit_entry import INSTALLATION, audit_entry
from flownexus_local.errors import CannotRun
from flownexus_local.installation import DatabaseUrl, installation
from flownexus_local.options import DEFAULT_FOLDER, Folder
from flownexus_schemas.errors import InvalidRequest
from flownexus_schemas.tables import User

out = Console(highlight=False, soft_wrap=True)
user_app = typer.Typer(help="People who can log in, and programs that have tokens.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME")]


class Role(StrEnum):
    """What a user may do."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMINISTRATOR = "administrator"


@user_app.command("add")
def add(
    *,
    name: Name,
    role: Annotated[Role, typer.Option(help="What the user may do.")],
    ask: Annotated[bool, typer.Option("--ask", help="Ask for a password in place of making one.")] = False,
    program: Annotated[bool, typer.Option("--program", help="No login: an account for tokens alone.")] = False,
    folder: Folder = DEFAULT_FOLDER,
    database_url: DatabaseUrl = None,
) -> None:
    """Add a user and print the password that was made for it, once. It is to be changed at the first login."""
    chosen = None if program else _password(name, ask=ask)
    with installation(folder, database_url) as connection:
        hashed = None if chosen is None else passwords.hash_password(chosen)
        must_change = chosen is not None and not ask
        user_changes.create(connection, name, role, hashed, must_change_password=must_change)
        connection.execute(audit_entry(INSTALLATION, "user.created", name, details={"role": role}))
    out.print(f"{name} is {role} now" + _with_password(None if ask else chosen), markup=False)


@user_app.command("list")
def list_users(folder: Folder = DEFAULT_FOLDER, database_url: DatabaseUrl = None) -> None:
    """List the users."""
    with installation(folder, database_url) as connection:
        rows = connection.execute(select(User.__table__).order_by(User.name)).all()
    table = Table("USER", "ROLE", "LOGIN", "LAST LOGIN", box=None, header_style="bold", pad_edge=False)
    for row in rows:
        login = row.issuer or ("password" if row.password_hash else "none, a program")
        last = f"{row.last_login_at:%Y-%m-%d %H:%M}" if row.last_login_at else "never"
        table.add_row(row.name, row.role, "disabled" if row.disabled else login, last)
    out.print(table)


@user_app.command("role")
def change_role(
    name: Name,
    role: Annotated[Role, typer.Argument()],
    folder: Folder = DEFAULT_FOLDER,
    database_url: DatabaseUrl = None,
) -> None:
    """Give a user another role, in force at once."""
    with installation(folder, database_url) as connection:
        user_changes.change(connection, name, role=role)
        connection.execute(audit_entry(INSTALLATION, "user.changed", name, details={"role": role}))
    out.print(f"{name} is {role} now", markup=False)


@user_app.command("disable")
def disable(name: Name, folder: Folder = DEFAULT_FOLDER, database_url: DatabaseUrl = None) -> None:
    """Lock a user out at once, with their logins and tokens."""
    _disable(name, True, folder, database_url)
    out.print(f"{name} is disabled now", markup=False)


@user_app.command("enable")
def enable(name: Name, folder: Folder = DEFAULT_FOLDER, database_url: DatabaseUrl = None) -> None:
    """Let a disabled user in again."""
    _disable(name, False, folder, database_url)
    out.print(f"{name} is enabled now", markup=False)


@user_app.command("reset")
def reset(
    *,
    name: Name,
    ask: Annotated[bool, typer.Option("--ask", help="Ask for a password in place of making one.")] = False,
    folder: Folder = DEFAULT_FOLDER,
    database_url: DatabaseUrl = None,
) -> None:
    """Give a user another password, printed once; their logins end."""
    chosen = _password(name, ask=ask)
    with installation(folder, database_url) as connection:
        hashed = passwords.hash_password(chosen)
        row = user_changes.set_password(connection, name, hashed, must_change=not ask)
        connection.execute(login_failures.forgotten(row.id))
        connection.execute(audit_entry(INSTALLATION, "password.reset", name))
    out.print(f"{name} has another password now" + _with_password(None if ask else chosen), markup=False)


@user_app.command("logout")
def log_out(name: Name, folder: Folder = DEFAULT_FOLDER, database_url: DatabaseUrl = None) -> None:
    """Log a user out everywhere."""
    with installation(folder, database_url) as connection:
        ended = sessions.end(connection, user_changes.find(connection, name).id)
        connection.execute(audit_entry(INSTALLATION, "sessions.ended", name))
    out.print(f"{ended} ended", markup=False)


@user_app.command("delete")
def delete(name: Name, folder: Folder = DEFAULT_FOLDER, database_url: DatabaseUrl = None) -> None:
    """Remove a user with their logins and tokens; what they did stays in the audit."""
    with installation(folder, database_url) as connection:
        user_changes.remove(connection, name)
        connection.execute(audit_entry(INSTALLATION, "user.deleted", name))
    out.print(f"{name} is gone", markup=False)


def _disable(name: str, disabled: bool, folder: Folder, database_url: str | None) -> None:
    with installation(folder, database_url) as connection:
        user_changes.change(connection, name, disabled=disabled)
        connection.execute(audit_entry(INSTALLATION, "user.changed", name, details={"disabled": disabled}))


def _password(name: str, *, ask: bool) -> str:
    if not ask:
        return passwords.generate()
    chosen: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    try:
        password_rules.check(chosen, name)
    except InvalidRequest as error:
        raise CannotRun(str(error)) from None
    return chosen


def _with_password(password: str | None) -> str:
    return "" if password is None else f", with the password {password}"
