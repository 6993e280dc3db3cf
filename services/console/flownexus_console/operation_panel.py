"""The panel of what is asked of one endpoint: operations as they stand, and a form for another one."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

from nicegui import ui

from flownexus_console.components.work import OperationList, RequestForm, Wanted
from flownexus_console.errors import ApiRefused
from flownexus_console.frame import Console, Frame, hide, may_operate, show, text
from flownexus_console.object_values import ObjectValues
from flownexus_console.session import Session
from flownexus_console.typed_values import typed
from flownexus_console.work_models import OperationStep

SHOWN = 10


class OperationPanel:
    """Of one open endpoint page. `values` say which type a resource has."""

    def __init__(self, console: Console, session: Session, endpoint: str, values: ObjectValues, frame: Frame) -> None:
        self._work, self._session, self._endpoint = console.work, session, endpoint
        self._values, self._frame = values, frame
        self._steps: dict[str, Sequence[OperationStep]] = {}
        with ui.element("section").classes("panel asked").props('aria-label="Operations"'):
            with ui.element("header"):
                text("h2", "Operations")
                text("span", "sent when the device listens", "muted")
            self._notice = text("div", "", "notice").props('role="alert" hidden')
            self._form: RequestForm | None = None
            if may_operate(session):
                kinds, deeds = ("read", "write", "execute"), {"ask": "Ask"}
                self._form = RequestForm("operation-paths", kinds, deeds, self._ask)
            self._list = OperationList(may_operate(session), self._cancel, self._open)

    def offer_paths(self) -> None:
        """The resources may be others now."""
        if self._form is not None:
            self._form.offer(self._values.paths())

    async def refresh(self) -> None:
        """Read and draw the operations again, and the histories that were opened."""
        page = await self._frame.ask(self._work.operations(self._session, self._endpoint, SHOWN))
        if page is None:
            return
        for known in self._steps.keys() & {one.id for one in page.items}:
            detail = await self._frame.ask(self._work.operation(self._session, known))
            if detail is not None:
                self._steps[known] = detail.history
        self._list.show(page.items, self._steps)

    async def ask(self, request: dict[str, object]) -> bool:
        """Ask for an operation; whether it was taken. What is wrong with it is said in the panel."""
        if not await self._done(self._work.ask(self._session, self._endpoint, request)):
            return False
        await self.refresh()
        return True

    async def _ask(self, wanted: Wanted) -> None:
        request: dict[str, object] = {"operation": wanted.kind, "path": wanted.path}
        if wanted.kind == "write":
            request["value"] = self.value_of(wanted)
        elif wanted.kind == "execute" and wanted.value:
            request["arguments"] = wanted.value
        await self.ask(request)

    def value_of(self, wanted: Wanted) -> object:
        """What was typed, as a value of the resource's type."""
        resource = self._values.current(wanted.path.strip("/"))
        return typed(wanted.value, None if resource is None else resource.type)

    async def _cancel(self, operation: str) -> None:
        if await self._done(self._work.cancel(self._session, operation)):
            await self.refresh()

    async def _open(self, operation: str) -> None:
        self._steps[operation] = ()
        await self.refresh()

    async def _done(self, work: Awaitable[object]) -> bool:
        hide(self._notice)
        try:
            return await self._frame.ask(work) is not None
        except ApiRefused as refusal:
            self._notice.text = str(refusal)
            self._notice.classes(add="bad")
            show(self._notice)
            return False
