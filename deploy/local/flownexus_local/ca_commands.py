"""Commands of a small CA: certificates for the gateway and for devices, as files, and in force over the api."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from cryptography import x509
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from flownexus_local import certificates
from flownexus_local.certificates import CA_DAYS, DEVICE_DAYS, SERVER_DAYS, common_name, fingerprint
from flownexus_local.credential_client import CredentialClient
from flownexus_local.errors import CannotRun
from flownexus_local.instance import Instance, is_running
from flownexus_local.options import DEFAULT_FOLDER, Folder
from flownexus_local.pki import CA, SERVER, Kept, Pki, key_of, read_certificate, read_request
from flownexus_local.terminal import away

MAX_DAYS = 36_500

out = Console(highlight=False, soft_wrap=True)
ca_app = typer.Typer(help="Certificates of a CA of your own, for the gateway and for devices.", no_args_is_help=True)

Days = Annotated[float, typer.Option(min=0.01, max=MAX_DAYS, help="For how long it is good.")]
Endpoint = Annotated[str, typer.Argument(help="The endpoint name of the device.")]
FilesOnly = Annotated[bool, typer.Option("--files-only", help="Make no credential of it at the api.")]


@ca_app.command("init")
def init(days: Days = CA_DAYS, folder: Folder = DEFAULT_FOLDER) -> None:
    """Make a CA. Whoever has pki/ca.key makes devices: keep a copy of it, and none where it is not needed."""
    pki = Pki(Instance(folder).folder)
    made = certificates.make_ca(days, datetime.now(UTC))
    pki.write(pki.folder / CA, made.certificate, made.key_pem)
    _say(pki.folder / CA, made.certificate)


@ca_app.command("server")
def server(
    name: Annotated[
        list[str] | None,
        typer.Option(help="Host name or address at which devices reach the gateway; may be repeated. By default ours."),
    ] = None,
    days: Days = SERVER_DAYS,
    renew: Annotated[bool, typer.Option("--renew", help="Put the one that is there aside.")] = False,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Make the certificate that the gateway shows devices, from its next start on."""
    pki = Pki(Instance(folder).folder)
    pem = pki.folder / SERVER
    names = name or [socket.gethostname(), "localhost", "127.0.0.1"]
    made = certificates.make_server(pki.ca(), names, days, datetime.now(UTC))
    if renew and pem.exists():
        pki.put_aside(pem)
    pki.write(pem, made.certificate, made.key_pem)
    _say(pem, made.certificate)
    if is_running(folder):
        out.print("the gateway shows it once the system was stopped and started again", markup=False)


@ca_app.command("device")
def device(
    *,
    endpoint: Endpoint,
    days: Days = DEVICE_DAYS,
    renew: Annotated[
        bool, typer.Option("--renew", help="The one that is there counts until the device has used the next.")
    ] = False,
    csr: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="PEM file: the request of a device that keeps its own key."),
    ] = None,
    files_only: FilesOnly = False,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Make the certificate of a device, and its credential at the api, which ends when the certificate does."""
    pki, now = Pki(Instance(folder).folder), datetime.now(UTC)
    pem, key_pem = pki.device_pem(endpoint), None
    if csr is None:
        made = certificates.make_device(pki.ca(), endpoint, days, now)
        certificate, key_pem = made.certificate, made.key_pem
    else:
        certificate = certificates.sign_device(pki.ca(), read_request(csr), endpoint, days, now)
    former = read_certificate(pem) if renew and pem.exists() else None
    if former is None:
        _refuse_known(pem)
    if not files_only:
        with CredentialClient(folder) as api:
            _make_credential(api, endpoint, certificate, former)
    if former is not None:
        pki.put_aside(pem)
    pki.write(pem, certificate, key_pem)
    _say(pem, certificate)


@ca_app.command("revoke")
def revoke(
    what: Annotated[
        str, typer.Argument(help="An endpoint name: all certificates of it here. Or a PEM file: this certificate.")
    ],
    endpoint: Annotated[str | None, typer.Option(help="Whose it was, where its common name does not say so.")] = None,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Take a certificate of a device out of force at once, at every gateway, also for sessions that are there."""
    pki, now = Pki(folder.absolute()), datetime.now(UTC)
    found = [one for one in pki if one.is_of(what) and one.certificate.not_valid_after_utc > now]
    if not found:
        found = [Kept("file", Path(what), read_certificate(_file(what, pki)))]
    with CredentialClient(folder) as api:
        for one in found:
            _revoke_credential(api, endpoint or common_name(one.certificate), one.certificate)
    for one in found:
        if one.kind == "device":
            pki.put_aside(one.path)
        said = f"serial {one.certificate.serial_number:x} of {endpoint or common_name(one.certificate)}"
        out.print(f"{said} is refused from now on", markup=False)


