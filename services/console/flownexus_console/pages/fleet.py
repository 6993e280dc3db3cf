"""The fleet: every endpoint with its presence, filtered and paged by the API, live."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from nicegui import ui
from nicegui.events import GenericEventArguments

from flownexus_console.api_client import Query
from flownexus_console.api_models import OVERDUE, EndpointPage, Status
from flownexus_console.components.fleet import FleetCounts, FleetTable
from flownexus_console.errors import SignedOut
from flownexus_console.frame import Console, Frame, text
from flownexus_console.live import Pulse, follow
from flownexus_console.session import Session, to_login

PAGE_SIZE = 50
SORTS = ("name", "-last_seen_at")
STATUSES = ("", *Status, OVERDUE)
COMING_AND_GOING = {"kind": ["registered", "updated", "deregistered", "overdue"]}
COUNTS_EVERY_S = 4.0


def add(console: Console) -> None:
    """Add `/`."""

    @ui.page("/", title="Fleet · Flow Nexus")
    async def fleet(request: Request, q: str = "", status: str = "", sort: str = "name") -> Response | None:
        session = console.sessions.of(request)
        if session is None:
            return to_login(request)
        if session.account.must_change_password:
            return RedirectResponse("/account", status_code=303)
        view = FleetView(console, session, q, status if status in STATUSES else "", sort if sort in SORTS else "name")
        await view.refresh()
        await view.count()
        ui.timer(0, view.live, once=True)
        return None


class FleetView:
    """One open fleet page."""

    def __init__(self, console: Console, session: Session, q: str, status: str, sort: str) -> None:
        self._console = console
        self._session = session
        self._q = q
        self._status = status
        self._sort = sort
        self._cursors: list[str] = []
        self._next: str | None = None
        self._question = 0
        self._pulse = Pulse(every_s=2.5, rest_s=0.5)
        self._frame = Frame(console, session, "/")
        with self._frame.content:
            text("h1", "Fleet")
            self._counts = FleetCounts(self._filter_status)
            self._counts.press(status)
            with ui.element("section").classes("panel"):
                self._toolbar()
                self._table = FleetTable(sort, self._sort_by, self._clear)
                self._pager()

    def _toolbar(self) -> None:
        with ui.element("div").classes("toolbar"):
            self._search = (
                ui.element("input")
                .classes("field")
                .props('type="search" placeholder="Filter by name" aria-label="Filter by name" spellcheck="false"')
                .on("input", self._filter_name, js_handler="(e) => emit(e.target.value)", throttle=0.2)
            )
            # Not `value`: Vue would put that back over what is being typed whenever the page changes.
            self._search.props["defaultValue"] = self._q
            ui.element("span").classes("spacer")
            with ui.element("div").classes("segments").props('role="group" aria-label="Status"'):
                self._segments = {}
                for status in STATUSES:
                    button = text("button", status or "all").props('type="button"')
                    button.props["aria-pressed"] = str(status == self._status).lower()
                    button.on("click", lambda _, status=status: self._filter_status(status))
                    self._segments[status] = button

    def _pager(self) -> None:
        self._pager_row = ui.element("nav").classes("pager").props('aria-label="Pages" hidden')
        with self._pager_row:
            self._page_label = text("span", "", "muted number")
            ui.element("span").classes("spacer")
            self._previous = text("button", "Previous", "button").props('type="button"').on("click", self._go_back)
            self._following = text("button", "Next", "button").props('type="button"').on("click", self._go_on)

    async def live(self) -> None:
        """Keep the page current until it is closed."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(
                    follow(self._console.api, self._session, COMING_AND_GOING, lambda _: self._pulse.happened())
                )
                tasks.create_task(self._keep_fresh())
                tasks.create_task(self._keep_counted())
        except* SignedOut:
            self._frame.sign_in_again()

    async def _keep_fresh(self) -> None:
        while True:
            await self._pulse.wait()
            await self.refresh()

    async def _keep_counted(self) -> None:
        while True:
            await asyncio.sleep(COUNTS_EVERY_S)
            await self.count()

    async def refresh(self) -> None:
        """Read and draw what the filters ask for; an answer overtaken by a newer question is dropped."""
        self._question += 1
        question = self._question
        query: Query = {"limit": PAGE_SIZE, "sort": self._sort}
        if self._q:
            query["q"] = self._q
        if self._status == OVERDUE:
            query["overdue"] = "true"
        elif self._status:
            query["status"] = self._status
        if self._cursors:
            query["cursor"] = self._cursors[-1]
        page = await self._frame.ask(self._console.api.endpoints(self._session.token, query))
        if page is None:
            return
        if question == self._question:
            self._show(page)

    async def count(self) -> None:
        """Read and draw the counts over the whole fleet."""
        statistics = await self._frame.ask(self._console.api.statistics(self._session.token))
        if statistics is not None:
            self._counts.show(statistics)

    def _show(self, page: EndpointPage) -> None:
        self._next = page.next
        self._table.show(page.items, self._sort, filtered=bool(self._q or self._status))
        paged = bool(self._cursors or page.next)
        self._pager_row.props["hidden"] = not paged
        first = len(self._cursors) * PAGE_SIZE
        self._page_label.text = f"{first + 1} to {first + len(page.items)}" if page.items else ""
        self._previous.props["disabled"] = not self._cursors
        self._following.props["disabled"] = page.next is None

    async def _filter_name(self, event: GenericEventArguments) -> None:
        self._q = str(event.args).strip()
        await self._changed()

    async def _filter_status(self, status: str) -> None:
        self._status = status
        await self._changed()

    async def _sort_by(self, sort: str) -> None:
        self._sort = sort
        await self._changed()

    async def _clear(self) -> None:
        self._q = self._status = ""
        await ui.run_javascript(f"document.getElementById('{self._search.html_id}').value = ''")
        await self._changed()

    async def _go_on(self) -> None:
        if self._next is not None:
            self._cursors.append(self._next)
            await self.refresh()

    async def _go_back(self) -> None:
        if self._cursors:
            self._cursors.pop()
            await self.refresh()

    async def _changed(self) -> None:
        self._cursors = []
        self._counts.press(self._status)
        for status, button in self._segments.items():
            button.props["aria-pressed"] = str(status == self._status).lower()
        chosen = {"q": self._q, "status": self._status, "sort": self._sort if self._sort != "name" else ""}
        query = urlencode({key: value for key, value in chosen.items() if value})
        address = json.dumps(f"/?{query}" if query else "/")
        ui.run_javascript(f"history.replaceState(history.state, '', {address})")
        await self.refresh()
