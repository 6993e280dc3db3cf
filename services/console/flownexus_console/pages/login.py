"""Signing in and out: plain HTML forms, so that password managers and browsers without scripts can."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from string import Template
from typing import Annotated
from urllib.parse import quote

import structlog
from fastapi import Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from nicegui import __version__ as nicegui_version
from nicegui import app

from flownexus_console.errors import ApiAway, ApiRefused, SignedOut
from flownexus_console.frame import Console
from flownexus_console.session import browser_of, safe_target

log = structlog.get_logger(__name__)

EXPIRED = "Your session has ended. Sign in to go on."
WRONG = "Wrong name or password."
STALE = "This login was begun elsewhere or is over. Sign in again."
PROVIDER_REFUSED = "The identity provider did not let you in."
CALLBACK = "/login/callback"
AWAY = "The API does not answer. Try again in a moment."


def add(console: Console) -> None:
    """Add `/login` and `/logout`."""
    template = Template(files("flownexus_console").joinpath("assets/login.html").read_text(encoding="utf-8"))

    async def page(target: str, message: str = "", name: str = "", status: int = 200) -> HTMLResponse:
        notice = f'<p class="notice{" bad" if status != 200 else ""}" role="alert">{escape(message)}</p>'
        html = template.substitute(
            fonts=f"/_nicegui/{nicegui_version}/static/fonts.css",
            message=notice if message else "",
            name=escape(name),
            next=escape(safe_target(target)),
            name_focus="" if name else "autofocus",
            password_focus="autofocus" if name else "",
            provider=await _provider_link(console, target),
        )
        return HTMLResponse(html, status, headers={"Cache-Control": "no-store"})

    @app.get("/login")
    async def login_page(request: Request, next: str = "/", expired: str = "") -> Response:  # noqa: A002
        if console.sessions.of(request) is not None and not expired:
            return RedirectResponse(safe_target(next), status_code=303)
        return await page(next, EXPIRED if expired else "")

    @app.post("/login")
    async def sign_in(
        request: Request,
        name: Annotated[str, Form(max_length=200)],
        password: Annotated[str, Form(max_length=1000)],
        next: Annotated[str, Form(max_length=2000)] = "/",  # noqa: A002
    ) -> Response:
        try:
            token = await console.api.sign_in(name, password, browser_of(request))
            account = await console.api.account(token.access_token)
        except ApiRefused as refusal:
            return await page(next, _explain(refusal), name, refusal.status)
        except (ApiAway, SignedOut):
            return await page(next, AWAY, name, 503)
        console.sessions.start(request, token, account)
        log.info("session.started", user=account.name)
        return RedirectResponse(safe_target(next), status_code=303)

    @app.get("/login/oidc")
    async def to_provider(request: Request, next: str = "/") -> Response:  # noqa: A002
        try:
            begun = await console.api.begin_login(_redirect_uri(request))
        except ApiRefused as refusal:
            return await page(next, str(refusal), status=refusal.status)
        except (ApiAway, SignedOut):
            return await page(next, AWAY, status=503)
        console.pending.keep(request, begun, safe_target(next))
        return RedirectResponse(begun.url, status_code=303, headers={"Cache-Control": "no-store"})

    @app.get(CALLBACK)
    async def from_provider(request: Request, state: str = "", code: str = "", error: str = "") -> Response:
        pending = console.pending.take(request, state)
        if pending is None:
            return await page("/", STALE, status=400)
        if error or not code:
            return await page(pending.target, PROVIDER_REFUSED, status=403)
        try:
            uri = _redirect_uri(request)
            token = await console.api.finish_login(pending.begun, code, uri, browser_of(request))
            account = await console.api.account(token.access_token)
        except ApiRefused as refusal:
            return await page(pending.target, str(refusal), status=refusal.status)
        except SignedOut:
            return await page(pending.target, STALE, status=401)
        except ApiAway:
            return await page(pending.target, AWAY, status=503)
        console.sessions.start(request, token, account)
        log.info("session.started", user=account.name)
        return RedirectResponse(pending.target, status_code=303)

    @app.post("/logout")
    async def sign_out(request: Request) -> Response:
        if (session := console.sessions.end(request)) is not None:
            await console.api.sign_out(session.token)
        return RedirectResponse("/login", status_code=303)


def _redirect_uri(request: Request) -> str:
    """As it is registered at the provider, which compares it."""
    return str(request.base_url).rstrip("/") + CALLBACK


async def _provider_link(console: Console, target: str) -> str:
    """The way to the identity provider, where there is one."""
    try:
        label = (await console.api.methods()).oidc
    except (ApiAway, ApiRefused, SignedOut):
        return ""
    if label is None:
        return ""
    address = f"/login/oidc?next={quote(safe_target(target), safe='')}"
    return f'<a class="button" href="{escape(address)}">Sign in with {escape(label)}</a>'


def _explain(refusal: ApiRefused) -> str:
    if refusal.status == 429:
        wait = f"{refusal.retry_after_s:.0f} s" if refusal.retry_after_s else "a while"
        return f"Too many attempts. Try again in {wait}."
    if refusal.status in {400, 401, 422}:
        return WRONG
    return str(refusal)
