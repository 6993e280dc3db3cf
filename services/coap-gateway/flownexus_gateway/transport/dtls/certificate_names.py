"""What names a certificate, as credentials have it: `cn:`, `dns:`, `uri:`, `sha256:`. Sans-IO."""

from __future__ import annotations

from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID


class NamedBy(StrEnum):
    """What gives the endpoint name of a device whose certificate no credential matches."""

    CREDENTIAL = "credential"
    COMMON_NAME = "common-name"
    ALTERNATIVE_NAME = "alternative-name"


def subjects_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """Every name of a certificate, the most exact first: the fingerprint, alternative names, common names."""
    fingerprint = certificate.fingerprint(SHA256()).hex()
    common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return (
        f"sha256:{fingerprint}",
        *(f"uri:{name}" for name in _alternative(certificate, x509.UniformResourceIdentifier)),
        *(f"dns:{name.lower()}" for name in _alternative(certificate, x509.DNSName)),
        *(f"cn:{attribute.value if isinstance(attribute.value, str) else ''}" for attribute in common),
    )


def endpoint_of(subjects: tuple[str, ...], named_by: NamedBy) -> str | None:
    """The endpoint name that a certificate itself gives; None where it gives none, or several."""
    match named_by:
        case NamedBy.CREDENTIAL:
            return None
        case NamedBy.COMMON_NAME:
            kinds = {"cn"}
        case NamedBy.ALTERNATIVE_NAME:
            kinds = {"uri", "dns"}
    names = {name for kind, _, name in (subject.partition(":") for subject in subjects) if kind in kinds and name}
    return names.pop() if len(names) == 1 else None


def _alternative(
    certificate: x509.Certificate, kind: type[x509.UniformResourceIdentifier] | type[x509.DNSName]
) -> list[str]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return extension.value.get_values_for_type(kind)
