"""Commands for operations, over the api: what devices are asked for when they listen."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.console import Console

from flownexus_local.api_client import ApiClient
from flownexus_local.errors import CannotRun
from flownexus_local.options import DEFAULT_FOLDER, Folder
from flownexus_schemas.operations.operation import OperationStatus

out = Console(highlight=False, soft_wrap=True)
operation_app = typer.Typer(help="Requests that are kept until their devices listen.", no_args_is_help=True)

OperationId = Annotated[str, typer.Argument(metavar="OPERATION", help="Its id, as the list has it.")]
Endpoint = Annotated[str | None, typer.Option(help="Only of this endpoint.")]
Batch = Annotated[str | None, typer.Option(help="Only of this batch.")]


@operation_app.command("request")
def request_operations(
    *,
    request: Annotated[
        str, typer.Argument(help='As the api takes it: {"operation": "write", "path": "1/0/1", "value": 600}')
    ],
    endpoint: Annotated[list[str] | None, typer.Option(help="A name, with * for any text; repeat it.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="The endpoints have it; repeat it for several.")] = None,
    object_id: Annotated[
        list[int] | None, typer.Option("--object", min=0, max=65535, help="The endpoints list it; repeat it.")
    ] = None,
    priority: Annotated[int, typer.Option(min=-1000, max=1000, help="Higher first.")] = 0,
    expires_in: Annotated[
        float | None, typer.Option(min=0.01, help="Hours after which it is not sent any more.")
    ] = None,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Ask all endpoints that meet what is named; prints the batch and how many they are."""
    select = {"endpoints": endpoint or [], "tags": tag or [], "objects": object_id or []}
    asked = {**_object(request), "select": select, "priority": priority}
    if expires_in is not None:
        asked["expires_at"] = (datetime.now(UTC) + timedelta(hours=expires_in)).isoformat()
    with ApiClient(folder) as api:
        made = api.request_operations(asked)
        out.print(f"{made['batch']} {made['operations']} operations", markup=False)


@operation_app.command("list")
def list_operations(
    endpoint: Endpoint = None,
    batch: Batch = None,
    status: Annotated[list[OperationStatus] | None, typer.Option(help="Only these; repeat it for several.")] = None,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """List them, the newest first."""
    query = _given({"endpoint": endpoint, "batch": batch, "status": [one.value for one in status or ()]})
    with ApiClient(folder) as api:
        for operation in api.operations(query):
            out.print(_line(operation), markup=False)


@operation_app.command("show")
def show_operation(operation: OperationId, folder: Folder = DEFAULT_FOLDER) -> None:
    """Print one, all that happened to it, and what the device answered."""
    with ApiClient(folder) as api:
        found = api.operation(operation)
    out.print(_line(found), markup=False)
    for step in found["history"]:
        out.print(f"  {step['time']} {step['status']}: {step['action']}", markup=False)
    for value in found["values"]:
        out.print(f"{value['path']} = {json.dumps(value['value'], ensure_ascii=False)}", markup=False)
    for link in found["links"].split(",") if found["links"] else ():
        out.print(link, markup=False)


@operation_app.command("cancel")
def cancel_operations(
    operation: Annotated[str | None, typer.Argument(metavar="OPERATION", help="Its id, as the list has it.")] = None,
    batch: Annotated[str | None, typer.Option(help="All of this batch that are queued.")] = None,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Take back what is queued."""
    if (operation is None) == (batch is None):
        raise CannotRun("name an operation or a --batch")
    with ApiClient(folder) as api:
        if operation is not None:
            out.print(_line(api.cancel_operation(operation)), markup=False)
        if batch is not None:
            out.print(f"{api.cancel_batch(batch)} cancelled", markup=False)


@operation_app.command("follow")
def follow_operations(endpoint: Endpoint = None, batch: Batch = None, folder: Folder = DEFAULT_FOLDER) -> None:
    """Show what happens to operations, as it happens, until Ctrl-C."""
    query = {name: given for name, given in (("endpoint", endpoint), ("batch", batch)) if given is not None}
    with ApiClient(folder) as api, suppress(KeyboardInterrupt):
        for event in api.operation_events(query):
            operation = event.data
            what = f"{operation.id} {operation.endpoint} {operation.command.operation}"
            out.print(f"{what} {operation.status}: {operation.last_action}", markup=False)


def _line(operation: dict[str, Any]) -> str:
    asked = operation["request"]
    paths = asked.get("path") or ",".join(asked.get("paths") or [one["path"] for one in asked.get("values", ())])
    what = f"{operation['id']} {operation['endpoint']} {operation['operation']} {paths}"
    line = f"{what} {operation['status']}: {operation['last_action']}"
    return f"{line} The device is expected at {operation['forecast_at']}." if operation["forecast_at"] else line


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise CannotRun(f"the request is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise CannotRun('the request is a JSON object, such as {"operation": "read", "path": "3/0/0"}')
    return found


def _given(query: dict[str, str | list[str] | None]) -> dict[str, str | list[str]]:
    return {name: part for name, part in query.items() if part}
