"""The audit, for administrators: who logged in and who changed what, the newest first."""

from __future__ import annotations

import json
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from nicegui import ui

from flownexus_console.account_models import AuditEntry
from flownexus_console.errors import ApiRefused
from flownexus_console.forms import button, field, form
from flownexus_console.frame import Console, Frame, text
from flownexus_console.moments import second
from flownexus_console.session import to_login

FILTERS = {
    "actor": "Who",
    "action": "Action",
    "target": "On what",
    "address": "From where",
}
"""Fields of the filter, by what the API calls them."""

TITLES = ("Time", "Who", "Action", "On what", "From where", "Details")


def add(console: Console) -> None:
    """Add `/audit`. What is asked for is in its address."""

    @ui.page("/audit", title="Audit · Flow Nexus")
    async def audit(request: Request) -> Response | None:
        session = console.sessions.of(request)
        if session is None:
            return to_login(request)
        if session.account.must_change_password:
            return RedirectResponse("/account", status_code=303)
        given = request.query_params
        asked = {name: given[name].strip() for name in FILTERS if given.get(name, "").strip()}
        frame = Frame(console, session, f"/audit?{urlencode(asked)}" if asked else "/audit")
        with frame.content:
            text("h1", "Audit")
            _filter(asked)
        try:
            page = await frame.ask(console.accounts.audit(session, asked, given.get("cursor", "")))
        except ApiRefused as refusal:
            with frame.content:
                text("div", str(refusal), "panel empty")
            return None
        if page is not None:
            with frame.content:
                _table(page.items)
                if page.next is not None:
                    older = text("a", "Older", "button quiet")
                    older.props["href"] = f"/audit?{urlencode({**asked, 'cursor': page.next})}"
        return None


def _filter(asked: dict[str, str]) -> None:
    with (
        ui.element("section").classes("panel").props('aria-label="Filter"'),
        form("/audit", classes="fields", method="get"),
    ):
        for name, label in FILTERS.items():
            field(label, name, value=asked.get(name, ""), maxlength="200", autocomplete="off", autocapitalize="none")
        button("Show", "primary")
        text(
            "p",
            "Whole words; a group of actions by its beginning: login means login.succeeded and login.failed.",
            "muted wide",
        )


def _table(entries: tuple[AuditEntry, ...]) -> None:
    if not entries:
        text("div", "Nothing of that kind is in the audit.", "panel empty")
        return
    with (
        ui.element("section").classes("panel").props('aria-label="Entries"'),
        ui.element("table").classes("plain entries"),
    ):
        with ui.element("thead"), ui.element("tr"):
            for title in TITLES:
                text("th", title).props('scope="col"')
        with ui.element("tbody"):
            for entry in entries:
                with ui.element("tr"):
                    _row(entry)


def _row(entry: AuditEntry) -> None:
    text("td", second(entry.time), "number")
    text("td", entry.actor if entry.api_token is None else f"{entry.actor} by token {entry.api_token}", "name")
    text("td", entry.action)
    text("td", entry.target or "")
    text("td", entry.source_address or "", "number")
    text("td", "" if entry.details is None else json.dumps(entry.details, ensure_ascii=False), "mono")
