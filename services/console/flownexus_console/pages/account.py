"""One's own account: the password, where one is logged in, API tokens."""

from __future__ import annotations

from typing import Annotated

from fastapi import Form, Request, Response
from fastapi.responses import RedirectResponse
from nicegui import app, ui

from flownexus_console.account_models import LoginSessions, Tokens
from flownexus_console.forms import button, done, field, form, show_flash
from flownexus_console.frame import Console, Frame, text
from flownexus_console.moments import minute
from flownexus_console.session import Flash, Session, to_login

SCOPES_OF_ROLE = {
    "viewer": ("read",),
    "operator": ("read", "operate", "configure", "firmware"),
    "administrator": ("read", "operate", "configure", "firmware", "credentials", "administer"),
}
Line = Annotated[str, Form(max_length=200)]
Password = Annotated[str, Form(max_length=1024)]


def add(console: Console) -> None:
    """Add `/account` and what its forms send."""
    accounts = console.accounts

    @ui.page("/account", title="Account · Flow Nexus")
    async def account(request: Request) -> Response | None:
        session = console.sessions.of(request)
        if session is None:
            return to_login(request)
        frame = Frame(console, session, "/account")
        with frame.content:
            text("h1", session.account.name)
            show_flash(session)
            _password_panel(session)
        if session.account.must_change_password:
            return None
        logins = await frame.ask(accounts.sessions(session))
        tokens = await frame.ask(accounts.tokens(session))
        with frame.content:
            if logins is not None:
                _login_panel(logins)
            if tokens is not None:
                _token_panel(session, tokens)
        return None

    @app.post("/account/password")
    async def change_password(request: Request, current: Password, password: Password, again: Password) -> Response:
        session = console.sessions.of(request)
        if session is None:
            return to_login(request)

        async def change() -> Flash:
            if password != again:
                return Flash("The new password was not typed twice alike.", is_bad=True)
            await accounts.change_password(session, current, password)
            session.account = session.account.model_copy(update={"must_change_password": False})
            return Flash("Your password is another one now. Your other logins have ended.")

        return await done(request, session, change(), "/account")

    @app.post("/account/sessions")
    async def end_session(request: Request, login: Line = "") -> Response:
        session = console.sessions.of(request)
        if session is None:
            return to_login(request)

        async def end() -> Flash:
            ended = await accounts.end_session(session, login)
            return Flash(f"Logins ended: {ended.ended}.")

        answer = await done(request, session, end(), "/account")
        if login or (session.flash is not None and session.flash.is_bad):
            return answer
        console.sessions.end(request)
        return RedirectResponse("/login", status_code=303)

    @app.post("/account/tokens")
    async def create_token(
        request: Request,
        name: Line,
        days: Annotated[float, Form(gt=0, le=366)],
        scope: Annotated[list[str] | None, Form()] = None,
    ) -> Response:
        session = console.sessions.of(request)
        if session is None:
            return to_login(request)

        async def create() -> Flash:
            if not scope:
                return Flash("Choose what the token is good for.", is_bad=True)
            made = await accounts.create_token(session, name, scope, days)
            return Flash(f"The token {made.name!r}, shown this once:", secret=made.token)

        return await done(request, session, create(), "/account")

    @app.post("/account/tokens/revoke")
    async def revoke_token(request: Request, token: Line) -> Response:
        session = console.sessions.of(request)
        if session is None:
            return to_login(request)

        async def revoke() -> Flash:
            await accounts.revoke_token(session, token)
            return Flash("The token is revoked.")

        return await done(request, session, revoke(), "/account")


def _password_panel(session: Session) -> None:
    with ui.element("section").classes("panel").props('aria-label="Password"'):
        with ui.element("header"):
            text("h2", "Password")
        with form("/account/password", classes="fields"):
            if session.account.must_change_password:
                text("p", "Choose a password of your own before you go on.", "notice wide")
            field("Current password", "current", "password", autocomplete="current-password", required="required")
            field("New password", "password", "password", autocomplete="new-password", required="required")
            field("New password again", "again", "password", autocomplete="new-password", required="required")
            button("Change password", "primary")
            text("p", "15 characters or more; four or five words make a good one.", "muted wide")


def _login_panel(logins: LoginSessions) -> None:
    with ui.element("section").classes("panel").props('aria-label="Logins"'):
        with ui.element("header"):
            text("h2", "Logins")
            ui.element("span").classes("spacer")
            with form("/account/sessions", confirm="Sign out everywhere, here too?"):
                button("Sign out everywhere")
        with ui.element("table").classes("plain"):
            _head("Since", "Last renewed", "From", "By", "")
            with ui.element("tbody"):
                for login in logins.items:
                    with ui.element("tr"):
                        text("td", minute(login.created_at), "number")
                        text("td", minute(login.renewed_at), "number")
                        text("td", login.source_address or "unknown", "mono")
                        text("td", login.user_agent or "unknown", "muted")
                        with ui.element("td").classes("actions"):
                            if login.is_this:
                                text("span", "this one", "tag")
                            else:
                                with form("/account/sessions", {"login": login.id}):
                                    button("End", "quiet")


def _token_panel(session: Session, tokens: Tokens) -> None:
    with ui.element("section").classes("panel").props('aria-label="API tokens"'):
        with ui.element("header"):
            text("h2", "API tokens")
        if tokens.items:
            with ui.element("table").classes("plain"):
                _head("Name", "Good for", "Until", "Last used", "")
                with ui.element("tbody"):
                    for token in tokens.items:
                        with ui.element("tr"):
                            text("td", token.name)
                            text("td", ", ".join(token.scopes))
                            text("td", minute(token.expires_at), "number")
                            text("td", minute(token.last_used_at), "number")
                            with (
                                ui.element("td").classes("actions"),
                                form("/account/tokens/revoke", {"token": token.id}, f"Revoke {token.name}?"),
                            ):
                                button("Revoke", "quiet")
        with form("/account/tokens", classes="fields"):
            field("Name of the token", "name", required="required", maxlength="100", autocomplete="off")
            field("Days", "days", "number", value="90", min="1", max="366", required="required")
            with ui.element("fieldset").classes("wide"):
                text("legend", "Good for")
                for scope in SCOPES_OF_ROLE.get(session.account.role, ()):
                    with ui.element("label"):
                        box = ui.element("input").props('type="checkbox" name="scope"')
                        box.props["value"] = scope
                        text("span", scope)
            button("Make a token", "primary")


def _head(*titles: str) -> None:
    with ui.element("thead"), ui.element("tr"):
        for title in titles:
            text("th", title).props('scope="col"')
