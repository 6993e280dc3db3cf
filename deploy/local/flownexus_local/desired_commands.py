"""Commands for desired values, over the api: what resources of devices should be, and how they stand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from flownexus_local.desired_client import DesiredClient
from flownexus_local.errors import CannotRun
from flownexus_local.options import DEFAULT_FOLDER, Folder
from flownexus_schemas.desired.standing import DesiredState
from flownexus_schemas.lwm2m.datatype import DataType

TAKE_NEGATIVE_NUMBERS = {"ignore_unknown_options": True}
NOT_GIVEN = ("name", "revision", "error")
OUT_OF_SYNC = [state.value for state in DesiredState if state is not DesiredState.IN_SYNC]
NONE = "none"

out = Console(highlight=False, soft_wrap=True)
desired_app = typer.Typer(help="What resources of devices should be.", no_args_is_help=True)
profile_app = typer.Typer(help="For all devices that a profile chooses.", no_args_is_help=True)
desired_app.add_typer(profile_app, name="profile")

Name = Annotated[str, typer.Argument(help="Of the profile.")]
OfProfile = Annotated[str | None, typer.Option(help="Only what is of this profile.")]
OfPath = Annotated[str | None, typer.Option(help="Only this path.")]
OfTags = Annotated[list[str] | None, typer.Option(help="Only endpoints with this tag; repeat it for several.")]


@desired_app.command("show")
def show(endpoint: str, folder: Folder = DEFAULT_FOLDER) -> None:
    """Print what is desired of an endpoint, and how it stands."""
    with DesiredClient(folder) as api:
        for one in api.of(endpoint)["standing"]:
            out.print(_line(one), markup=False)


@desired_app.command("set", context_settings=TAKE_NEGATIVE_NUMBERS)
def set_value(
    *,
    endpoint: str,
    path: str,
    value: Annotated[str, typer.Argument(help="A JSON value (300, -1.5, true, '\"12\"'); anything else is text.")],
    type: Annotated[DataType | None, typer.Option(help="Where no object model states it.")] = None,  # noqa: A002
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Declare what a resource of an endpoint should be, beside what is declared for it already."""
    with DesiredClient(folder) as api:
        known = api.of(endpoint)
        given = {"path": path, "value": _json(value), "type": type}
        values = [one for one in known["values"] if one["path"] != path.strip("/")]
        api.put(endpoint, {"values": [*values, given], "attributes": known["attributes"]}, known["revision"])


