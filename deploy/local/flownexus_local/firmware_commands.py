"""Commands for firmware images, over the api."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from flownexus_local.api_client import ApiClient
from flownexus_local.errors import CannotRun
from flownexus_local.options import DEFAULT_FOLDER, Folder

out = Console(highlight=False, soft_wrap=True)
firmware_app = typer.Typer(help="Firmware images that devices can be updated to.", no_args_is_help=True)

FirmwareId = Annotated[str, typer.Argument(metavar="FIRMWARE", help="Its id, as the list has it.")]


@firmware_app.command("upload")
def upload_firmware(
    *,
    image: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)],
    name: Annotated[str, typer.Option(help="Of the package, as 5/0/6 of a device has it.")],
    version: Annotated[str, typer.Option(help="As the device has it once it runs the image.")],
    notes: Annotated[str | None, typer.Option(help="Whatever is to be known of it.")] = None,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Upload an image; prints its id and SHA-256."""
    try:
        with image.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
            content.seek(0)
            query = {"name": name, "version": version, "file_name": image.name, "sha256": digest}
            with ApiClient(folder) as api:
                made = api.upload_firmware(content, query | ({"notes": notes} if notes is not None else {}))
    except OSError as error:
        raise CannotRun(f"{image} cannot be read: {error.strerror}") from error
    out.print(f"{made['id']} {made['sha256']}", markup=False)


@firmware_app.command("list")
def list_firmware(
    name: Annotated[str | None, typer.Option(help="Only of this package.")] = None, folder: Folder = DEFAULT_FOLDER
) -> None:
    """List the images, the newest first."""
    with ApiClient(folder) as api:
        for found in api.firmware({"name": name} if name is not None else {}):
            what = f"{found['id']} {found['name']} {found['version']}"
            out.print(f"{what} {found['size']} bytes, {found['file_name']}, {found['created_at']}", markup=False)


@firmware_app.command("link")
def link_firmware(
    firmware: FirmwareId,
    hours: Annotated[float, typer.Option(min=0.01, max=720, help="For how long it is good.")] = 24,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Print a link that a device can fetch the image by."""
    with ApiClient(folder) as api:
        out.print(api.firmware_link(firmware, round(hours * 3600)), markup=False)


@firmware_app.command("delete")
def delete_firmware(firmware: FirmwareId, folder: Folder = DEFAULT_FOLDER) -> None:
    """Remove an image for good; links to it end."""
    with ApiClient(folder) as api:
        gone = api.delete_firmware(firmware)
        out.print(f"{gone['name']} {gone['version']} deleted", markup=False)
