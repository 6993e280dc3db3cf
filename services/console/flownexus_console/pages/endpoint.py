"""One endpoint: presence, registration, objects with live values, history, what is asked of it, events, log."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from nicegui import ui

from flownexus_console.components.endpoint import EndpointFacts, EventList, ObjectList, ObservationList
from flownexus_console.errors import ApiRefused, SignedOut
from flownexus_console.frame import Console, Frame, hide, show, text
from flownexus_console.history_panel import HistoryPanel
from flownexus_console.live import Pulse, follow, follow_work
from flownexus_console.log_panel import LogPanel
from flownexus_console.object_values import ObjectValues
from flownexus_console.operation_panel import OperationPanel
from flownexus_console.session import Session, to_login
from flownexus_console.settings_panel import SettingsPanel
from flownexus_schemas.events import Event, ValuesReported

EVENTS_SHOWN = 12
HISTORY_AGAIN_S = 60.0
OBJECTS_AGAIN_S = 15.0
"""Values come live; this is for when the stream is away."""


def add(console: Console) -> None:
    """Add `/endpoints/<name>`; a name may contain any character, also `/`."""

    @ui.page("/endpoints/{name:path}")
    async def endpoint(request: Request, name: str) -> Response | None:
        session = console.sessions.of(request)
        if session is None:
            return to_login(request)
        if session.account.must_change_password:
            return RedirectResponse("/account", status_code=303)
        ui.page_title(f"{name} · Flow Nexus")
        view = EndpointView(console, session, name)
        await view.refresh()
        await view.refresh_work()
        ui.timer(0, view.live, once=True)
        return None


class EndpointView:
    """One open endpoint page."""

    def __init__(self, console: Console, session: Session, name: str) -> None:
        self._api = console.api
        self._session = session
        self._name = name
        self._values = ObjectValues()
        self._selected = ""
        self._is_known = False
        self._objects_stale = True
        self._draw_soon = asyncio.Event()
        self._pulse, self._work_pulse = Pulse(every_s=4.0, rest_s=0.7), Pulse(every_s=4.0, rest_s=0.7)
        self._frame = Frame(console, session, f"/endpoints/{quote(name, safe='')}")
        with self._frame.content:
            self._facts = EndpointFacts(name)
            self._unknown = text("div", "", "panel empty").props("hidden")
            self._columns = ui.element("div").classes("columns")
            with self._columns:
                self._history = HistoryPanel(console.api, session, name, self._frame)
                self._objects = ObjectList(self._choose)
                with ui.element("div").classes("past"):
                    self._operations = OperationPanel(console, session, name, self._values, self._frame)
                    self._settings = SettingsPanel(console, session, name, self._values, self._operations, self._frame)
                    self._observations = ObservationList()
                    self._events = EventList()
                    self._log = LogPanel(console.api, session, name, self._frame)

    async def live(self) -> None:
        """Keep the page current until it is closed."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(follow(self._api, self._session, {"endpoint": self._name}, self._on_event))
                tasks.create_task(
                    follow_work(
                        self._api, self._session, "/operations", {"endpoint": self._name}, self._work_pulse.happened
                    )
                )
                tasks.create_task(self._keep_fresh())
                tasks.create_task(self._keep_work())
                tasks.create_task(self._keep_drawn())
                tasks.create_task(self._keep_history())
                tasks.create_task(self._keep_objects())
        except* SignedOut:
            self._frame.sign_in_again()

    def _on_event(self, event: Event) -> None:
        if isinstance(event, ValuesReported):
            if self._values.take(event.data.records):
                self._objects_stale = True
            self._history.add(event.data.records)
            self._draw_soon.set()
        else:
            self._objects_stale = True
        self._pulse.happened()

    async def refresh(self) -> None:
        """Read everything but the history again."""
        try:
            detail = await self._frame.ask(self._api.endpoint(self._session.token, self._name))
        except ApiRefused as refusal:
            self._show_unknown(refusal)
            return
        if detail is None:
            return
        self._is_known = True
        hide(self._unknown)
        show(self._columns)
        self._facts.show(detail)
        self._observations.show(detail.observations)
        if self._objects_stale:
            await self._refresh_objects()
        events = await self._frame.ask(self._api.events(self._session.token, self._name, EVENTS_SHOWN))
        if events is not None:
            self._events.show(events.items)
        await self._log.refresh()

    async def refresh_work(self) -> None:
        """Read again what is asked of the device, and what its resources should be; of none that nobody knows."""
        if not self._is_known:
            return
        await self._operations.refresh()
        await self._settings.refresh()

    async def _refresh_objects(self) -> None:
        self._objects_stale = False
        tree = await self._frame.ask(self._api.objects(self._session.token, self._name))
        if tree is None:
            self._objects_stale = True
            return
        self._values.read(tree)
        self._draw_objects()
        self._operations.offer_paths()
        self._settings.offer_paths()
        if not self._selected and (first := self._values.first_numeric()) is not None:
            await self._choose(first.path)

    async def _choose(self, path: str) -> None:
        resource = self._values.current(path)
        if resource is not None:
            self._selected = path
            self._draw_objects()
            await self._history.choose(resource, self._values.title(resource))

    def _draw_objects(self) -> None:
        self._objects.show(self._values.objects(), self._selected)

    def _show_unknown(self, refusal: ApiRefused) -> None:
        self._unknown.text = "No endpoint of this name has ever registered." if refusal.status == 404 else str(refusal)
        show(self._unknown)
        hide(self._columns)

    async def _keep_fresh(self) -> None:
        while True:
            await self._pulse.wait()
            await self.refresh()

    async def _keep_work(self) -> None:
        while True:
            await self._work_pulse.wait()
            await self.refresh_work()

    async def _keep_drawn(self) -> None:
        while True:
            await self._draw_soon.wait()
            self._draw_soon.clear()
            self._draw_objects()
            await asyncio.sleep(0.25)

    async def _keep_objects(self) -> None:
        while True:
            await asyncio.sleep(OBJECTS_AGAIN_S)
            self._objects_stale = True

    async def _keep_history(self) -> None:
        while True:
            await asyncio.sleep(HISTORY_AGAIN_S)
            await self._history.refresh()
