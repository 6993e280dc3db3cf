"""What OpenSSL says of a failed handshake, as our reasons."""

from __future__ import annotations

from OpenSSL import SSL

from flownexus_gateway.transport.dtls.refusals import Refusal

_REASONS = {
    "no shared cipher": Refusal.NO_COMMON_SUITE,
    "psk identity not found": Refusal.UNKNOWN_IDENTITY,
    "certificate verify failed": Refusal.UNTRUSTED,
    "peer did not return a certificate": Refusal.NO_CERTIFICATE,
    "unsupported protocol": Refusal.UNSUPPORTED_VERSION,
    "read timeout expired": Refusal.TIMED_OUT,
}


def refusal_of(error: SSL.Error) -> tuple[Refusal, str]:
    """The reason, and OpenSSL's own words."""
    if isinstance(error, SSL.ZeroReturnError):
        return Refusal.BY_DEVICE, "closed"
    words = [entry[2] for entry in error.args[0]] if error.args and isinstance(error.args[0], list) else []
    for word in words:
        if word in _REASONS:
            return _REASONS[word], word
    text = ", ".join(words) or repr(error)
    return (Refusal.BY_DEVICE if any(" alert " in f" {word} " for word in words) else Refusal.BROKEN), text
