"""Commands for firmware images, over the api."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from flownexus_local.api_client import ApiClient
from flownexus_local.errors import CannotRun
from flownexus_local.options import DEFAULT_FOLDER, Folder
from flownexus_simulator import image as test_image
from flownexus_simulator.faults import MEANING, OF_IMAGES, Fault

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
    signature: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="File of a detached signature."),
    ] = None,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Upload an image; prints its id and SHA-256."""
    try:
        with image.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
            content.seek(0)
            query = {"name": name, "version": version, "file_name": image.name, "sha256": digest}
            if signature is not None:
                query["signature"] = base64.b64encode(signature.read_bytes()).decode()
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


@firmware_app.command("make-test-image")
def make_test_image(
    *,
    file: Annotated[Path, typer.Argument(dir_okay=False, help="Where to write it.")],
    version: Annotated[str, typer.Option(help="What a device runs once it has installed it.")],
    name: Annotated[str, typer.Option(help="Of the package.")] = "simulated",
    size: Annotated[int, typer.Option(min=1, help="Bytes of the whole image.")] = 1_000_000,
    seed: Annotated[int, typer.Option(help="Another body for another number.")] = 0,
    fault: Annotated[
        Fault | None,
        typer.Option(
            help="What every device that has it does: " + "; ".join(f"{one} {MEANING[one]}" for one in OF_IMAGES)
        ),
    ] = None,
) -> None:
    """Write an image that simulated devices take; prints its SHA-256."""
    if fault is not None and fault not in OF_IMAGES:
        raise CannotRun(f"{fault} is nothing that an image can do: only {', '.join(OF_IMAGES)}")
    try:
        made = test_image.make(name, version, size, fault=fault, seed=seed)
        file.write_bytes(made)
    except test_image.InvalidImage as error:
        raise CannotRun(f"there is no such image: {error}") from error
    except OSError as error:
        raise CannotRun(f"{file} cannot be written: {error.strerror}") from error
    out.print(hashlib.sha256(made).hexdigest(), markup=False)
