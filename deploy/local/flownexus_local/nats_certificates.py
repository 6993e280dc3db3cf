"""Certificates for NATS over TLS: a CA that signs one server certificate, and whose key is forgotten then.

Nobody can make a second one in its name. A certificate that is about to end is replaced together with its CA, at a
restart of the server and of the services.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from flownexus_local.private_files import write_private

CA, CERTIFICATE, KEY = "nats-ca.pem", "nats.pem", "nats.key"
GOOD_FOR = datetime.timedelta(days=730)
RENEWED_BEFORE = datetime.timedelta(days=30)
CLOCKS_DIFFER_BY = datetime.timedelta(hours=1)


class NatsFiles(NamedTuple):
    """PEM files: what the server shows, and what its clients verify that with."""

    ca: Path
    certificate: Path
    private_key: Path


def nats_files(folder: Path) -> NatsFiles:
    """Where they are in a folder, whether they are there or not."""
    return NatsFiles(folder / CA, folder / CERTIFICATE, folder / KEY)


def make(folder: Path, hosts: Sequence[str], now: datetime.datetime) -> NatsFiles:
    """Write all three anew, for a server under these names and addresses. Raises OSError, ValueError for a host."""
    names = [_name(host) for host in hosts]
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Flow Nexus NATS CA")])
    known_by = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    ca = (
        _begun(issuer, issuer, ca_key, now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(known_by, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    certificate = (
        _begun(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0][:64])]), issuer, key, now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(known_by), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    files = nats_files(folder)
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    write_private(files.private_key, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())
    for path, public in ((files.certificate, certificate), (files.ca, ca)):
        write_private(path, public.public_bytes(Encoding.PEM).decode())
        # Services of other accounts read the CA.
        path.chmod(0o644)
    return files


def kept_or_made(folder: Path, hosts: Sequence[str], now: datetime.datetime) -> NatsFiles:
    """Those of the folder; made anew where one is missing or not good for long any more. Raises OSError."""
    files = nats_files(folder)
    if all(os.access(path, os.R_OK) for path in files) and ends_at(files) - now > RENEWED_BEFORE:
        return files
    return make(folder, hosts, now)


def ends_at(files: NatsFiles) -> datetime.datetime:
    """The end of the server's certificate, which its CA's is too. Raises OSError, ValueError."""
    return x509.load_pem_x509_certificate(files.certificate.read_bytes()).not_valid_after_utc


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCKS_DIFFER_BY)
        .not_valid_after(now + GOOD_FOR)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
