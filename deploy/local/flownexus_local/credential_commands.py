"""Commands for credentials of devices, over the api."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from flownexus_local.credential_client import CredentialClient
from flownexus_local.errors import CannotRun
from flownexus_local.options import DEFAULT_FOLDER, Folder
from flownexus_local.terminal import away
from flownexus_schemas.credentials import CredentialState

out = Console(highlight=False, soft_wrap=True)
credential_app = typer.Typer(help="Credentials of devices: keys and certificates, for DTLS.", no_args_is_help=True)

MAX_DAYS = 36_500
STATE_COLOURS = {"active": "green", "pending": "cyan", "expired": "yellow", "revoked": "red"}


class CredentialType(StrEnum):
    """What a device shows."""

    PSK = "psk"
    X509 = "x509"


Id = Annotated[str, typer.Argument(metavar="ID", help="As the list has it.")]
Identity = Annotated[str | None, typer.Option(help="PSK identity; that of the endpoint's name by default.")]
Subject = Annotated[
    str | None, typer.Option(help="Of a certificate: cn:NAME, dns:NAME, uri:NAME or sha256:FINGERPRINT.")
]
Ask = Annotated[bool, typer.Option("--ask", help="Ask for the key in hexadecimal; without it one is made.")]
KeyFile = Annotated[
    Path | None, typer.Option(help="File with the key in hexadecimal; - reads it from standard input.", allow_dash=True)
]
Days = Annotated[
    float | None, typer.Option(min=0.001, max=MAX_DAYS, help="It ends after so many days; by default never.")
]
OfEndpoint = Annotated[str | None, typer.Option(help="Only of this endpoint name.")]
OfType = Annotated[CredentialType | None, typer.Option("--type", help="Only of this type.")]
OfState = Annotated[list[CredentialState] | None, typer.Option(help="Only these; may be repeated.")]
Expiring = Annotated[float | None, typer.Option(min=0, max=MAX_DAYS, help="Only those that end within so many days.")]


@credential_app.command("create")
def create(
    *,
    endpoint: Annotated[str, typer.Argument(help="The one endpoint name that the device may use.")],
    identity: Identity = None,
    subject: Subject = None,
    ask: Ask = False,
    key_file: KeyFile = None,
    days: Days = None,
    revoked: Annotated[
        bool, typer.Option("--revoked", help="Made revoked: certificates of the subject are refused.")
    ] = False,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Make a credential, in force at once. A key is made unless one is given, and printed this once."""
    key = _key(ask=ask, key_file=key_file)
    if subject is not None and (identity is not None or key is not None):
        raise CannotRun("a certificate has a --subject; a key an --identity, and --ask or --key-file: choose one")
    if revoked and subject is None:
        raise CannotRun("--revoked is for a --subject; revoke a key by its id")
    of_type = {"type": "psk", "identity": identity, "key": key} if subject is None else {"type": "x509"}
    given = {**of_type, "endpoint": endpoint, "subject": subject, "expires_at": _in_days(days)}
    with CredentialClient(folder) as api:
        made = api.create(_without_none(given) | ({"revoked": True} if revoked else {}))
    _say_made(made)


