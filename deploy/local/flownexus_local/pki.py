"""Where the certificates of one system are: `pki/` in its folder, PEM files that `up` gives to the gateway."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

FOLDER = "pki"
SERVER, SERVER_KEY, CA = "server.pem", "server.key", "ca.pem"


class ServerFiles(NamedTuple):
    """What the gateway shows devices, and by which CAs it knows theirs."""

    certificate: Path
    private_key: Path
    client_ca: Path | None


def server_files(instance: Path) -> ServerFiles | None:
    """Those of the instance in this folder; None where there are none, and devices have keys alone."""
    folder = instance / FOLDER
    certificate, key, ca = folder / SERVER, folder / SERVER_KEY, folder / CA
    if not (certificate.is_file() and key.is_file()):
        return None
    return ServerFiles(certificate, key, ca if ca.is_file() else None)