@desired_app.command("attributes", context_settings=TAKE_NEGATIVE_NUMBERS)
def set_attributes(
    endpoint: str,
    path: str,
    given: Annotated[list[str], typer.Argument(metavar="NAME=NUMBER...", help="pmin=60 gt=none: none is not there.")],
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Declare which notification attributes a path of an endpoint should have, in place of those declared for it."""
    with DesiredClient(folder) as api:
        known = api.of(endpoint)
        others = [one for one in known["attributes"] if one["path"] != path.strip("/")]
        attributes = [*others, {"path": path, "attributes": dict(map(_attribute, given))}]
        api.put(endpoint, {"values": known["values"], "attributes": attributes}, known["revision"])


@desired_app.command("unset")
def unset(
    endpoint: str,
    path: Annotated[str | None, typer.Argument(help="Its value and its attributes; all paths without it.")] = None,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Declare it for the endpoint no more. The device keeps what it has; profiles go on."""
    with DesiredClient(folder) as api:
        if path is None:
            api.remove(endpoint)
            return
        known = api.of(endpoint)
        left = {part: [one for one in known[part] if one["path"] != path.strip("/")] for part in _PARTS}
        if all(left[part] == known[part] for part in _PARTS):
            raise CannotRun(f"nothing is declared for {path} of {endpoint}")
        api.put(endpoint, left, known["revision"])


@desired_app.command("list")
def list_values(
    *,
    endpoint: Annotated[str | None, typer.Option(help="Only of this endpoint.")] = None,
    state: Annotated[
        list[DesiredState] | None, typer.Option(help="Only these, repeat it; by default all that are not in sync.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Those in sync too.")] = False,
    profile: OfProfile = None,
    path: OfPath = None,
    tag: OfTags = None,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """List over all devices what is not as it should be."""
    states = [] if every else [one.value for one in state] if state else OUT_OF_SYNC
    query = _given({"endpoint": endpoint, "state": states, "profile": profile, "path": path, "tag": tag})
    with DesiredClient(folder) as api:
        for one in api.fleet(query):
            out.print(f"{one['endpoint']}  {_line(one)}", markup=False)


@desired_app.command("count")
def count_values(
    profile: OfProfile = None, path: OfPath = None, tag: OfTags = None, folder: Folder = DEFAULT_FOLDER
) -> None:
    """Count how many desired values stand where."""
    with DesiredClient(folder) as api:
        counts = api.counts(_given({"profile": profile, "path": path, "tag": tag}))
    by_state = "  ".join(f"{state} {number}" for state, number in sorted(counts["by_state"].items()))
    out.print(f"{counts['values']} of {counts['endpoints']} endpoints  {by_state}".rstrip(), markup=False)


@profile_app.command("list")
def list_profiles(folder: Folder = DEFAULT_FOLDER) -> None:
    """List the profiles of desired values, the highest priority first."""
    with DesiredClient(folder) as api:
        for profile in sorted(api.profiles(), key=lambda one: (-one["priority"], one["name"])):
            out.print(f"{profile['name']}  {profile['error'] or _choice(profile)}", markup=False)


@profile_app.command("show")
def show_profile(name: Name, folder: Folder = DEFAULT_FOLDER) -> None:
    """Print a profile as the JSON that `put` takes."""
    with DesiredClient(folder) as api:
        profile = api.profile(name)
    given = {field: value for field, value in profile.items() if field not in NOT_GIVEN}
    out.print(json.dumps(given, indent=2), markup=False)


@profile_app.command("put")
def put_profile(
    name: Name,
    file: Annotated[Path, typer.Argument(help="JSON, as `show` prints it.", exists=True, dir_okay=False)],
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Make a profile, or put another in its place."""
    try:
        given = json.loads(file.read_bytes())
    except ValueError as error:
        raise CannotRun(f"{file} is no JSON: {error}") from None
    with DesiredClient(folder) as api:
        api.put_profile(name, given)


@profile_app.command("remove")
def remove_profile(name: Name, folder: Folder = DEFAULT_FOLDER) -> None:
    """Take a profile away. Devices keep what they have."""
    with DesiredClient(folder) as api:
        api.remove_profile(name)
    out.print(f"{name} is gone", markup=False)


_PARTS = ("values", "attributes")


def _line(one: Mapping[str, Any]) -> str:
    what = f"{one['path']} {one['attribute']}" if one["attribute"] else one["path"]
    source = f"  profile {one['profile']}" if one["profile"] else ""
    told = " ".join(part for part in (one["code"], one["reason"]) if part)
    line = f"{what} = {_shown(one['desired'])}  {one['state']}  reported {_shown(one['reported'])}{source}  {told}"
    return line.rstrip()


def _shown(value: object) -> str:
    return NONE if value is None else json.dumps(value, ensure_ascii=False)


def _choice(profile: Mapping[str, Any]) -> str:
    chosen = [
        f"{what} {' '.join(map(str, profile[what]))}" for what in ("endpoints", "objects", "tags") if profile[what]
    ]
    paths = sorted({one["path"] for part in _PARTS for one in profile[part]})
    return f"priority {profile['priority']}  {', '.join(chosen) or 'every device'}  {' '.join(paths)}"


def _attribute(text: str) -> tuple[str, float | None]:
    name, _, number = text.partition("=")
    try:
        return name, None if number == NONE else float(number)
    except ValueError:
        raise CannotRun(f"{text!r} is not NAME=NUMBER, such as pmin=60, or NAME={NONE}") from None


def _json(text: str) -> bool | int | float | str:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, bool | int | float | str) else text


def _given(query: Mapping[str, str | list[str] | None]) -> dict[str, str | list[str]]:
    return {name: part for name, part in query.items() if part}
