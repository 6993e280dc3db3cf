"""Commands for firmware updates of devices, over the api; `flownexus firmware` has them beside those of images."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from flownexus_local.errors import CannotRun
from flownexus_local.firmware_commands import FirmwareId, firmware_app, out
from flownexus_local.firmware_update_client import FirmwareUpdateClient
from flownexus_local.options import DEFAULT_FOLDER, Folder
from flownexus_schemas.firmware.update import Method, Scheme, UpdateStatus

__all__ = ["firmware_app"]

LOOK_S = 1.0

UpdateId = Annotated[str, typer.Argument(metavar="UPDATE", help="Its id, as the list has it.")]
Endpoint = Annotated[str | None, typer.Option(help="Only of this endpoint.")]


@firmware_app.command("update")
def update_firmware(
    *,
    endpoint: Annotated[str, typer.Argument(help="Its name.")],
    firmware: FirmwareId,
    method: Annotated[Method, typer.Option(help="Who moves the image; as the device says if auto.")] = Method.AUTO,
    scheme: Annotated[Scheme, typer.Option(help="How the device fetches it; as it says if auto.")] = Scheme.AUTO,
    window: Annotated[
        str | None, typer.Option(help="Install between these times of day in UTC: 01:30-04:00.", metavar="FROM-TO")
    ] = None,
    expires_in: Annotated[
        float | None, typer.Option(min=0.01, help="Hours after which it is not begun any more.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Show what happens, until it has ended.")] = False,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Update a device to an image, whenever it listens; prints the update. With --follow, 1 where it failed."""
    asked: dict[str, Any] = {"firmware": firmware, "method": method.value, "scheme": scheme.value}
    if window is not None:
        asked["install"] = {"window": _window(window)}
    if expires_in is not None:
        asked["expires_at"] = (datetime.now(UTC) + timedelta(hours=expires_in)).isoformat()
    with FirmwareUpdateClient(folder) as api, suppress(KeyboardInterrupt):
        made = api.update_firmware(endpoint, asked)
        out.print(_line(made), markup=False)
        if follow and not _follow(api, made["id"]):
            raise typer.Exit(1)


@firmware_app.command("updates")
def list_updates(
    endpoint: Endpoint = None,
    status: Annotated[list[UpdateStatus] | None, typer.Option(help="Only these; repeat it for several.")] = None,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """List updates, the newest first."""
    query: dict[str, str | list[str]] = {} if endpoint is None else {"endpoint": endpoint}
    if status:
        query["status"] = [one.value for one in status]
    with FirmwareUpdateClient(folder) as api:
        for update in api.firmware_updates(query):
            out.print(_line(update), markup=False)


@firmware_app.command("show-update")
def show_update(update: UpdateId, folder: Folder = DEFAULT_FOLDER) -> None:
    """Print one, what it waits for, and all that happened to it."""
    with FirmwareUpdateClient(folder) as api:
        found = api.firmware_update(update)
    out.print(_line(found), markup=False)
    for step in found["history"]:
        out.print(f"  {step['time']} {step['status']}: {step['action']}", markup=False)
    if found["waiting_for"]:
        out.print(f"It waits for {found['waiting_for']}.", markup=False)


@firmware_app.command("cancel")
def cancel_update(update: UpdateId, folder: Folder = DEFAULT_FOLDER) -> None:
    """Take an update back: the device is told to drop the image."""
    with FirmwareUpdateClient(folder) as api:
        out.print(_line(api.cancel_firmware_update(update)), markup=False)


def _follow(api: FirmwareUpdateClient, update: str) -> bool:
    """Print each step as the tables have it; whether it succeeded."""
    shown = 0
    while True:
        found = api.firmware_update(update)
        for step in found["history"][shown:]:
            out.print(f"{step['status']}: {step['action']}", markup=False)
        shown = max(shown, len(found["history"]))
        if found["finished_at"] is not None:
            return bool(found["status"] == UpdateStatus.SUCCEEDED)
        time.sleep(LOOK_S)


def _line(update: dict[str, Any]) -> str:
    what = f"{update['id']} {update['endpoint']} {update['name']} {update['version']}"
    percent = 100 * update["transferred"] // update["size"]
    return f"{what} {update['status']} {percent}%: {update['last_action']}"


def _window(text: str) -> dict[str, str]:
    start, dash, end = text.partition("-")
    if not dash:
        raise CannotRun("a window is two times of day in UTC, such as 01:30-04:00")
    return {"start": start.strip(), "end": end.strip()}
