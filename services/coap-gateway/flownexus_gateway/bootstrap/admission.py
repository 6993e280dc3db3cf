"""Who is bootstrapped, and what with: decided before anything is asked of the device."""

from __future__ import annotations

from flownexus_gateway import metrics
from flownexus_gateway.bootstrap.configurations import Configurations
from flownexus_gateway.errors import Forbidden, InvalidBootstrapRequest
from flownexus_gateway.registrations.entitlement import Entitlement
from flownexus_gateway.registrations.table import RegistrationTable
from flownexus_gateway.transport.peer import Peer
from flownexus_schemas.bootstrap.configuration import Chosen


class Admission:
    """By credentials and configurations as they are at the moment."""

    def __init__(self, configurations: Configurations, entitlement: Entitlement, table: RegistrationTable) -> None:
        self._configurations, self._entitlement, self._table = configurations, entitlement, table

    def of(self, endpoint: str, peer: Peer) -> Chosen:
        """What this endpoint is to be given, where the peer may ask. Raises Forbidden, InvalidBootstrapRequest."""
        self._entitlement.require_name(endpoint, peer, self._table.of_endpoint(endpoint))
        chosen = self._configurations.of(endpoint)
        if chosen is None:
            metrics.BOOTSTRAPS.labels("unknown").inc()
            raise InvalidBootstrapRequest(f"nobody said what {endpoint!r} is to be given at a bootstrap")
        if chosen.configuration.has_keys and peer.endpoint is None:
            metrics.BOOTSTRAPS.labels("needs-dtls").inc()
            raise Forbidden(f"{endpoint!r} is to be given keys, which would go in the clear: ask over coaps")
        return chosen
