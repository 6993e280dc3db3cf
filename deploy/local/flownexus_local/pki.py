"""Where the certificates of one system are: `pki/` in its folder, PEM files of which `up` gives some to the gateway.

pki/ca.pem  ca.key            the CA
pki/server.pem  server.key    what the gateway shows devices
pki/devices/<endpoint>.pem  .key
pki/former/<serial>.pem  .key what was revoked or renewed
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from flownexus_local.certificates import Issued, common_name, pem_of
from flownexus_local.errors import CannotRun
from flownexus_local.private_files import create_private
from flownexus_schemas.credentials import SOON_DAYS
from flownexus_schemas.subjects import endpoint_token

FOLDER = "pki"
SERVER, SERVER_KEY, CA, CA_KEY = "server.pem", "server.key", "ca.pem", "ca.key"
DEVICES, FORMER = "devices", "former"
MAX_FILE_NAME = 200


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


class Kept(NamedTuple):
    """A certificate in the folder, and where: `ca`, `server`, `device` or `former`."""

    kind: str
    path: Path
    certificate: x509.Certificate

    def is_of(self, endpoint: str) -> bool:
        """Whether it is, or was, a certificate of this device."""
        return self.kind in {"device", FORMER} and common_name(self.certificate) == endpoint

    def ends_soon(self, now: datetime) -> bool:
        """Whether it is in use, and has ended or will within 30 days."""
        return self.kind != FORMER and self.certificate.not_valid_after_utc <= now + timedelta(days=SOON_DAYS)


class Pki:
    """The certificates of one instance. Raises CannotRun where a file cannot be read, written, or is there already."""

    def __init__(self, instance: Path) -> None:
        self.folder = instance / FOLDER

    def ca(self) -> Issued:
        """The CA with its key."""
        certificate, key = self.folder / CA, self.folder / CA_KEY
        if not certificate.exists():
            raise CannotRun(f"there is no {certificate}: make a CA with `flownexus ca init`")
        loaded = self._key(key)
        return Issued(read_certificate(certificate), loaded)

    def device_pem(self, endpoint: str) -> Path:
        """Where the certificate of a device is, whether it is there or not."""
        name = endpoint_token(endpoint)
        if len(name) > MAX_FILE_NAME:
            name = f"{name[:MAX_FILE_NAME]}-{hashlib.sha256(endpoint.encode()).hexdigest()[:16]}"
        return self.folder / DEVICES / f"{name}.pem"

    def write(self, pem: Path, certificate: x509.Certificate, key_pem: str | None) -> None:
        """A certificate and its key, where it is here; both or none, and what is there stays."""
        try:
            for folder in (self.folder, pem.parent):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            create_private(pem, pem_of(certificate))
            if key_pem is None:
                return
            try:
                create_private(key_of(pem), key_pem)
            except OSError:
                pem.unlink()
                raise
        except FileExistsError as error:
            raise CannotRun(f"{error.filename} is there already, and stays as it is") from None
        except OSError as error:
            raise CannotRun(f"{pem} cannot be written: {error.strerror}") from None

    def put_aside(self, pem: Path) -> None:
        """A certificate and its key to those that are former."""
        former = self.folder / FORMER
        stem = former / f"{read_certificate(pem).serial_number:x}"
        try:
            former.mkdir(mode=0o700, exist_ok=True)
            if key_of(pem).exists():
                key_of(pem).replace(stem.with_suffix(".key"))
            pem.replace(stem.with_suffix(".pem"))
        except OSError as error:
            raise CannotRun(f"{pem} cannot be put aside: {error.strerror}") from None

    def __iter__(self) -> Iterator[Kept]:
        for kind, files in (
            ("ca", [self.folder / CA]),
            ("server", [self.folder / SERVER]),
            ("device", sorted((self.folder / DEVICES).glob("*.pem"))),
            (FORMER, sorted((self.folder / FORMER).glob("*.pem"))),
        ):
            for path in files:
                if path.is_file():
                    yield Kept(kind, path, read_certificate(path))

    @staticmethod
    def _key(path: Path) -> ec.EllipticCurvePrivateKey:
        try:
            key = load_pem_private_key(path.read_bytes(), None)
        except FileNotFoundError:
            raise CannotRun(f"there is no {path}, the key of the CA: bring it back to issue certificates") from None
        except (OSError, ValueError, TypeError) as error:
            raise CannotRun(f"{path} is not a private key that can be read: {error}") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise CannotRun(f"{path} is not a key of an elliptic curve")
        return key


def key_of(pem: Path) -> Path:
    """The file of the key beside a certificate."""
    return pem.with_suffix(".key")


def read_certificate(path: Path) -> x509.Certificate:
    """The first certificate in a PEM file. Raises CannotRun."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise CannotRun(f"{path} is not a certificate in PEM that can be read: {error}") from None


def read_request(path: Path) -> x509.CertificateSigningRequest:
    """A certificate signing request in PEM. Raises CannotRun."""
    try:
        return x509.load_pem_x509_csr(path.read_bytes())
    except (OSError, ValueError) as error:
        raise CannotRun(f"{path} is not a certificate signing request in PEM that can be read: {error}") from None
