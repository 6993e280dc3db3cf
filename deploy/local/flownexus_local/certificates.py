"""Certificates of a small CA: EC P-256, signed over SHA-256. No files; times are arguments. RFC 5280, RFC 7925.

A certificate begins an hour early, as clocks differ, and never outlives the CA's own.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from flownexus_local.errors import CannotRun

EARLY = timedelta(hours=1)
MAX_COMMON_NAME = 64
"""Characters. RFC 5280, A.1, ub-common-name."""

CA_DAYS, SERVER_DAYS, DEVICE_DAYS = 3650, 730, 730

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+")
_DNS = re.compile(r"[A-Za-z0-9*]([A-Za-z0-9.*-]{0,251}[A-Za-z0-9])?")


class Issued(NamedTuple):
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        """In PKCS #8, not encrypted."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def make_ca(days: float, now: datetime) -> Issued:
    """A CA that issues certificates and no further CAs. Its name is its own, so that two are told apart."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _common_name(f"Flow Nexus CA {secrets.token_hex(4)}")
    builder = (
        _builder(name, name, key, now, now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(True, 0), critical=True)
        .add_extension(_usage(is_ca=True), critical=True)
    )
    return Issued(builder.sign(key, SHA256()), key)


def make_server(ca: Issued, names: Sequence[str], days: float, now: datetime) -> Issued:
    """What the gateway shows devices: its host names and addresses. Raises CannotRun."""
    alternatives = [_host(name) for name in names]
    return _issue(ca, names[0], alternatives, ExtendedKeyUsageOID.SERVER_AUTH, days, now)


def make_device(ca: Issued, endpoint: str, days: float, now: datetime) -> Issued:
    """Of one endpoint: its common name, and a URI where the name is one. Raises CannotRun."""
    alternatives = [x509.UniformResourceIdentifier(endpoint)] if _URI.fullmatch(endpoint) else []
    return _issue(ca, endpoint, alternatives, ExtendedKeyUsageOID.CLIENT_AUTH, days, now)


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 over the certificate, as credentials have it."""
    return certificate.fingerprint(SHA256()).hex()


def common_name(certificate: x509.Certificate) -> str:
    """The common name; empty where there is none."""
    found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else ""


def _issue(  # noqa: PLR0917 - what a certificate states
    ca: Issued,
    name: str,
    alternatives: Sequence[x509.GeneralName],
    purpose: x509.ObjectIdentifier,
    days: float,
    now: datetime,
) -> Issued:
    end = ca.certificate.not_valid_after_utc
    if end <= now:
        raise CannotRun(f"the CA has expired on {end:%Y-%m-%d}: make another one in another folder")
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = ca.certificate.subject
    builder = (
        _builder(_common_name(name), issuer, key, now, min(end, now + timedelta(days=days)))
        .add_extension(x509.BasicConstraints(False, None), critical=True)
        .add_extension(_usage(is_ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key()), critical=False)
    )
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return Issued(builder.sign(ca.key, SHA256()), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, end: datetime
) -> x509.CertificateBuilder:
    public = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - EARLY)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _common_name(name: str) -> x509.Name:
    if not 0 < len(name) <= MAX_COMMON_NAME or "\0" in name:
        raise CannotRun(f"{name!r} is no common name of a certificate: that has 1 to {MAX_COMMON_NAME} characters")
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _host(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        if not _DNS.fullmatch(name):
            raise CannotRun(f"{name!r} is neither a host name nor an address") from None
        return x509.DNSName(name)


def _usage(*, is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_ca,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
