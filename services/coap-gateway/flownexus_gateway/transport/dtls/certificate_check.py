"""What to say of a device's certificate, beside what OpenSSL finds in its chain."""

from __future__ import annotations

from typing import NamedTuple

import structlog
from cryptography import x509

from flownexus_gateway import metrics
from flownexus_gateway.transport.dtls import openssl_private
from flownexus_gateway.transport.dtls.authentication import Authentication, Identity
from flownexus_gateway.transport.dtls.refusals import Refusal, Refused
from flownexus_schemas.credentials import SOON_DAYS

log = structlog.get_logger(__name__)

DAY_S = 86_400
OK, NOT_YET_VALID, HAS_EXPIRED, REVOKED, REJECTED = 0, 9, 10, 23, 28
"""X509_V_ codes, which OpenSSL turns into alerts."""

_WITHOUT_CA = frozenset({2, 18, 19, 20, 21, 27})
"""Codes for a chain that leads to no CA of ours: no matter for a certificate that is pinned."""

_REFUSALS = {HAS_EXPIRED: Refusal.CERTIFICATE_EXPIRED, NOT_YET_VALID: Refusal.NOT_YET_VALID, REVOKED: Refusal.REVOKED}
_CODES = {Refusal.REVOKED: REVOKED, Refusal.EXPIRED: HAS_EXPIRED, Refusal.NOT_YET_VALID: NOT_YET_VALID}
_WEAK = frozenset({"md5", "sha1"})


class Verdict(NamedTuple):
    """The code for OpenSSL; whose certificate it is, or why it will not do."""

    code: int
    identity: Identity | None = None
    refused: Refused | None = None


def verdict(
    authentication: Authentication, leaf: x509.Certificate, current: x509.Certificate, error: int, now: float
) -> Verdict:
    """`error` is what OpenSSL says of `current`, which is in the chain of `leaf`."""
    if error in _WITHOUT_CA and authentication.is_pinned(leaf, now):
        error = OK
    who = f"x509:{leaf.subject.rfc4514_string()}"
    if error != OK:
        reason = _REFUSALS.get(error, Refusal.UNTRUSTED)
        return Verdict(error, refused=Refused(reason, f"{who} ({openssl_private.verify_error_text(error)})"))
    if _is_weak(current):
        return Verdict(REJECTED, refused=Refused(Refusal.WEAK_CERTIFICATE, who))
    if current != leaf:
        return Verdict(OK)
    try:
        identity = authentication.certificate(leaf, now)
    except Refused as refused:
        return Verdict(_CODES.get(refused.reason, REJECTED), refused=refused)
    days = (leaf.not_valid_after_utc.timestamp() - now) / DAY_S
    if days <= SOON_DAYS:
        metrics.EXPIRING_CERTIFICATES.inc()
        log.warning("dtls.certificate_expires_soon", who=who, endpoint=identity.endpoint, days=int(days))
    return Verdict(OK, identity=identity)


def _is_weak(certificate: x509.Certificate) -> bool:
    """Signed over a hash that can be forged; that of a root does not count, it is trusted as it is."""
    signed_over = certificate.signature_hash_algorithm
    return signed_over is not None and signed_over.name in _WEAK and certificate.issuer != certificate.subject
