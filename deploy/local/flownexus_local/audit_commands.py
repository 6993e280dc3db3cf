"""The command for the audit, over the api."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from itertools import islice
from typing import Annotated

import typer
from rich.console import Console

from flownexus_local.api_client import ApiClient
from flownexus_local.options import DEFAULT_FOLDER, Folder

out = Console(highlight=False, soft_wrap=True)
audit_app = typer.Typer()


class Format(StrEnum):
    """How entries are written."""

    TEXT = "text"
    CSV = "csv"
    NDJSON = "ndjson"


@audit_app.command("audit")
def audit(
    *,
    actor: Annotated[str | None, typer.Option(help="Only what this user did.")] = None,
    action: Annotated[str | None, typer.Option(help="`login.failed`, or `login` for all that begin so.")] = None,
    target: Annotated[str | None, typer.Option(help="Only what was done to this endpoint, user, profile.")] = None,
    address: Annotated[str | None, typer.Option(help="Only what was done from this address.")] = None,
    since: Annotated[str | None, typer.Option(help="From then on: 2026-03-01T00:00:00Z.")] = None,
    until: Annotated[str | None, typer.Option(help="Before then.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Of entries as text; a file has all.")] = 100,
    format_: Annotated[Format, typer.Option("--format", help="As text, or all as a file.")] = Format.TEXT,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Show who logged in and who changed what, the newest first."""
    given = {"actor": actor, "action": action, "target": target, "address": address, "from": since, "to": until}
    query = {name: value for name, value in given.items() if value is not None}
    with ApiClient(folder) as api:
        if format_ is not Format.TEXT:
            for piece in api.audit_file(query | {"format": format_.value}):
                sys.stdout.buffer.write(piece)
            return
        for entry in islice(api.audit(query), limit):
            who = entry["actor"] + (f" by token {entry['api_token']}" if entry["api_token"] else "")
            where = f" from {entry['source_address']}" if entry["source_address"] else ""
            details = f" {json.dumps(entry['details'])}" if entry["details"] else ""
            what = f"{entry['action']} {entry['target'] or ''}".rstrip()
            out.print(f"{entry['time']} {who}{where}: {what}{details}", markup=False)
