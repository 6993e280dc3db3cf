"""The users, for administrators: made, changed, disabled, reset, removed."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Form, Request, Response
from fastapi.responses import RedirectResponse
from nicegui import app, ui

from flownexus_console.account_client import AccountClient
from flownexus_console.account_models import User
from flownexus_console.errors import ApiRefused
from flownexus_console.forms import button, choice, done, field, form, show_flash
from flownexus_console.frame import Console, Frame, text
from flownexus_console.moments import minute
from flownexus_console.session import Flash, Session, to_login

ROLES = ("viewer", "operator", "administrator")
Name = Annotated[str, Form(max_length=200)]
Deed = Literal["disable", "enable", "reset", "logout", "delete"]


def add(console: Console) -> None:
    """Add `/users` and what its forms send."""
    accounts = console.accounts

    @ui.page("/users", title="Users · Flow Nexus")
    async def users(request: Request) -> Response | None:
        session = console.sessions.of(request)
        if session is None:
            return to_login(request)
        if session.account.must_change_password:
            return RedirectResponse("/account", status_code=303)
        frame = Frame(console, session, "/users")
        with frame.content:
            text("h1", "Users")
            text("a", "What was done: the audit").props('href="/audit"')
            show_flash(session)
        try:
            listed = await frame.ask(accounts.users(session))
        except ApiRefused as refusal:
            with frame.content:
                text("div", str(refusal), "panel empty")
            return None
        if listed is not None:
            with frame.content:
                _table(listed.items, session)
                _new_user()
        return None

    @app.post("/users/add")
    async def add_user(request: Request, name: Name, role: Name, program: str = Form(default="")) -> Response:
        session = console.sessions.of(request)
        if session is None:
            return to_login(request)

        async def create() -> Flash:
            made = await accounts.create_user(session, name, role, program == "yes")
            if made.password is None:
                return Flash(f"{made.name} is a program now: `flownexus token create --user` makes its tokens.")
            return Flash(f"{made.name} is {made.role} now. The password, shown this once:", secret=made.password)

        return await done(request, session, create(), "/users")

    @app.post("/users/role")
    async def change_role(request: Request, user: Name, role: Name) -> Response:
        session = console.sessions.of(request)
        if session is None:
            return to_login(request)

        async def change() -> Flash:
            changed = await accounts.change_user(session, user, role=role)
            return Flash(f"{changed.name} is {changed.role} now.")

        return await done(request, session, change(), "/users")

    @app.post("/users/do")
    async def act(request: Request, user: Name, deed: Annotated[Deed, Form()]) -> Response:
        session = console.sessions.of(request)
        if session is None:
            return to_login(request)
        return await done(request, session, _done(accounts, session, user, deed), "/users")


async def _done(accounts: AccountClient, session: Session, user: str, deed: Deed) -> Flash:
    match deed:
        case "disable":
            await accounts.change_user(session, user, disabled=True)
            return Flash(f"{user} is disabled: logged out, and let in no more.")
        case "enable":
            await accounts.change_user(session, user, disabled=False)
            return Flash(f"{user} may log in again.")
        case "reset":
            made = await accounts.reset_password(session, user)
            return Flash(f"{user} has another password, shown this once:", secret=made.password or "")
        case "logout":
            ended = await accounts.end_sessions_of(session, user)
            return Flash(f"{user} is logged out; logins ended: {ended.ended}.")
        case "delete":
            await accounts.delete_user(session, user)
            return Flash(f"{user} is gone.")


def _table(users: tuple[User, ...], session: Session) -> None:
    with (
        ui.element("section").classes("panel").props('aria-label="Users"'),
        ui.element("table").classes("plain"),
    ):
        with ui.element("thead"), ui.element("tr"):
            for title in ("Name", "Role", "Login", "Last login", ""):
                text("th", title).props('scope="col"')
        with ui.element("tbody"):
            for user in users:
                with ui.element("tr"):
                    _row(user, session)


def _row(user: User, session: Session) -> None:
    text("td", user.name, "name")
    with ui.element("td"), form("/users/role", {"user": user.name}, classes="inline"):
        choice(f"Role of {user.name}", "role", ROLES, user.role)
        button("Set", "quiet")
    with ui.element("td"):
        if user.disabled:
            text("span", "disabled", "tag bad")
        else:
            text("span", user.issuer or ("password" if user.has_password else "program"), "tag")
        if user.must_change_password:
            text("span", "new password", "tag warn")
    text("td", minute(user.last_login_at), "number")
    with ui.element("td").classes("actions"):
        _deed(user, "enable" if user.disabled else "disable", "Enable" if user.disabled else "Disable")
        if user.has_password:
            _deed(user, "reset", "Reset password", f"Make another password for {user.name}?")
        _deed(user, "logout", "Log out")
        if user.name != session.account.name:
            _deed(user, "delete", "Delete", f"Delete {user.name} with all logins and tokens?")


def _deed(user: User, deed: Deed, label: str, confirm: str = "") -> None:
    with form("/users/do", {"user": user.name, "deed": deed}, confirm):
        button(label, "quiet")


def _new_user() -> None:
    with ui.element("section").classes("panel").props('aria-label="New user"'):
        with ui.element("header"):
            text("h2", "New user")
        with form("/users/add", classes="fields"):
            field("Name", "name", required="required", maxlength="64", autocomplete="off", autocapitalize="none")
            choice("Role", "role", ROLES, "viewer")
            with ui.element("label"):
                ui.element("input").props('type="checkbox" name="program" value="yes"')
                text("span", "A program: API tokens alone, no login")
            button("Add", "primary")
            text("p", "A password is made and shown once; it is changed at the first login.", "muted wide")
