"""Commands for bootstraps, over the api: what devices are given, how it went, and having them bootstrap anew."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from flownexus_local.bootstrap_client import BootstrapClient
from flownexus_local.errors import CannotRun
from flownexus_local.options import DEFAULT_FOLDER, Folder
from flownexus_schemas.events import BootstrapState

out = Console(highlight=False, soft_wrap=True)
bootstrap_app = typer.Typer(help="What devices are given at a bootstrap.", no_args_is_help=True)
profile_app = typer.Typer(help="For all devices that a profile chooses.", no_args_is_help=True)
bootstrap_app.add_typer(profile_app, name="profile")

Name = Annotated[str, typer.Argument(help="Of the profile.")]
File = Annotated[
    Path, typer.Argument(help="JSON, as `show` prints it; with `key` where you give one.", exists=True, dir_okay=False)
]


@bootstrap_app.command("list")
def list_endpoints(folder: Folder = DEFAULT_FOLDER) -> None:
    """List the endpoints that something is declared for itself."""
    with BootstrapClient(folder) as api:
        for one in api.endpoints():
            out.print(f"{one['endpoint']}  {_servers(one['configuration'])}", markup=False)


@bootstrap_app.command("show")
def show(endpoint: str, folder: Folder = DEFAULT_FOLDER) -> None:
    """Print what an endpoint is given, without its keys, as the JSON that `put` takes."""
    with BootstrapClient(folder) as api:
        found = api.of(endpoint)
    if found["configuration"] is None:
        raise CannotRun(f"nobody said what {endpoint} is given: its Bootstrap-Request is refused")
    out.print(json.dumps(_given(found["configuration"]), indent=2), markup=False)


@bootstrap_app.command("put")
def put(endpoint: str, file: File, folder: Folder = DEFAULT_FOLDER) -> None:
    """Declare what an endpoint is given at its next bootstrap. A key that is left out stays."""
    given = _json(file)
    with BootstrapClient(folder) as api:
        api.put(endpoint, given)


@bootstrap_app.command("remove")
def remove(endpoint: str, folder: Folder = DEFAULT_FOLDER) -> None:
    """Declare nothing for an endpoint itself any more; profiles go on."""
    with BootstrapClient(folder) as api:
        left = api.remove(endpoint)
    by = "nothing" if left["profile"] is None else f"what the profile {left['profile']} says"
    out.print(f"{endpoint} is given {by}", markup=False)


@bootstrap_app.command("trigger")
def trigger(endpoint: str, folder: Folder = DEFAULT_FOLDER) -> None:
    """Have a device bootstrap anew when it next listens; keys that it was issued are rotated by it."""
    with BootstrapClient(folder) as api:
        operation = api.trigger(endpoint)
    out.print(f"{operation['id']}  {operation['status']}", markup=False)


@bootstrap_app.command("steps")
def steps(
    endpoint: Annotated[str | None, typer.Argument(help="Only of this endpoint.")] = None,
    state: Annotated[list[BootstrapState] | None, typer.Option(help="Only these; repeat it.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 20,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Print how bootstraps went, the newest last."""
    query: dict[str, str | list[str]] = {"limit": str(limit), "state": [one.value for one in state or ()]}
    if endpoint is not None:
        query["endpoint"] = endpoint
    with BootstrapClient(folder) as api:
        for one in reversed(api.steps(query)):
            notes = "".join(f"; {note}" for note in one["notes"])
            out.print(f"{one['time']}  {one['endpoint']}  {one['state']}  {one['text']}{notes}", markup=False)


@profile_app.command("list")
def list_profiles(folder: Folder = DEFAULT_FOLDER) -> None:
    """List the profiles, the highest priority first."""
    with BootstrapClient(folder) as api:
        for profile in sorted(api.profiles(), key=lambda one: (-one["priority"], one["name"])):
            out.print(f"{profile['name']}  {profile['error'] or _choice(profile)}", markup=False)


@profile_app.command("show")
def show_profile(name: Name, folder: Folder = DEFAULT_FOLDER) -> None:
    """Print a profile as the JSON that `put` takes."""
    with BootstrapClient(folder) as api:
        profile = api.profile(name)
    choice = {field: profile[field] for field in ("endpoints", "tags", "priority")}
    out.print(json.dumps({**_given(profile["configuration"]), **choice}, indent=2), markup=False)


@profile_app.command("put")
def put_profile(name: Name, file: File, folder: Folder = DEFAULT_FOLDER) -> None:
    """Make a profile, or put another in its place."""
    given = _json(file)
    with BootstrapClient(folder) as api:
        api.put_profile(name, given)


@profile_app.command("remove")
def remove_profile(name: Name, folder: Folder = DEFAULT_FOLDER) -> None:
    """Take a profile away. Devices keep what they were given."""
    with BootstrapClient(folder) as api:
        api.remove_profile(name)
    out.print(f"{name} is gone", markup=False)


def _given(configuration: Mapping[str, Any]) -> dict[str, Any]:
    servers = [{name: part for name, part in one.items() if name != "key"} for one in configuration["servers"]]
    return {**configuration, "servers": servers}


def _servers(configuration: Mapping[str, Any]) -> str:
    return ", ".join(f"{one['uri']} ({one['security']})" for one in configuration["servers"])


def _choice(profile: Mapping[str, Any]) -> str:
    chosen = [f"{what} {' '.join(profile[what])}" for what in ("endpoints", "tags") if profile[what]]
    whom = ", ".join(chosen) or "every device"
    return f"priority {profile['priority']}  {whom}  {_servers(profile['configuration'])}"


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes())
    except ValueError as error:
        raise CannotRun(f"{file} is no JSON: {error}") from None
