"""DTLS beside CoAP's plain socket: a UDP socket, and the server behind it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple

from nats.js import JetStreamContext

from flownexus_gateway.transport.dtls.authentication import Authentication
from flownexus_gateway.transport.dtls.certificate_names import NamedBy
from flownexus_gateway.transport.dtls.dtls_server import DtlsServer
from flownexus_gateway.transport.dtls.handshakes import Contexts
from flownexus_gateway.transport.dtls.openssl_context import ServerCertificate, ServerContext
from flownexus_gateway.transport.dtls.session_handover import SessionHandover
from flownexus_gateway.transport.dtls.session_store import SessionStore
from flownexus_gateway.transport.peer import Peer
from flownexus_gateway.transport.udp_socket import UdpSocket
from flownexus_runtime.live_credentials import LiveCredentials
from flownexus_runtime.sealing import Sealer

INTERVAL_S = 0.2
"""Handshakes are looked after so often."""

Receive = Callable[[bytes, Peer], None]


class DtlsOptions(NamedTuple):
    """What the settings say of DTLS. Without a certificate devices need keys."""

    certificate: ServerCertificate | None
    named_by: NamedBy
    connection_ids: bool
    mtu: int

    def contexts(self) -> Contexts:
        """OpenSSL set up for this. Raises InvalidRequest where a file of the certificate will not do."""
        plain = ServerContext(self.certificate, with_connection_ids=False)
        with_ids = ServerContext(self.certificate, with_connection_ids=True) if self.connection_ids else None
        return Contexts(plain, with_ids)


class DtlsSocket:
    """Reads datagrams, and hands on what devices sent once `start` is called."""

    def __init__(self, udp: UdpSocket, contexts: Contexts, options: DtlsOptions, credentials: LiveCredentials) -> None:
        self._udp = udp
        authentication = Authentication(credentials, options.named_by)
        self.server = DtlsServer(contexts, authentication, options.mtu, time.time())
        credentials.on_changes.append(lambda _: self.server.credentials_changed())

    def keep_sessions(self, js: JetStreamContext, sealer: Sealer, handover: SessionHandover) -> SessionStore:
        """Keep sessions beyond this process from now on."""
        associations = self.server.associations
        store = SessionStore(js, sealer, associations, self._udp.peer, handover)
        associations.on_begun, associations.on_heard = store.begin, store.changed
        associations.on_low, associations.on_ended = store.soon, store.ended
        self.server.look_up = store.look_up
        return store

    def tell_used(self, used: Callable[[str], None]) -> None:
        """Have `used` called with the id of each credential by which a device is in, again and again."""
        self.server.associations.on_standing = lambda association: used(association.authenticated.credential_id)

    def start(self, receive: Receive) -> None:
        """Begin to read; `receive` gets each datagram of CoAP and the association it came in."""
        self.server.deliver = receive
        self._udp.start(self._receive)

    def session_of(self, endpoint: str) -> Peer | None:
        """The association of an endpoint that was heard last."""
        return self.server.associations.of_endpoint(endpoint)

    async def run(self) -> None:
        """Look after what is under way, for ever."""
        while True:
            await asyncio.sleep(INTERVAL_S)
            self.server.look_after(time.time())

    def _receive(self, datagram: bytes, path: Peer) -> None:
        self.server.receive(datagram, path, time.time())
