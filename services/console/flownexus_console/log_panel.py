"""The panel of a device's own log, searched by the API."""

from __future__ import annotations

from nicegui import ui
from nicegui.events import GenericEventArguments

from flownexus_console.api_client import ApiClient
from flownexus_console.components.endpoint import LogList
from flownexus_console.frame import Frame, text
from flownexus_console.session import Session

LINES_SHOWN = 100


class LogPanel:
    """The newest log lines of one endpoint, or those with some text in them."""

    def __init__(self, api: ApiClient, session: Session, endpoint: str, frame: Frame) -> None:
        self._api = api
        self._session = session
        self._endpoint = endpoint
        self._frame = frame
        self._q = ""
        with ui.element("section").classes("panel log").props('aria-label="Log"'):
            with ui.element("header"):
                text("h2", "Log")
                ui.element("span").classes("spacer")
                search = ui.element("input").classes("field")
                search.props('type="search" placeholder="Search" aria-label="Search the log" spellcheck="false"')
                search.on("input", self._search, js_handler="(e) => emit(e.target.value)", throttle=0.2)
            self._list = LogList()

    async def refresh(self) -> None:
        """Read and draw the lines again."""
        q = self._q
        page = await self._frame.ask(self._api.logs(self._session.token, self._endpoint, q, LINES_SHOWN))
        if page is not None and q == self._q:
            self._list.show(page.items, searched=bool(q))

    async def _search(self, event: GenericEventArguments) -> None:
        self._q = str(event.args).strip()
        await self.refresh()
