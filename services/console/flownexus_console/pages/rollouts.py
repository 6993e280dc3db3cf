"""Rollouts: an image to many devices, group by group; how they stand, and what may be done about them."""

from __future__ import annotations

import asyncio
from typing import Annotated
from urllib.parse import quote

from fastapi import Form, Request, Response
from fastapi.responses import RedirectResponse
from nicegui import app, ui

from flownexus_console.components.work import RolloutFacts, RolloutList
from flownexus_console.errors import ApiRefused, SignedOut
from flownexus_console.forms import button, done, form, show_flash
from flownexus_console.frame import Console, Frame, hide, may_operate, show, text
from flownexus_console.live import Pulse, follow_work
from flownexus_console.session import Flash, Session, to_login
from flownexus_console.work_client import Turn
from flownexus_console.work_models import RolloutDetail

SHOWN = 50
TURNS: dict[str, tuple[tuple[Turn, str, str], ...]] = {
    "RUNNING": (
        ("pause", "Pause", ""),
        ("next", "Begin the next group", "Begin the next group without waiting for the one before?"),
        ("stop", "Stop", "Stop it for good? Updates under way are taken back where that is possible still."),
    ),
    "PAUSED": (("resume", "Resume", ""), ("stop", "Stop", "Stop it for good?")),
    "HALTED": (("resume", "Resume", "Resume it? Devices that failed count no more."), ("stop", "Stop", "Stop it?")),
}
"""What may be done where, how it is called, and what is asked before."""


def add(console: Console) -> None:
    """Add `/rollouts`, `/rollouts/<id>` and what its forms send."""

    @ui.page("/rollouts", title="Rollouts · Flow Nexus")
    async def rollouts(request: Request) -> Response | None:
        session = console.sessions.of(request)
        if session is None:
            return to_login(request)
        if session.account.must_change_password:
            return RedirectResponse("/account", status_code=303)
        view = RolloutsView(console, session)
        await view.refresh()
        ui.timer(0, view.live, once=True)
        return None

    @ui.page("/rollouts/{rollout}", title="Rollout · Flow Nexus")
    async def one_rollout(request: Request, rollout: str) -> Response | None:
        session = console.sessions.of(request)
        if session is None:
            return to_login(request)
        if session.account.must_change_password:
            return RedirectResponse("/account", status_code=303)
        view = RolloutView(console, session, rollout)
        await view.refresh()
        ui.timer(0, view.live, once=True)
        return None

    @app.post("/rollouts/{rollout}/turn")
    async def turn(request: Request, rollout: str, turn: Annotated[Turn, Form()]) -> Response:
        session = console.sessions.of(request)
        if session is None:
            return to_login(request)

        async def do() -> Flash:
            return Flash((await console.work.turn(session, rollout, turn)).last_action)

        return await done(request, session, do(), _address(rollout))


class _LiveView:
    """An open page that is read again when something happens to rollouts."""

    def __init__(self, console: Console, session: Session, target: str, chosen: dict[str, str | list[str]]) -> None:
        self._console, self._session, self._chosen = console, session, chosen
        self._pulse = Pulse(every_s=4.0, rest_s=0.7)
        self._frame = Frame(console, session, target)

    async def live(self) -> None:
        """Keep the page current until it is closed."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(
                    follow_work(self._console.api, self._session, "/rollouts", self._chosen, self._pulse.happened)
                )
                tasks.create_task(self._keep_fresh())
        except* SignedOut:
            self._frame.sign_in_again()

    async def refresh(self) -> None:
        """Read and draw it again."""
        raise NotImplementedError

    async def _keep_fresh(self) -> None:
        while True:
            await self._pulse.wait()
            await self.refresh()


class RolloutsView(_LiveView):
    """One open page of all rollouts."""

    def __init__(self, console: Console, session: Session) -> None:
        super().__init__(console, session, "/rollouts", {})
        with self._frame.content:
            text("h1", "Rollouts")
            with ui.element("section").classes("panel").props('aria-label="Rollouts"'):
                self._list = RolloutList()

    async def refresh(self) -> None:
        page = await self._frame.ask(self._console.work.rollouts(self._session, SHOWN))
        if page is not None:
            self._list.show(page.items)


class RolloutView(_LiveView):
    """One open page of one rollout."""

    def __init__(self, console: Console, session: Session, rollout: str) -> None:
        super().__init__(console, session, _address(rollout), {"rollout": rollout})
        self._rollout = rollout
        self._status = ""
        with self._frame.content:
            with ui.element("nav").classes("crumbs").props('aria-label="Where this is"'):
                text("a", "Rollouts").props('href="/rollouts"')
            self._title = text("h1", "Rollout")
            show_flash(session)
            self._unknown = text("div", "", "panel empty").props("hidden")
            self._turns = ui.element("div").classes("turns")
            self._panel = ui.element("section").classes("panel").props('aria-label="Rollout"')
            with self._panel:
                self._facts = RolloutFacts()

    async def refresh(self) -> None:
        try:
            rollout = await self._frame.ask(self._console.work.rollout(self._session, self._rollout))
        except ApiRefused as refusal:
            self._unknown.text = str(refusal)
            show(self._unknown)
            hide(self._panel)
            return
        if rollout is not None:
            self._show(rollout)

    def _show(self, rollout: RolloutDetail) -> None:
        image = "" if rollout.firmware is None else f" · {rollout.firmware.name} {rollout.firmware.version}"
        self._title.text = rollout.name + image
        self._facts.show(rollout)
        if rollout.status == self._status:
            return
        self._status = rollout.status
        self._turns.clear()
        if may_operate(self._session):
            with self._turns:
                for turn, label, sure in TURNS.get(rollout.status, ()):
                    with form(f"{_address(self._rollout)}/turn", {"turn": turn}, sure):
                        button(label)


def _address(rollout: str) -> str:
    return f"/rollouts/{quote(rollout, safe='')}"
