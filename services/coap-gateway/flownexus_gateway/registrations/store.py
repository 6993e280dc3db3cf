"""Registrations in their KV bucket."""

from __future__ import annotations

import structlog
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import Error as JetStreamError
from nats.js.kv import KeyValue
from pydantic import ValidationError

from flownexus_gateway.registrations.live import LiveRegistration
from flownexus_gateway.registrations.table import RegistrationTable
from flownexus_gateway.transport.udp_socket import UdpSocket
from flownexus_schemas import subjects
from flownexus_schemas.errors import InvalidName, Unavailable
from flownexus_schemas.registrations import StoredRegistration
from flownexus_schemas.subjects import Bucket

log = structlog.get_logger(__name__)


class RegistrationStore:
    """Writes entries, and applies those of other gateways to the table."""

    def __init__(self, js: JetStreamContext, table: RegistrationTable, socket: UdpSocket, gateway_id: str) -> None:
        self._js, self._table, self._socket, self._gateway_id = js, table, socket, gateway_id
        self._bucket: KeyValue | None = None
        self._own_loaded = False

    def loaded(self) -> None:
        """From now on our own entries in the bucket are echoes of what we wrote."""
        self._own_loaded = True

    async def put(self, stored: StoredRegistration) -> int:
        """Write an entry; its revision. Raises Unavailable."""
        try:
            bucket = await self._open()
            return await bucket.put(subjects.endpoint_key(stored.endpoint), stored.model_dump_json().encode())
        except (NatsError, JetStreamError, TimeoutError) as error:
            raise Unavailable(f"the registration was not stored: {error!r}") from error

    async def delete(self, endpoint: str) -> None:
        """Delete an entry; a mark with its revision stays. Raises Unavailable."""
        try:
            bucket = await self._open()
            await bucket.delete(subjects.endpoint_key(endpoint))
        except (NatsError, JetStreamError, TimeoutError) as error:
            raise Unavailable(f"the registration was not deleted: {error!r}") from error

    def apply(self, key: str, value: bytes | None, revision: int) -> None:
        """Take over an entry: any at the start, later those of other gateways."""
        try:
            endpoint = subjects.endpoint_of_key(key)
            stored = StoredRegistration.model_validate_json(value) if value is not None else None
        except (InvalidName, ValidationError) as error:
            log.error("registration.unreadable", key=key, revision=revision, error=str(error))
            return
        live = self._table.of_endpoint(endpoint)
        if stored is None:
            if live is None:
                self._table.ended(endpoint, revision)
            elif revision > live.revision and live.registration.gateway != self._gateway_id:
                self._table.remove(live)
                self._table.ended(endpoint, revision)
            return
        is_own = stored.registration.gateway == self._gateway_id
        if (self._own_loaded and is_own) or (live is not None and revision <= live.revision):
            return
        address = stored.registration.address
        loaded = LiveRegistration(stored, self._socket.peer(address.host, address.port), revision)
        loaded.seen_after_answer = any(observation.established for observation in stored.observations)
        self._table.put(loaded)

    async def _open(self) -> KeyValue:
        if self._bucket is None:
            self._bucket = await self._js.key_value(Bucket.REGISTRATIONS)
        return self._bucket
