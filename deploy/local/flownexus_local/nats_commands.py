"""`flownexus nats`: what a NATS server of one's own needs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from flownexus_local import nats_certificates
from flownexus_local.errors import CannotRun

nats_app = typer.Typer(help="Certificates for NATS over TLS.", no_args_is_help=True)
out = Console(highlight=False)


@nats_app.callback()
def _group() -> None:
    """A group also while it has one command."""


@nats_app.command()
def certificates(
    folder: Annotated[Path, typer.Argument(help="Where they are written; what was there is replaced.")],
    host: Annotated[
        list[str], typer.Option(help="A name or address that clients reach the server by; may be repeated.")
    ],
) -> None:
    """Make a CA and a server certificate of it, good for two years."""
    try:
        files = nats_certificates.make(folder, host, datetime.now(UTC))
    except OSError as error:
        raise CannotRun(f"{folder} cannot be written: {error.strerror}") from None
    except ValueError as error:
        raise CannotRun(f"no certificate can be made for {', '.join(host)}: {error}") from None
    out.print(f"For the server: {files.certificate} and {files.private_key}", markup=False, soft_wrap=True)
    out.print(f"For its clients: {files.ca}, in FLOWNEXUS_NATS_CA", markup=False, soft_wrap=True)
    out.print(
        f"Good until {nats_certificates.ends_at(files):%Y-%m-%d}. The key of the CA is kept nowhere.", markup=False
    )
