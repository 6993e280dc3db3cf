"""The console as an ASGI application."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from nicegui import app as nicegui_app
from nicegui import ui

from flownexus_console.frame import Console
from flownexus_console.pages import account, audit, endpoint, firmware, fleet, login, rollouts, users
from flownexus_console.security import OwnPagesOnly, SecurityHeaders
from flownexus_console.settings import ConsoleSettings
from flownexus_runtime.health import Check, health_routes

SESSION_LENGTH_S = 12 * 3600
COOKIE = "flownexus_console"
ASSETS = Path(__file__).parent / "assets"
HEAD = """
<script src="/assets/theme.js"></script>
<link rel="stylesheet" href="/assets/console.css" />
<link rel="stylesheet" href="/assets/fleet.css" />
<link rel="stylesheet" href="/assets/endpoint.css" />
<link rel="stylesheet" href="/assets/accounts.css" />
<link rel="stylesheet" href="/assets/work.css" />
"""


def build(settings: ConsoleSettings, console: Console, checks: dict[str, Check]) -> FastAPI:
    """The pages and the health routes. Call it once a process: NiceGUI keeps its pages globally."""
    app = FastAPI(openapi_url=None)
    app.add_middleware(OwnPagesOnly)
    app.add_middleware(SecurityHeaders)
    app.router.routes.extend(health_routes(checks))
    login.add(console)
    fleet.add(console)
    endpoint.add(console)
    firmware.add(console)
    rollouts.add(console)
    account.add(console)
    users.add(console)
    audit.add(console)
    nicegui_app.add_static_files("/assets", ASSETS)
    nicegui_app.add_exception_handler(404, _missing)
    ui.add_head_html(HEAD, shared=True)
    ui.run_with(
        app,
        title="Flow Nexus",
        favicon=ASSETS / "logo.svg",
        tailwind=False,
        show_welcome_message=False,
        storage_secret=settings.console_secret.get_secret_value(),
        session_middleware_kwargs={
            # With this prefix a browser takes it over TLS alone, from this host alone. RFC 6265bis, 4.1.3.
            "session_cookie": f"__Host-{COOKIE}" if settings.console_cookie_secure else COOKIE,
            "max_age": SESSION_LENGTH_S,
            "same_site": "lax",
            "https_only": settings.console_cookie_secure,
        },
    )
    return app


def _missing(_: Request, __: Exception) -> HTMLResponse:
    return HTMLResponse((ASSETS / "missing.html").read_text(encoding="utf-8"), status_code=404)
