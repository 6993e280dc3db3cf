"""Commands that ask a device, over the api. Exit code 1 where the device refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from flownexus_local.api_client import ApiClient
from flownexus_local.options import DEFAULT_FOLDER, Folder
from flownexus_schemas.lwm2m.datatype import DataType

SUCCESS = "2."
TAKE_NEGATIVE_NUMBERS = {"ignore_unknown_options": True}

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)
device_app = typer.Typer()

Timeout = Annotated[float, typer.Option(min=0.1, max=120, help="Seconds to wait for the device.")]
Format = Annotated[int | None, typer.Option(help="Content-Format, e.g. 11542 for TLV; the device's by default.")]
Later = Annotated[
    bool,
    typer.Option("--later", help="Keep it until the device listens; `flownexus operations` shows what came of it."),
]
DEFAULT_TIMEOUT_S = 30.0


@device_app.command()
def read(
    *,
    endpoint: str,
    paths: Annotated[
        list[str],
        typer.Argument(help="An object, instance or resource such as 3/0/0; several are read as composite."),
    ],
    format: Format = None,  # noqa: A002 - the option's name
    timeout: Timeout = DEFAULT_TIMEOUT_S,
    later: Later = False,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Read a device: an object, instance or resource, or several paths at once."""
    asked = _of("read", paths) if len(paths) == 1 else {"operation": "read-composite", "paths": paths}
    _ask(folder, endpoint, timeout, asked, format, later)


@device_app.command(context_settings=TAKE_NEGATIVE_NUMBERS)
def write(
    *,
    endpoint: str,
    path: str,
    value: Annotated[str, typer.Argument(help="A JSON value (300, -1.5, true, '\"12\"'); anything else is text.")],
    type: Annotated[DataType | None, typer.Option(help="Where no object model states it.")] = None,  # noqa: A002
    format: Format = None,  # noqa: A002 - the option's name
    timeout: Timeout = DEFAULT_TIMEOUT_S,
    later: Later = False,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Write one resource of a device."""
    asked = {"operation": "write", "path": path, "value": _json(value), "type": type}
    _ask(folder, endpoint, timeout, asked, format, later)


@device_app.command()
def execute(
    *,
    endpoint: str,
    path: str,
    arguments: Annotated[str | None, typer.Argument(help="As LwM2M writes them: 0='a',1")] = None,
    timeout: Timeout = DEFAULT_TIMEOUT_S,
    later: Later = False,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Execute a resource of a device."""
    _ask(folder, endpoint, timeout, {"operation": "execute", "path": path, "arguments": arguments}, later=later)


@device_app.command()
def observe(
    *,
    endpoint: str,
    paths: Annotated[list[str], typer.Argument(help="Several are one composite observation.")],
    cancel: Annotated[bool, typer.Option("--cancel", help="End the observation of these paths.")] = False,
    event_type: Annotated[str | None, typer.Option(help="The type of each composite notification.")] = None,
    timeout: Timeout = DEFAULT_TIMEOUT_S,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Have a device notify what is at or below a path, until it registers anew; `flownexus watch` shows it."""
    if cancel:
        asked: dict[str, Any] = {"operation": "cancel-observation", "paths": paths}
    elif len(paths) == 1 and event_type is None:
        asked = _of("observe", paths)
    else:
        asked = {"operation": "observe-composite", "paths": paths, "event_type": event_type}
    _ask(folder, endpoint, timeout, asked)


@device_app.command()
def discover(endpoint: str, path: str, timeout: Timeout = DEFAULT_TIMEOUT_S, folder: Folder = DEFAULT_FOLDER) -> None:
    """List what a device has below a path, with its attributes."""
    _ask(folder, endpoint, timeout, {"operation": "discover", "path": path})


def _of(operation: str, paths: list[str]) -> dict[str, Any]:
    return {"operation": operation, "path": paths[0]}


def _ask(  # noqa: PLR0917 - what the commands have in common
    folder: Path,
    endpoint: str,
    timeout_s: float,
    asked: dict[str, Any],
    content_format: int | None = None,
    later: bool = False,
) -> None:
    """Ask and print the answer. Raises CannotRun where the api refuses, typer.Exit where the device does."""
    parts = {**asked, "format": content_format, "timeout_s": timeout_s}
    given = {name: part for name, part in parts.items() if part is not None}
    with ApiClient(folder) as api:
        if later:
            out.print(api.request_operation(endpoint, given)["id"], markup=False)
            return
        answer = api.ask(endpoint, given, timeout_s)
    for value in answer["values"]:
        out.print(f"{value['path']} = {json.dumps(value['value'], ensure_ascii=False)}", markup=False, soft_wrap=True)
    for link in (answer["links"] or "").split(",") if answer["links"] else ():
        out.print(link, markup=False, soft_wrap=True)
    if not answer["code"].startswith(SUCCESS):
        reason = f": {answer['diagnostic']}" if answer["diagnostic"] else ""
        err.print(f"the device refused with {answer['code']}{reason}", style="red", markup=False, soft_wrap=True)
        raise typer.Exit(1)
    if not answer["values"] and not answer["links"]:
        out.print(answer["code"], markup=False)


def _json(text: str) -> bool | int | float | str:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, bool | int | float | str) else text
