"""Firmware: the images, a form for another one, and the updates of devices as they go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Form, Request, Response
from fastapi.responses import RedirectResponse
from nicegui import app, ui
from starlette.datastructures import FormData, UploadFile

from flownexus_console.api_client import Query
from flownexus_console.components.work import UpdateList
from flownexus_console.errors import ApiRefused, SignedOut
from flownexus_console.forms import button, choice, done, field, form, show_flash
from flownexus_console.frame import Console, Frame, hide, may_operate, show, text
from flownexus_console.live import Pulse, follow_work
from flownexus_console.moments import minute
from flownexus_console.session import Flash, Session, to_login
from flownexus_console.work_client import WorkClient
from flownexus_console.work_models import Image, ImagePage

UPDATES_SHOWN = 50
CHUNK_BYTES = 256 * 1024
Line = Annotated[str, Form(max_length=255)]


def add(console: Console) -> None:
    """Add `/firmware` and what its forms send."""
    work = console.work

    @ui.page("/firmware", title="Firmware · Flow Nexus")
    async def firmware(request: Request) -> Response | None:
        session = console.sessions.of(request)
        if session is None:
            return to_login(request)
        if session.account.must_change_password:
            return RedirectResponse("/account", status_code=303)
        view = FirmwareView(console, session)
        await view.load()
        ui.timer(0, view.live, once=True)
        return None

    @app.post("/firmware/upload")
    async def upload(request: Request) -> Response:
        # The body is read only once it is known whose it is.
        session = console.sessions.of(request)
        if session is None:
            return to_login(request)
        if not may_operate(session):
            session.flash = Flash("Only operators upload images.", is_bad=True)
            return RedirectResponse("/firmware", status_code=303)
        async with request.form(max_files=1, max_fields=2) as given:
            return await done(request, session, _upload(work, session, given), "/firmware")

    @app.post("/firmware/remove")
    async def remove(request: Request, image: Line) -> Response:
        session = console.sessions.of(request)
        if session is None:
            return to_login(request)

        async def drop() -> Flash:
            gone = await work.remove_image(session, image)
            return Flash(f"{gone.name} {gone.version} is gone; links to it end.")

        return await done(request, session, drop(), "/firmware")

    @app.post("/firmware/update")
    async def update(request: Request, endpoint: Line, image: Line) -> Response:
        session = console.sessions.of(request)
        if session is None:
            return to_login(request)

        async def ask() -> Flash:
            asked = await work.update(session, endpoint, image)
            return Flash(f"{asked.endpoint} will be updated to {asked.name} {asked.version}.")

        return await done(request, session, ask(), "/firmware")


class FirmwareView:
    """One open firmware page. Images are as they were when it was opened, updates are live."""

    def __init__(self, console: Console, session: Session) -> None:
        self._console, self._session = console, session
        self._pulse = Pulse(every_s=4.0, rest_s=0.7)
        self._frame = Frame(console, session, "/firmware")
        with self._frame.content:
            text("h1", "Firmware")
            show_flash(session)

    async def load(self) -> None:
        """Read and draw all of it."""
        images = await self._frame.ask(self._console.work.images(self._session))
        with self._frame.content:
            self._updates_panel(images)
            if images is not None:
                _images_panel(images, self._session)
            if may_operate(self._session):
                _upload_panel()
        await self.refresh()

    async def live(self) -> None:
        """Keep the updates current until the page is closed."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(
                    follow_work(self._console.api, self._session, "/firmware-updates", {}, self._pulse.happened)
                )
                tasks.create_task(self._keep_fresh())
        except* SignedOut:
            self._frame.sign_in_again()

    async def refresh(self) -> None:
        """Read and draw the updates again: those that go on first."""
        page = await self._frame.ask(self._console.work.updates(self._session, UPDATES_SHOWN))
        if page is not None:
            self._list.show(sorted(page.items, key=lambda one: one.finished_at is not None))

    async def _keep_fresh(self) -> None:
        while True:
            await self._pulse.wait()
            await self.refresh()

    def _updates_panel(self, images: ImagePage | None) -> None:
        operates = may_operate(self._session)
        with ui.element("section").classes("panel").props('aria-label="Updates"'):
            with ui.element("header"):
                text("h2", "Updates")
            self._notice = text("div", "", "notice bad").props('role="alert" hidden')
            if operates and images is not None and images.items:
                with form("/firmware/update", classes="fields"):
                    field("Endpoint", "endpoint", required="required", maxlength="255", autocapitalize="none")
                    choice("Image", "image", {one.id: f"{one.name} {one.version}" for one in images.items})
                    button("Update", "primary")
            self._list = UpdateList(operates, self._cancel)

    async def _cancel(self, update: str) -> None:
        hide(self._notice)
        try:
            await self._frame.ask(self._console.work.cancel_update(self._session, update))
        except ApiRefused as refusal:
            self._notice.text = str(refusal)
            show(self._notice)
        await self.refresh()


def _images_panel(images: ImagePage, session: Session) -> None:
    with ui.element("section").classes("panel").props('aria-label="Images"'):
        with ui.element("header"):
            text("h2", "Images")
        if not images.items:
            with ui.element("div").classes("empty"):
                text("strong", "No image yet")
            return
        with ui.element("table").classes("plain"):
            with ui.element("thead"), ui.element("tr"):
                for title in ("Package", "Version", "Bytes", "Uploaded", "SHA-256", ""):
                    text("th", title).props('scope="col"')
            with ui.element("tbody"):
                for image in images.items:
                    with ui.element("tr"):
                        _image_row(image, session)


def _image_row(image: Image, session: Session) -> None:
    text("td", image.name, "name")
    text("td", image.version)
    text("td", f"{image.size:,}", "number")
    text("td", f"{minute(image.created_at)}{f' by {image.uploaded_by}' if image.uploaded_by else ''}", "number")
    text("td", image.sha256[:16] + "…", "mono").props["title"] = image.sha256
    with ui.element("td").classes("actions"):
        if may_operate(session):
            sure = f"Remove {image.name} {image.version}? Devices that fetch it cannot go on."
            with form("/firmware/remove", {"image": image.id}, sure):
                button("Remove", "quiet")


def _upload_panel() -> None:
    with ui.element("section").classes("panel").props('aria-label="New image"'):
        with ui.element("header"):
            text("h2", "New image")
        with form("/firmware/upload", classes="fields") as sent:
            sent.props["enctype"] = "multipart/form-data"
            field("Package", "name", required="required", maxlength="255", autocomplete="off")
            field("Version", "version", required="required", maxlength="255", autocomplete="off")
            field("File", "image", "file", required="required")
            button("Upload", "primary")
            text("p", "The version is what the device says (3/0/3) once it runs the image.", "muted wide")


async def _upload(work: WorkClient, session: Session, given: FormData) -> Flash:
    image, name, version = given.get("image"), str(given.get("name", "")), str(given.get("version", ""))
    if not isinstance(image, UploadFile):
        return Flash("Choose a file.", is_bad=True)
    query: Query = {"name": name, "version": version, "file_name": (image.filename or name)[:255]}
    kept = await work.upload(session, query, _chunks(image))
    return Flash(f"{kept.name} {kept.version} is here: {kept.size:,} bytes.")


async def _chunks(image: UploadFile) -> AsyncIterator[bytes]:
    while chunk := await image.read(CHUNK_BYTES):
        yield chunk
