"""Commands for rollouts, over the api: an image to many devices, group after group."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any

import typer
from rich.console import Console

from flownexus_local.errors import CannotRun
from flownexus_local.options import DEFAULT_FOLDER, Folder
from flownexus_local.rollout_client import RolloutClient
from flownexus_schemas.firmware.update import Method, Scheme
from flownexus_schemas.rollouts.device import DeviceStatus, RolloutDevice
from flownexus_schemas.rollouts.rollout import OnHalt

out = Console(highlight=False, soft_wrap=True)
rollout_app = typer.Typer(help="Firmware to many devices, group after group.", no_args_is_help=True)

SHOWN = 10
"""Devices that a plan names a group."""

RolloutId = Annotated[str, typer.Argument(metavar="ROLLOUT", help="Its id, as the list has it.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, device for device; make nothing.")]


@rollout_app.command("start")
def start_rollout(
    *,
    firmware: Annotated[str, typer.Argument(metavar="FIRMWARE", help="The id of the image.")],
    name: Annotated[str, typer.Option(help="What it is called.")],
    endpoint: Annotated[list[str] | None, typer.Option(help="A name, with * for any text; repeat it.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="The endpoints have it; repeat it for several.")] = None,
    object_id: Annotated[
        list[int] | None, typer.Option("--object", min=0, max=65535, help="The endpoints list it; repeat it.")
    ] = None,
    percent: Annotated[float, typer.Option(help="Only so many of them.")] = 100,
    group: Annotated[
        list[str] | None,
        typer.Option(help="Devices of a group: 10, 5% or rest, and +pause to have somebody look after it; repeat it."),
    ] = None,
    succeeded: Annotated[float, typer.Option(help="Percent of a group before the next begins.")] = 90,
    failed: Annotated[float, typer.Option(help="More percent of a group halt the rollout.")] = 10,
    in_flight: Annotated[int, typer.Option(help="The most updates under way at a time.")] = 50,
    watch: Annotated[int, typer.Option(help="Seconds for which updated devices are looked after.")] = 3600,
    quiet_after: Annotated[
        int | None, typer.Option(help="Seconds without a word after which they are quiet; else their lifetime.")
    ] = None,
    method: Annotated[Method, typer.Option(help="How devices get the image.")] = Method.AUTO,
    scheme: Annotated[Scheme, typer.Option(help="How devices fetch the image.")] = Scheme.AUTO,
    on_halt: Annotated[OnHalt, typer.Option(help="What becomes of updates under way.")] = OnHalt.RECALL,
    paused: Annotated[bool, typer.Option("--paused", help="It begins once it is resumed.")] = False,
    dry_run: DryRun = False,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Bring an image to all endpoints that meet what is named; prints the id, the groups and who is left out."""
    limits = {"succeeded_percent": succeeded, "failed_percent": failed}
    groups = [_group(text) | limits for text in group or ("5%", "25%", "rest")]
    asked = {
        "name": name,
        "firmware": firmware,
        "select": {"endpoints": endpoint or [], "tags": tag or [], "objects": object_id or []},
        "percent": percent,
        "groups": groups,
        "in_flight": in_flight,
        "watch": {"seconds": watch, "quiet_after_s": quiet_after},
        "method": method.value,
        "scheme": scheme.value,
        "on_halt": on_halt.value,
        "paused": paused,
        "dry_run": dry_run,
    }
    with RolloutClient(folder) as api:
        _print_made(api.request_rollout(asked))


@rollout_app.command("list")
def list_rollouts(folder: Folder = DEFAULT_FOLDER) -> None:
    """List them, the newest first."""
    with RolloutClient(folder) as api:
        for rollout in api.rollouts():
            out.print(_line(rollout), markup=False)


@rollout_app.command("show")
def show_rollout(rollout: RolloutId, folder: Folder = DEFAULT_FOLDER) -> None:
    """Print one, its groups, and what happened to it."""
    with RolloutClient(folder) as api:
        found = api.rollout(rollout)
    _print_groups(found)
    for step in found["history"]:
        out.print(f"  {step['time']} {step['status']}: {step['action']}", markup=False)


