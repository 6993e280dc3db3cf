"""What every page after the login shares: the bar on top, the banner when the API is away, the way to the login."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import TypeVar

from nicegui import ui
from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement

from flownexus_console.account_client import AccountClient
from flownexus_console.api_client import ApiClient
from flownexus_console.errors import ApiAway, SignedOut
from flownexus_console.pending_logins import PendingLogins
from flownexus_console.session import Session, Sessions, login_address
from flownexus_console.work_client import WorkClient

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Console:
    """What the pages work with."""

    api: ApiClient
    accounts: AccountClient
    sessions: Sessions
    work: WorkClient
    pending: PendingLogins = field(default_factory=PendingLogins)


def text(tag: str, content: str, classes: str = "") -> TextElement:
    """An HTML element with text in it."""
    return TextElement(tag=tag, text=content).classes(classes)


def show(element: Element) -> None:
    """Let an element be seen."""
    element.props["hidden"] = False


def may_operate(session: Session) -> bool:
    """Whether who is signed in may have something done to devices; the API decides anyway."""
    return session.account.role in {"operator", "administrator"}


def hide(element: Element) -> None:
    """Take an element out of sight, for screen readers too."""
    element.props["hidden"] = True


class Frame:
    """The frame of one open page. Content goes into `with frame.content:`."""

    def __init__(self, console: Console, session: Session, target: str) -> None:
        self._api = console.api
        self._sessions = console.sessions
        self._session = session
        self._target = target
        self._client = ui.context.client
        with ui.element("a").classes("skip").props('href="#content"'):
            text("span", "Skip to content")
        _top_bar(session, target)
        self._banner = ui.element("div").classes("banner").props('role="status" hidden')
        with self._banner:
            text("span", "The API does not answer. What you see may be old; this page catches up by itself.")
        self.content = ui.element("main").classes("content").props('id="content"')

    async def ask(self, call: Awaitable[Answer]) -> Answer | None:
        """The answer of the API; None, with the banner up or on the way to the login, if there is none.

        Raises ApiRefused.
        """
        try:
            answer = await call
            await self._sessions.keep(self._session, self._api.renew)
        except ApiAway:
            self._show_away(True)
            return None
        except SignedOut:
            self.sign_in_again()
            return None
        if not self._sessions.lasts(self._session):
            self.sign_in_again()
            return None
        self._show_away(False)
        return answer

    def sign_in_again(self) -> None:
        """Go to the login page, which says why, and back here after."""
        self._client.open(login_address(self._target, expired=True))

    def _show_away(self, away: bool) -> None:
        if away:
            show(self._banner)
        else:
            hide(self._banner)


_PLACES = (("Fleet", "/"), ("Firmware", "/firmware"), ("Rollouts", "/rollouts"), ("Users", "/users"))


def _top_bar(session: Session, target: str) -> None:
    with ui.element("header").classes("topbar"):
        with ui.element("a").classes("brand").props('href="/"'):
            ui.element("img").props('src="/assets/logo.svg" alt="" width="26" height="26"')
            text("span", "Flow Nexus")
        with ui.element("nav").classes("places").props('aria-label="Pages of the console"'):
            for name, address in _PLACES:
                if address != "/users" or session.account.role == "administrator":
                    link = text("a", name)
                    link.props["href"] = address
                    if address == target:
                        link.props["aria-current"] = "page"
        ui.element("span").classes("spacer")
        with ui.element("a").classes("who muted").props('href="/account" title="Your account"'):
            text("span", session.account.name)
            text("span", f" · {session.account.role}", "role")
        with (
            ui.element("button")
            .classes("button quiet theme")
            .props('type="button" title="Light, dark or as the system has it"')
            .on("click", js_handler="() => window.flownexusTheme.next()")
        ):
            text("span", "Theme")
        with (
            ui.element("form").props('method="post" action="/logout"'),
            ui.element("button").classes("button quiet").props('type="submit"'),
        ):
            text("span", "Sign out")