@ca_app.command("list")
def list_certificates(
    expiring: Annotated[
        float | None, typer.Option(min=0, max=MAX_DAYS, help="Only those that end within so many days, or have.")
    ] = None,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """List the certificates in the folder and when they end. Exit code 1 if one in use ends within 30 days or has."""
    now = datetime.now(UTC)
    table = Table("KIND", "NAME", "ENDS", "SERIAL", box=None, header_style="bold", pad_edge=False)
    is_due = False
    for kept in Pki(folder.absolute()):
        end = kept.certificate.not_valid_after_utc
        if expiring is None or end <= now + timedelta(days=expiring):
            table.add_row(kept.kind, escape(common_name(kept.certificate)), _end(kept, now), _serial(kept.certificate))
        is_due |= kept.ends_soon(now)
    if table.row_count:
        out.print(table)
    else:
        out.print("there is none", markup=False)
    raise typer.Exit(int(is_due))


def _make_credential(
    api: CredentialClient, endpoint: str, certificate: x509.Certificate, former: x509.Certificate | None
) -> None:
    end = certificate.not_valid_after_utc.isoformat()
    given: dict[str, Any] = {"subject": f"sha256:{fingerprint(certificate)}", "expires_at": end}
    known = None if former is None else next(iter(_standing(api, former)), None)
    if known is None:
        api.create({"type": "x509", "endpoint": endpoint, **given})
    else:
        api.rotate(known["id"], given)


def _revoke_credential(api: CredentialClient, endpoint: str, certificate: x509.Certificate) -> None:
    """Those that name this very certificate; or one that does and is revoked, so that no other name lets it in."""
    subject = f"sha256:{fingerprint(certificate)}"
    known = list(api.credentials({"subject": subject, "state": ["active", "pending", "revoked"]}))
    for one in known:
        if one["state"] != "revoked":
            api.revoke(one["id"])
    if not known:
        api.create({"type": "x509", "endpoint": endpoint, "subject": subject, "revoked": True})


def _standing(api: CredentialClient, certificate: x509.Certificate) -> list[Mapping[str, Any]]:
    """The credentials of this certificate that count, or will."""
    subject = f"sha256:{fingerprint(certificate)}"
    return list(api.credentials({"subject": subject, "state": ["active", "pending"]}))


def _file(what: str, pki: Pki) -> Path:
    if not Path(what).is_file():
        raise CannotRun(f"there is neither a certificate of {what!r} in {pki.folder} nor such a file")
    return Path(what)


def _refuse_known(pem: Path) -> None:
    if pem.exists() or key_of(pem).exists():
        raise CannotRun(f"{pem} is there already: --renew makes the next one, `flownexus ca revoke` ends it")


def _say(pem: Path, certificate: x509.Certificate) -> None:
    key = f" and {key_of(pem).name}" if key_of(pem).exists() else ""
    out.print(f"{pem}{key}, until {certificate.not_valid_after_utc:%Y-%m-%d}", markup=False)


def _end(kept: Kept, now: datetime) -> str:
    end = kept.certificate.not_valid_after_utc
    colour = "yellow" if kept.ends_soon(now) else "default"
    return f"[{colour}]{end:%Y-%m-%d}, {away(end, now)}[/]"


def _serial(certificate: x509.Certificate) -> str:
    return f"{certificate.serial_number:x}"