@credential_app.command("list")
def list_credentials(
    *,
    endpoint: OfEndpoint = None,
    type_: OfType = None,
    state: OfState = None,
    expiring: Expiring = None,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """List credentials, by endpoint."""
    now = datetime.now(UTC)
    table = Table("ID", "ENDPOINT", "STATE", "SHOWS", "ENDS", box=None, header_style="bold", pad_edge=False)
    with CredentialClient(folder) as api:
        for one in api.credentials(_query(endpoint, type_, state, expiring)):
            colour = STATE_COLOURS[one["state"]]
            table.add_row(
                one["id"],
                escape(one["endpoint"]),
                f"[{colour}]{one['state']}[/]",
                escape(_shows(one)),
                away(None if one["expires_at"] is None else datetime.fromisoformat(one["expires_at"]), now)
                or ("once the next is used" if one["until_used"] else ""),
            )
    if not table.row_count:
        out.print("there is none", markup=False)
        return
    out.print(table)


@credential_app.command("show")
def show(credential: Id, folder: Folder = DEFAULT_FOLDER) -> None:
    """Print all that is known of a credential but its key, as JSON."""
    with CredentialClient(folder) as api:
        out.print(json.dumps(api.credential(credential), indent=2, ensure_ascii=False), markup=False)


@credential_app.command("rotate")
def rotate(
    *,
    credential: Id,
    identity: Identity = None,
    subject: Subject = None,
    ask: Ask = False,
    key_file: KeyFile = None,
    days: Days = None,
    overlap_days: Annotated[
        float | None,
        typer.Option(min=0.0001, max=MAX_DAYS, help="The former one ends by then at the latest."),
    ] = None,
    by_time_alone: Annotated[
        bool, typer.Option("--by-time-alone", help="It does not end because the device used the next one.")
    ] = False,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Make the next credential of a device. Both count until the device has used the next one."""
    if by_time_alone and overlap_days is None:
        raise CannotRun("--by-time-alone needs --overlap-days: until when the former one counts")
    given = {
        "identity": identity,
        "subject": subject,
        "key": _key(ask=ask, key_file=key_file),
        "expires_at": _in_days(days),
        "until": _in_days(overlap_days),
        "until_used": not by_time_alone,
    }
    with CredentialClient(folder) as api:
        rotated = api.rotate(credential, _without_none(given))
    _say_made(rotated["made"])


@credential_app.command("revoke")
def revoke(credential: Id, folder: Folder = DEFAULT_FOLDER) -> None:
    """Take a credential out of force at once, also for sessions that are there."""
    with CredentialClient(folder) as api:
        revoked = api.revoke(credential)
    out.print(f"{_shows(revoked)} of {revoked['endpoint']} is revoked", markup=False)


@credential_app.command("delete")
def delete(credential: Id, folder: Folder = DEFAULT_FOLDER) -> None:
    """Forget a credential that is revoked or expired."""
    with CredentialClient(folder) as api:
        gone = api.delete(credential)
    out.print(f"{_shows(gone)} of {gone['endpoint']} is gone", markup=False)


@credential_app.command("import")
def import_credentials(
    *,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV: endpoint,type,identity,key,subject.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what is wrong, and change nothing.")] = False,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Make credentials of all lines of a file, or none. Prints the keys that were made, once."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise CannotRun(f"{file} cannot be read: {error.strerror}") from None
    with CredentialClient(folder) as api:
        done = api.import_csv(content, dry_run=dry_run)
    if dry_run:
        out.print(f"{file} is in order: {done['imported']} credentials", markup=False)
        return
    for made in done["items"]:
        _say_made(made)


@credential_app.command("export")
def export(
    *,
    endpoint: OfEndpoint = None,
    type_: OfType = None,
    state: OfState = None,
    expiring: Expiring = None,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Print credentials as CSV, without their keys."""
    with CredentialClient(folder) as api:
        for piece in api.export_csv(_query(endpoint, type_, state, expiring)):
            sys.stdout.buffer.write(piece)


@credential_app.command("reseal")
def reseal(folder: Folder = DEFAULT_FOLDER) -> None:
    """Seal all keys under the first FLOWNEXUS_CREDENTIALS_KEY, so that former ones need not be kept."""
    number, left = 0, 1
    with CredentialClient(folder) as api:
        while left:
            done = api.reseal()
            number, left = number + done["resealed"], done["left"]
    out.print(f"{number} sealed anew; all credentials are under the first key now", markup=False)


def _key(*, ask: bool, key_file: Path | None) -> str | None:
    """Never from the command line, which other users of the machine see."""
    if ask and key_file is not None:
        raise CannotRun("--ask and --key-file: choose one")
    if ask:
        asked: str = typer.prompt("Key", hide_input=True)
        return asked.strip()
    if key_file is None:
        return None
    try:
        return (sys.stdin.read() if str(key_file) == "-" else key_file.read_text()).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CannotRun(f"{key_file} cannot be read: {error}") from None


def _query(
    endpoint: str | None, type_: CredentialType | None, states: list[CredentialState] | None, expiring: float | None
) -> dict[str, str | list[str]]:
    query: dict[str, str | list[str]] = {}
    if endpoint is not None:
        query["endpoint"] = endpoint
    if type_ is not None:
        query["type"] = type_.value
    if states:
        query["state"] = [state.value for state in states]
    if expiring is not None:
        query["expiring_within_days"] = str(expiring)
    return query


def _in_days(days: float | None) -> str | None:
    return None if days is None else (datetime.now(UTC) + timedelta(days=days)).isoformat()


def _without_none(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


def _shows(one: Mapping[str, Any]) -> str:
    return f"psk {one['identity']}" if one["type"] == "psk" else f"x509 {one['subject']}"


def _say_made(made: Mapping[str, Any]) -> None:
    key = "" if made["key"] is None else f"  key {made['key']}"
    out.print(f"{made['id']}  {made['endpoint']}  {_shows(made)}{key}", markup=False)
