"""Plain HTML forms in a page: sent to an address of the console, which does it and leads back with a word of it."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from nicegui import ui
from nicegui.element import Element

from flownexus_console.errors import ApiAway, ApiRefused, SignedOut
from flownexus_console.frame import text
from flownexus_console.session import Flash, Session, to_login

AWAY = "The API does not answer. Try again in a moment."


async def done(request: Request, session: Session, work: Awaitable[Flash], back_to: str) -> Response:
    """Do it, keep the word for the page that the browser is led back to."""
    try:
        session.flash = await work
    except ApiRefused as refusal:
        session.flash = Flash(str(refusal), is_bad=True)
    except ApiAway:
        session.flash = Flash(AWAY, is_bad=True)
    except SignedOut:
        return to_login(request)
    return RedirectResponse(back_to, status_code=303)


def show_flash(session: Session) -> None:
    """The word of what was done, and a secret that is shown this once."""
    flash, session.flash = session.flash, None
    if flash is None:
        return
    with ui.element("div").classes("notice bad" if flash.is_bad else "notice good").props('role="alert"'):
        text("span", flash.said)
        if flash.secret:
            text("code", flash.secret, "secret mono")


@contextmanager
def form(
    action: str,
    hidden: Mapping[str, str] | None = None,
    confirm: str = "",
    classes: str = "",
    method: Literal["post", "get"] = "post",
) -> Iterator[Element]:
    """A form around the block. `confirm`: asked before it is sent. `get` is for what changes nothing."""
    element = ui.element("form").classes(classes)
    element.props["method"], element.props["action"] = method, action
    if confirm:
        element.props["data-confirm"] = confirm
        element.on("submit", js_handler="(e) => { if (!confirm(e.target.dataset.confirm)) e.preventDefault() }")
    with element:
        for name, value in (hidden or {}).items():
            field = ui.element("input").props('type="hidden"')
            field.props["name"], field.props["value"] = name, value
        yield element


def field(label: str, name: str, kind: str = "text", **more: str) -> None:
    """A labelled field; `more` are attributes of it, with `_` for `-`."""
    with ui.element("label").classes("labelled"):
        text("span", label)
        element = ui.element("input").classes("field")
        element.props["name"], element.props["type"] = name, kind
        for attribute, value in more.items():
            element.props[attribute.replace("_", "-")] = value


def choice(label: str, name: str, options: Sequence[str] | Mapping[str, str], chosen: str = "") -> None:
    """A list of which one is chosen, with texts where `options` has them; the label is for screen readers where it is
    short of room.
    """
    with ui.element("label").classes("labelled"):
        text("span", label)
        select = ui.element("select").classes("field")
        # The text of the label has that of the options in it.
        select.props["name"], select.props["aria-label"] = name, label
        with select:
            for option in options:
                element = text("option", options[option] if isinstance(options, Mapping) else option)
                element.props["value"] = option
                if option == chosen:
                    element.props["selected"] = True


def button(label: str, kind: str = "") -> None:
    """Sends the form that it is in."""
    text("button", label, f"button {kind}".strip()).props('type="submit"')
