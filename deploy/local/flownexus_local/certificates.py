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

CURVES = ("secp256r1", "secp384r1")
"""Of the keys that the gateway takes."""

CA_DAYS, SERVER_DAYS, DEVICE_DAYS = 3650, 730, 730

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+")
_DNS = re.compile(r"[A-Za-z0-9*]([A-Za-z0-9.*-]{0,251}[A-Za-z0-9])?")


class Issued(NamedTuple):
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def key_pem(self) -> str:
        """In PKCS #8, not encrypted."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def pem_of(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def make_ca(days: float, now: datetime) -> Issued:
    """A CA that issues certificates and no further CAs. Its name is its own, so that two are told apart."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _common_name(f"Flow Nexus CA {secrets.token_hex(4)}")
    builder = (
        _builder(name, name, key.public_key(), now, now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(True, 0), critical=True)
        .add_extension(_usage(is_ca=True), critical=True)
    )
    return Issued(builder.sign(key, SHA256()), key)


def make_server(ca: Issued, names: Sequence[str], days: float, now: datetime) -> Issued:
    """What the gateway shows devices: its host names and addresses. Raises CannotRun."""
    key = ec.generate_private_key(ec.SECP256R1())
    alternatives = [_host(name) for name in names]
    certificate = _issue(
        ca, key.public_key(), names[0], alternatives, ExtendedKeyUsageOID.SERVER_AUTH, _end(ca, days, now), now
    )
    return Issued(certificate, key)


def make_device(ca: Issued, endpoint: str, days: float, now: datetime) -> Issued:
    """Of one endpoint: its common name, and a URI where the name is one. Raises CannotRun."""
    key = ec.generate_private_key(ec.SECP256R1())
    return Issued(_of_device(ca, key.public_key(), endpoint, days, now), key)


def sign_device(
    ca: Issued, request: x509.CertificateSigningRequest, endpoint: str, days: float, now: datetime
) -> x509.Certificate:
    """The same for a key that the device made and keeps. Raises CannotRun."""
    key = request.public_key()
    if not request.is_signature_valid:
        raise CannotRun("the request is not signed by its own key")
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in CURVES:
        raise CannotRun(f"the request has a key that the gateway does not take: make one of {' or '.join(CURVES)}")
    named = [str(attribute.value) for attribute in request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if named not in ([], [endpoint]):
        raise CannotRun(f"the request is that of {', '.join(map(repr, named))}, not of {endpoint!r}")
    return _of_device(ca, key, endpoint, days, now)


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 over the certificate, as credentials have it."""
    return certificate.fingerprint(SHA256()).hex()


def common_name(certificate: x509.Certificate) -> str:
    """The common name; empty where there is none."""
    found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else ""


def _of_device(
    ca: Issued, key: ec.EllipticCurvePublicKey, endpoint: str, days: float, now: datetime
) -> x509.Certificate:
    alternatives = [x509.UniformResourceIdentifier(endpoint)] if _URI.fullmatch(endpoint) else []
    return _issue(ca, key, endpoint, alternatives, ExtendedKeyUsageOID.CLIENT_AUTH, _end(ca, days, now), now)


def _end(ca: Issued, days: float, now: datetime) -> datetime:
    end = ca.certificate.not_valid_after_utc
    if end <= now:
        raise CannotRun(f"the CA has expired on {end:%Y-%m-%d}: make another one in another folder")
    return min(end, now + timedelta(days=days))


def _issue(  # noqa: PLR0917 - what a certificate states
    ca: Issued,
    key: ec.EllipticCurvePublicKey,
    name: str,
    alternatives: Sequence[x509.GeneralName],
    purpose: x509.ObjectIdentifier,
    end: datetime,
    now: datetime,
) -> x509.Certificate:
    builder = (
        _builder(_common_name(name), ca.certificate.subject, key, now, end)
        .add_extension(x509.BasicConstraints(False, None), critical=True)
        .add_extension(_usage(is_ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key()), critical=False)
    )
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return builder.sign(ca.key, SHA256())


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - EARLY)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
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
