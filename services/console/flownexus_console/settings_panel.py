"""The panel of what resources of one endpoint should be: declared, followed, and written once where that is meant."""

from __future__ import annotations

from nicegui import ui

from flownexus_console.components.work import DesiredList, RequestForm, Wanted
from flownexus_console.errors import ApiRefused
from flownexus_console.frame import Console, Frame, hide, may_operate, show, text
from flownexus_console.object_values import ObjectValues
from flownexus_console.operation_panel import OperationPanel
from flownexus_console.session import Session
from flownexus_console.work_models import Desired

WRITE_ONCE = "once"


class SettingsPanel:
    """Of one open endpoint page; what is written once goes by way of the panel of operations."""

    def __init__(  # noqa: PLR0917 - as the other panels, and that of operations
        self,
        console: Console,
        session: Session,
        endpoint: str,
        values: ObjectValues,
        operations: OperationPanel,
        frame: Frame,
    ) -> None:
        self._work, self._session, self._endpoint = console.work, session, endpoint
        self._values, self._operations, self._frame = values, operations, frame
        with ui.element("section").classes("panel settings").props('aria-label="Settings"'):
            with ui.element("header"):
                text("h2", "Settings")
                text("span", "what resources should be", "muted")
            self._notice = text("div", "", "notice bad").props('role="alert" hidden')
            self._form: RequestForm | None = None
            if may_operate(session):
                deeds = {"keep": "Keep it so", WRITE_ONCE: "Write once"}
                self._form = RequestForm("setting-paths", (), deeds, self._send)
            self._list = DesiredList(may_operate(session), self._remove)

    def offer_paths(self) -> None:
        """The resources may be others now."""
        if self._form is not None:
            self._form.offer(self._values.paths("W"))

    async def refresh(self) -> None:
        """Read and draw how they stand again."""
        desired = await self._frame.ask(self._work.desired(self._session, self._endpoint))
        if desired is not None:
            self._list.show(desired.standing)

    async def _send(self, wanted: Wanted) -> None:
        path, value = wanted.path.strip("/"), self._operations.value_of(wanted)
        if wanted.deed == WRITE_ONCE:
            await self._operations.ask({"operation": "write", "path": path, "value": value})
            return
        await self._declare(path, {"path": path, "value": value})

    async def _remove(self, path: str) -> None:
        await self._declare(path, None)

    async def _declare(self, path: str, value: dict[str, object] | None) -> None:
        """This value for the path, or none any more; what else is declared stays."""
        hide(self._notice)
        try:
            known = await self._frame.ask(self._work.desired(self._session, self._endpoint))
            if known is None:
                return
            values: list[object] = [one for one in known.values if one.get("path") != path]
            changed = await self._frame.ask(self._declared(known, [*values, value] if value else values))
        except ApiRefused as refusal:
            self._notice.text = str(refusal)
            show(self._notice)
            return
        if changed is not None:
            await self.refresh()

    async def _declared(self, known: Desired, values: list[object]) -> Desired:
        return await self._work.declare(self._session, self._endpoint, known, values)
