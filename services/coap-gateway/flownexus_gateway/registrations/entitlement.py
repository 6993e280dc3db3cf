"""Which endpoint name a peer may use: over DTLS that of its credential, over plain CoAP any that has none."""

from __future__ import annotations

from flownexus_gateway import metrics
from flownexus_gateway.errors import Forbidden
from flownexus_gateway.registrations.live import LiveRegistration
from flownexus_gateway.transport.peer import Peer
from flownexus_runtime.live_credentials import LiveCredentials


class Entitlement:
    """By the credentials as they are at the moment."""

    def __init__(self, credentials: LiveCredentials) -> None:
        self._credentials = credentials

    def require_name(self, endpoint: str, peer: Peer, former: LiveRegistration | None) -> None:
        """For Register; `former` is the registration that it would replace. Raises Forbidden."""
        if peer.endpoint is None:
            is_secure = former is not None and former.registration.identity is not None
            if is_secure or self._credentials.has_any(endpoint):
                metrics.REFUSED_NAMES.labels("needs-dtls").inc()
                raise Forbidden(f"{endpoint!r} has credentials: register over coaps, or take its credentials away")
        elif peer.endpoint != endpoint:
            metrics.REFUSED_NAMES.labels("not-theirs").inc()
            raise Forbidden(f"{peer.identity} is for {peer.endpoint!r}, not for {endpoint!r}")

    @staticmethod
    def require(live: LiveRegistration, peer: Peer) -> None:
        """For what names a registration. Raises Forbidden where it is that of another device."""
        if not live.may_be(peer):
            metrics.REFUSED_NAMES.labels("needs-dtls" if peer.endpoint is None else "not-theirs").inc()
            shown = peer.identity or "a device without DTLS"
            raise Forbidden(f"this registration is not that of {shown}: register first")
