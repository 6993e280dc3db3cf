"""The panel of a resource's past: which resource, which range, the chart; live values are added as they come."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from nicegui import ui
from nicegui.events import GenericEventArguments

from flownexus_console.api_client import ApiClient
from flownexus_console.api_models import Resource, Span
from flownexus_console.chart import Caption, HistoryChart
from flownexus_console.errors import ApiRefused
from flownexus_console.frame import Frame, hide, show, text
from flownexus_console.history import Series, read, span_to_refine
from flownexus_console.session import Session
from flownexus_schemas.events import ReportedRecord

RANGES = {
    "15 min": timedelta(minutes=15),
    "1 h": timedelta(hours=1),
    "24 h": timedelta(hours=24),
    "7 d": timedelta(days=7),
}
CUSTOM = "custom"
TO_UTC = "(e) => { const t = new Date(e.target.value); if (!isNaN(t)) emit(t.toISOString()); }"


class HistoryPanel:
    """One chart of one endpoint."""

    def __init__(self, api: ApiClient, session: Session, endpoint: str, frame: Frame) -> None:
        self._api = api
        self._session = session
        self._endpoint = endpoint
        self._frame = frame
        self._resource: Resource | None = None
        self._range = "15 min"
        self._custom: dict[str, datetime] = {}
        self._series = Series()
        self._window: Span | None = None
        self._question = 0
        with ui.element("section").classes("panel history").props('aria-label="History"'):
            with ui.element("header"):
                self._title = text("h2", "History")
                self._path = text("span", "", "tag mono")
                ui.element("span").classes("spacer")
                self._range_buttons()
            self._custom_row()
            self._note = text("div", "", "empty").props("hidden")
            self._holder = ui.element("div")
            with self._holder:
                self._chart = HistoryChart(self._zoom)
        self._say("Choose a number among the objects to see its past here.")

    def _range_buttons(self) -> None:
        self._segments = {}
        with ui.element("div").classes("segments").props('role="group" aria-label="Range"'):
            for name in (*RANGES, CUSTOM):
                button = text("button", name).props('type="button"')
                button.props["aria-pressed"] = str(name == self._range).lower()
                button.on("click", lambda _, name=name: self._choose_range(name))
                self._segments[name] = button

    def _custom_row(self) -> None:
        self._dates = ui.element("div").classes("dates").props("hidden")
        with self._dates:
            for which in ("from", "to"):
                with ui.element("label"):
                    text("span", which)
                    field = ui.element("input").classes("field").props('type="datetime-local" step="1"')
                    field.on("change", lambda event, which=which: self._choose_date(which, event), js_handler=TO_UTC)

    async def choose(self, resource: Resource, title: str) -> None:
        """Show the past of this resource under this title."""
        self._resource = resource
        self._title.text = title
        self._path.text = resource.path
        self._zoom_out()
        await self.refresh()

    async def refresh(self) -> None:
        """Read the range again."""
        span = self._span()
        if self._resource is None or span is None:
            return
        self._question += 1
        question = self._question
        series = await self._ask(span)
        if series is not None and question == self._question:
            self._series = series
            self._draw()
            if self._window is not None:
                await self._refine(self._window)

    def _zoom_out(self) -> None:
        self._window = None
        self._chart.zoom_out()

    async def _zoom(self, window: Span) -> None:
        self._window = window
        await self._refine(window)

    async def _refine(self, window: Span) -> None:
        shown = self._span()
        span = span_to_refine(self._series, shown, window) if shown is not None else None
        if self._resource is None or span is None:
            return
        question = self._question
        part = await self._ask(span)
        if part is not None and question == self._question:
            self._series = self._series.refined(part, span)
            self._draw()

    async def _ask(self, span: Span) -> Series | None:
        assert self._resource is not None
        try:
            return await self._frame.ask(
                read(self._api, self._session.token, self._endpoint, self._resource.path, span)
            )
        except ApiRefused as refusal:
            self._say(str(refusal))
            return None

    def add(self, records: Iterable[ReportedRecord]) -> None:
        """Draw values that came live."""
        if self._resource is None or self._range == CUSTOM:
            return
        path = self._resource.path
        fresh = sorted((record for record in records if record.path == path), key=lambda record: record.time)
        drawn = sum(self._series.append(record.time, record.value) for record in fresh)
        if drawn:
            self._series.forget_before(datetime.now(UTC) - RANGES[self._range])
            self._draw()

    def _draw(self) -> None:
        span = self._span()
        resource = self._resource
        if resource is None or span is None:
            return
        if not self._series.points:
            self._say("No number in this range. Choose a longer one, or wait for the device to report.")
            return
        hide(self._note)
        show(self._holder)
        steps = resource.type == "boolean"
        self._chart.show(self._series, span, Caption(resource.name or resource.path, resource.units or "", steps))

    def _say(self, message: str) -> None:
        self._note.text = message
        show(self._note)
        hide(self._holder)

    def _span(self) -> Span | None:
        if self._range != CUSTOM:
            end = datetime.now(UTC)
            return Span(end - RANGES[self._range], end)
        start, end_or_none = self._custom.get("from"), self._custom.get("to")
        if start is None or end_or_none is None or start >= end_or_none:
            return None
        return Span(start, end_or_none)

    async def _choose_range(self, name: str) -> None:
        self._range = name
        self._zoom_out()
        for other, button in self._segments.items():
            button.props["aria-pressed"] = str(other == name).lower()
        if name == CUSTOM:
            show(self._dates)
            if self._span() is None:
                self._say("Choose two times, the first before the second.")
                return
        else:
            hide(self._dates)
        await self.refresh()

    async def _choose_date(self, which: str, event: GenericEventArguments) -> None:
        self._custom[which] = datetime.fromisoformat(str(event.args))
        if self._span() is None:
            self._say("Choose two times, the first before the second.")
        await self.refresh()
