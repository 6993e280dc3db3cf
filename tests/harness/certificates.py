"""CAs and certificates for tests, as PEM files."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


class Issued(NamedTuple):
    """A certificate, its key, and where both are."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    pem: Path
    key_pem: Path

    @property
    def fingerprint(self) -> str:
        return self.certificate.fingerprint(hashes.SHA256()).hex()


class Ca:
    """A certificate authority whose files are in `folder`."""

    def __init__(self, folder: Path, name: str = "test-ca") -> None:
        self._folder = folder
        self.root = self._write(name, *self._build(name, None, is_ca=True))

    def issue(  # noqa: PLR0917 - what a certificate states
        self,
        name: str,
        uris: Sequence[str] = (),
        dns: Sequence[str] = (),
        from_days: float = -1,
        to_days: float = 30,
        self_signed: bool = False,
    ) -> Issued:
        """A certificate with this common name, good from so many days from now to so many."""
        names = [*map(x509.UniformResourceIdentifier, uris), *map(x509.DNSName, dns)]
        issuer = None if self_signed else self.root
        built = self._build(name, issuer, names, from_days, to_days)
        return self._write(name, *built)

    def _build(  # noqa: PLR0917
        self,
        name: str,
        issuer: Issued | None,
        names: Sequence[x509.GeneralName] = (),
        from_days: float = -1,
        to_days: float = 30,
        is_ca: bool = False,
    ) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else [])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if issuer is None else issuer.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + from_days * DAY)
            .not_valid_after(now + to_days * DAY)
            .add_extension(x509.BasicConstraints(is_ca, None), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        signer = key if issuer is None else issuer.key
        return builder.sign(signer, hashes.SHA256()), key

    def _write(self, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Issued:
        stem = f"{name or 'unnamed'}-{certificate.serial_number:x}"[:60]
        pem, key_pem = self._folder / f"{stem}.pem", self._folder / f"{stem}.key"
        pem.write_bytes(certificate.public_bytes(Encoding.PEM))
        key_pem.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        key_pem.chmod(0o600)
        return Issued(certificate, key, pem, key_pem)
