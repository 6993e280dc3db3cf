"""Commands for object models, over the api."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from flownexus_local.api_client import ApiClient
from flownexus_local.options import DEFAULT_FOLDER, Folder

out = Console(highlight=False)
model_app = typer.Typer(help="Object models: what objects and resources are called.", no_args_is_help=True)


@model_app.command("add")
def add(
    file: Annotated[Path, typer.Argument(help="OMA DDF XML.", exists=True, dir_okay=False)],
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Upload the objects of a file; they are in force at once, also for what devices sent before."""
    with ApiClient(folder) as api:
        for model in api.add_models(file.read_bytes()):
            out.print(f"{model.id} {model.version} {model.name}", markup=False)


@model_app.command("list")
def list_models(folder: Folder = DEFAULT_FOLDER) -> None:
    """List the objects that have a model, in each version; uploaded ones are marked."""
    with ApiClient(folder) as api:
        for model in api.models():
            mark = " (uploaded)" if model.uploaded else ""
            out.print(f"{model.id} {model.version} {model.name}{mark}", markup=False)


@model_app.command("unknown")
def unknown(folder: Folder = DEFAULT_FOLDER) -> None:
    """List what devices list or sent that no model names: add one, and what was stored gets its names and types."""
    with ApiClient(folder) as api:
        for one in api.unknown_objects():
            out.print(f"{one.id} {one.name or '(no model)'}, listed by {one.listed_by}", markup=False)
            for resource in one.resources:
                types = ", ".join(resource.types)
                out.print(f"  {one.id}/*/{resource.id} from {resource.endpoints}, kept as {types}", markup=False)


@model_app.command("remove")
def remove(
    object_id: Annotated[int, typer.Argument(min=0, max=65535, metavar="OBJECT", help="Its id, as 26241.")],
    version: Annotated[str, typer.Argument(help="As the list has it, as 1.0.")],
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Take an uploaded model away; one of the installation stays."""
    with ApiClient(folder) as api:
        model = api.remove_model(object_id, version)
        out.print(f"{model.id} {model.version} {model.name} removed", markup=False)
