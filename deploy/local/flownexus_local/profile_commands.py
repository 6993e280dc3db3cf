"""Commands for observation profiles and tags, over the api."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from flownexus_local.api_client import ApiClient
from flownexus_local.errors import CannotRun
from flownexus_local.options import DEFAULT_FOLDER, Folder

NAME_AND_ERROR = ("name", "error")
DONE = ("observed", "cancelled", "changed", "refused")

out = Console(highlight=False)
profile_app = typer.Typer(help="Observation profiles: what is observed, on which devices.", no_args_is_help=True)
tag_app = typer.Typer()

Name = Annotated[str, typer.Argument(help="Of the profile.")]
Timeout = Annotated[float, typer.Option(min=0, max=60, help="Seconds to wait for devices.")]


@profile_app.command("list")
def list_profiles(folder: Folder = DEFAULT_FOLDER) -> None:
    """List the profiles, the highest priority first; `default` counts where a device meets no other."""
    with ApiClient(folder) as api:
        for profile in sorted(api.profiles(), key=_place):
            out.print(f"{profile['name']}  {profile['error'] or _choice(profile)}", markup=False, soft_wrap=True)


@profile_app.command()
def show(name: Name, folder: Folder = DEFAULT_FOLDER) -> None:
    """Print a profile as the JSON that `put` takes."""
    with ApiClient(folder) as api:
        profile = api.profile(name)
    given = {field: value for field, value in profile.items() if field not in NAME_AND_ERROR}
    out.print(json.dumps(given, indent=2), markup=False, soft_wrap=True)


@profile_app.command()
def put(
    name: Name,
    file: Annotated[Path, typer.Argument(help="JSON, as `show` prints it.", exists=True, dir_okay=False)],
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Make a profile, or put another in its place; `apply` has it in force at once."""
    try:
        given = json.loads(file.read_bytes())
    except ValueError as error:
        raise CannotRun(f"{file} is no JSON: {error}") from None
    with ApiClient(folder) as api:
        api.put_profile(name, given)
    out.print(f"{name} is in force at each device's next registration, or with `flownexus profiles apply {name}`",
              markup=False, soft_wrap=True)  # fmt: skip


@profile_app.command()
def remove(name: Name, folder: Folder = DEFAULT_FOLDER) -> None:
    """Take a profile away."""
    with ApiClient(folder) as api:
        api.remove_profile(name)
    out.print(f"{name} is gone", markup=False)


@profile_app.command()
def apply(
    name: Annotated[str | None, typer.Argument(help="Of the profile.")] = None,
    endpoint: Annotated[str | None, typer.Option(help="One device, with whatever profile is in force for it.")] = None,
    timeout: Timeout = 10.0,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Bring the registered devices of a profile in line with it. Exit code 1 where a device refused a part."""
    if (name is None) == (endpoint is None):
        raise CannotRun("name a profile, or a device with --endpoint")
    with ApiClient(folder) as api:
        path = f"profiles/{name}" if endpoint is None else f"endpoints/{api.segment(endpoint)}/profile"
        standings = api.apply_profile(path, timeout)
    for standing in standings:
        done = " ".join(f"{what} {' '.join(standing[what])}" for what in DONE if standing[what])
        told = f"{standing['endpoint']}  {standing['profile']}  {standing['state']}  {done}".rstrip()
        out.print(told, markup=False, soft_wrap=True)
    if not standings:
        out.print("it is in force for no registered device", markup=False)
    if any(standing["state"] == "differs" for standing in standings):
        raise typer.Exit(1)


@tag_app.command()
def tag(
    endpoint: str,
    tags: Annotated[list[str] | None, typer.Argument(help="Tags to add; with none, those that it has.")] = None,
    remove: Annotated[list[str] | None, typer.Option(help="A tag to take away; may be repeated.")] = None,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Tag a device, whether it has registered yet or not, and print its tags."""
    with ApiClient(folder) as api:
        found = api.tags(endpoint)
        wanted = sorted({*found, *(tags or ())} - set(remove or ()))
        if wanted != found:
            found = api.put_tags(endpoint, wanted)
    out.print(" ".join(found), markup=False, soft_wrap=True)


def _place(profile: Mapping[str, Any]) -> tuple[bool, int, str]:
    return profile["name"] == "default", -profile["priority"], profile["name"]


def _choice(profile: Mapping[str, Any]) -> str:
    if profile["name"] == "default":
        return "where a device meets no other"
    choices = [
        f"{what} {' '.join(map(str, profile[what]))}" for what in ("endpoints", "objects", "tags") if profile[what]
    ]
    return f"priority {profile['priority']}  {', '.join(choices) or 'every device'}"
