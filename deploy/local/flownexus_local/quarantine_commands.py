"""Commands for what could not be decoded or processed, over the api."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from flownexus_local.api_client import ApiClient
from flownexus_local.options import DEFAULT_FOLDER, Folder

out = Console(highlight=False, soft_wrap=True)
undecoded_app = typer.Typer(help="Reports of devices that could not be decoded.", no_args_is_help=True)
dead_letter_app = typer.Typer(help="Messages that no service could process.", no_args_is_help=True)

ReportId = Annotated[str, typer.Argument(metavar="REPORT", help="Its id, as the list has it.")]
LetterId = Annotated[int, typer.Argument(metavar="LETTER", min=1, help="Its id, as the list has it.")]


@undecoded_app.command("list")
def list_undecoded(
    endpoint: Annotated[str | None, typer.Option(help="Only of this endpoint.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Those that were decoded or dismissed too.")] = False,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """List them, the newest first, with the reason."""
    with ApiClient(folder) as api:
        for report in api.undecoded(endpoint, None if every else "waiting"):
            state = " (decoded)" if report.decoded_at else " (dismissed)" if report.dismissed_at else ""
            format_ = "no format" if report.content_format is None else f"format {report.content_format}"
            received_at = f"{report.received_at:%Y-%m-%dT%H:%M:%SZ}"
            what = f"{report.id} {report.endpoint} {received_at} {report.size} bytes, {format_}"
            out.print(f"{what}: {report.reason}{state}", markup=False)


@undecoded_app.command("show")
def show_undecoded(report: ReportId, folder: Folder = DEFAULT_FOLDER) -> None:
    """Print the payload of one in hexadecimal."""
    with ApiClient(folder) as api:
        out.print(api.undecoded_payload(report).hex(" "), markup=False)


@undecoded_app.command("retry")
def retry_undecoded(
    report: Annotated[str | None, typer.Argument(metavar="REPORT", help="Its id; all that wait without it.")] = None,
    content_format: Annotated[
        int | None, typer.Option("--format", min=0, max=65535, help="Content-Format, in place of the device's.")
    ] = None,
    base_path: Annotated[str | None, typer.Option("--path", help="What was asked for, as 3303/0.")] = None,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Decode again, with the models of today; the values are stored with the time of their receipt."""
    with ApiClient(folder) as api:
        if report is None:
            done = api.retry_all_undecoded()
            out.print(f"{done.decoded} decoded, {done.left} left", markup=False)
            return
        for value in api.retry_undecoded(report, content_format, base_path):
            out.print(f"{value.path} {value.type}", markup=False)


@undecoded_app.command("dismiss")
def dismiss_undecoded(report: ReportId, folder: Folder = DEFAULT_FOLDER) -> None:
    """Say that one waits for no retry; it stays in `list --all`."""
    with ApiClient(folder) as api:
        api.dismiss_undecoded(report)
        out.print(f"{report} dismissed", markup=False)


@dead_letter_app.command("list")
def list_dead_letters(folder: Folder = DEFAULT_FOLDER) -> None:
    """List them, the oldest first, with the reason."""
    with ApiClient(folder) as api:
        for letter in api.dead_letters():
            out.print(f"{letter.id} {letter.service} {letter.subject}: {letter.reason}", markup=False)


@dead_letter_app.command("retry")
def retry_dead_letter(letter: LetterId, folder: Folder = DEFAULT_FOLDER) -> None:
    """Publish the message once more; where it cannot be processed again, it comes back as a new letter."""
    with ApiClient(folder) as api:
        out.print(f"{api.retry_dead_letter(letter)} published", markup=False)


@dead_letter_app.command("delete")
def delete_dead_letter(letter: LetterId, folder: Folder = DEFAULT_FOLDER) -> None:
    """Take a letter away for good."""
    with ApiClient(folder) as api:
        out.print(f"{api.delete_dead_letter(letter)} deleted", markup=False)