@rollout_app.command("devices")
def list_devices(
    rollout: RolloutId,
    status: Annotated[list[DeviceStatus] | None, typer.Option(help="Only these; repeat it for several.")] = None,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """List the devices of one and how they stand."""
    with RolloutClient(folder) as api:
        for device in api.rollout_devices(rollout, [one.value for one in status or ()]):
            group = "-" if device["group"] is None else device["group"]
            waits = f" Waits for {device['waiting_for']}." if device["waiting_for"] else ""
            said = f"{device['status']}: {device['last_action']}{waits}"
            out.print(f"{group} {device['endpoint']} {said}", markup=False)


@rollout_app.command("report")
def report_rollout(rollout: RolloutId, folder: Folder = DEFAULT_FOLDER) -> None:
    """Print how one went: what came of its devices, how long updates took, and why some failed."""
    with RolloutClient(folder) as api:
        report = api.rollout_report(rollout)
    _print_groups(report["rollout"])
    counted = ("succeeded", "failed", "cancelled", "under_way", "not_begun")
    out.print(", ".join(f"{report[name]} {name.replace('_', ' ')}" for name in counted), markup=False)
    if report["durations"] is not None:
        took = report["durations"]
        out.print(f"updates took {took['median_s']:.0f} s (median), {took['longest_s']:.0f} s at most", markup=False)
    for title in ("failures", "left_out"):
        for reason in report[title]:
            out.print(f"{title.replace('_', ' ')}: {reason['devices']}: {reason['reason']}", markup=False)
            out.print(f"  {_names(reason['endpoints'], reason['devices'])}", markup=False)


@rollout_app.command("pause")
def pause_rollout(rollout: RolloutId, folder: Folder = DEFAULT_FOLDER) -> None:
    """Begin no more updates; those under way go on."""
    _change(rollout, "pause", folder)


@rollout_app.command("resume")
def resume_rollout(rollout: RolloutId, folder: Folder = DEFAULT_FOLDER) -> None:
    """Go on; where it had halted, devices that failed until now count no more."""
    _change(rollout, "resume", folder)


@rollout_app.command("next")
def begin_next_group(rollout: RolloutId, folder: Folder = DEFAULT_FOLDER) -> None:
    """Begin the next group without waiting for the one before."""
    _change(rollout, "next", folder)


@rollout_app.command("stop")
def stop_rollout(rollout: RolloutId, folder: Folder = DEFAULT_FOLDER) -> None:
    """End one for good, and take back updates under way."""
    _change(rollout, "stop", folder)


@rollout_app.command("rollback")
def roll_back(
    rollout: RolloutId,
    name: Annotated[str, typer.Option(help="What the rollout that takes it back is called.")],
    firmware: Annotated[
        str | None, typer.Option(help="The id of the image that all get; else each the version that it had.")
    ] = None,
    dry_run: DryRun = False,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Stop one, and give its devices what they had before."""
    with RolloutClient(folder) as api:
        _print_made(api.roll_back(rollout, {"name": name, "firmware": firmware, "dry_run": dry_run}))


@rollout_app.command("follow")
def follow_rollouts(
    rollout: Annotated[str | None, typer.Argument(metavar="ROLLOUT", help="Only this one, with its devices.")] = None,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Show what happens to rollouts, as it happens, until Ctrl-C."""
    with RolloutClient(folder) as api, suppress(KeyboardInterrupt):
        for event in api.rollout_events({} if rollout is None else {"rollout": rollout}):
            found = event.data
            what = f"{found.rollout} {found.endpoint}" if isinstance(found, RolloutDevice) else found.id
            out.print(f"{event.time:%H:%M:%S} {what} {found.status}: {found.last_action}", markup=False)


def _change(rollout: str, what: str, folder: Folder) -> None:
    with RolloutClient(folder) as api:
        out.print(_line(api.change_rollout(rollout, what)), markup=False)


def _group(text: str) -> dict[str, Any]:
    size, plus, then = text.partition("+")
    if plus and then != "pause":
        raise CannotRun(f"--group {text!r}: only +pause can follow the size")
    after = {"then": "pause"} if plus else {}
    if size == "rest":
        return after
    try:
        return after | ({"percent": float(size[:-1])} if size.endswith("%") else {"devices": int(size)})
    except ValueError:
        raise CannotRun(f"--group {text!r}: it is a number of devices, a percentage such as 5%, or rest") from None


def _line(rollout: dict[str, Any]) -> str:
    firmware = rollout["firmware"]
    to = "what they had" if firmware is None else f"{firmware['name']} {firmware['version']}"
    counted = ", ".join(f"{count} {status}" for status, count in rollout["by_status"].items())
    what = f"{rollout['id']} {rollout['name']!r} to {to}, {rollout['devices']} devices ({counted})"
    return f"{what} {rollout['status']}: {rollout['last_action']}"


def _print_groups(rollout: dict[str, Any]) -> None:
    out.print(_line(rollout), markup=False)
    for group in rollout["groups"]:
        counted = ", ".join(f"{count} {status}" for status, count in group["by_status"].items())
        wants = f"{group['needed']} of {group['counted']} must succeed"
        out.print(f"group {group['number']} {group['status']}: {counted}; {wants}", markup=False)


def _print_made(made: dict[str, Any]) -> None:
    rollout = made["rollout"]
    what = "would be updated" if rollout is None else "are updated"
    out.print(f"{'' if rollout is None else rollout['id'] + ' '}{made['devices']} devices {what}", markup=False)
    for group in made["groups"]:
        then = ", then it pauses" if group["then"] == "pause" else ""
        wants = f"{group['needed']} must succeed, {group['may_fail']} may fail{then}"
        names = _names(group["endpoints"], group["size"])
        out.print(f"group {group['number']}: {group['size']} ({wants}): {names}", markup=False)
    for left_out in made["left_out"]:
        names = _names(left_out["endpoints"], len(left_out["endpoints"]))
        out.print(f"left out: {left_out['reason']} {names}", markup=False)
    for note in made["notes"]:
        out.print(f"note: {note['note']} {_names(note['endpoints'], len(note['endpoints']))}", markup=False)


def _names(endpoints: list[str], count: int) -> str:
    shown = endpoints[:SHOWN]
    return ", ".join(shown) + (f" and {count - len(shown)} more" if count > len(shown) else "")
