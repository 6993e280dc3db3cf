"""Our DTLS server and clients of it in one process, without a socket: datagrams are handed over one by one."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from pydantic import SecretStr

from flownexus_gateway.transport.dtls.association import Association
from flownexus_gateway.transport.dtls.authentication import Authentication
from flownexus_gateway.transport.dtls.certificate_names import NamedBy
from flownexus_gateway.transport.dtls.dtls_server import DtlsServer
from flownexus_gateway.transport.dtls.handshakes import Contexts
from flownexus_gateway.transport.dtls.openssl_context import ServerCertificate, ServerContext
from flownexus_gateway.transport.peer import Peer, SocketAddress
from flownexus_runtime.live_credentials import LiveCredentials
from flownexus_runtime.sealing import CREDENTIALS, Sealer
from flownexus_schemas.credentials import PskCredential, X509Credential, key_binding
from harness.dtls_client import CCM_8, DtlsClient

KEY = bytes(range(16))
SEALER = Sealer(SecretStr("k" * 32), CREDENTIALS)


def psk_credential(
    identity: str = "device-1", key: bytes = KEY, id_: str = "c1", endpoint: str | None = None, **times: float
) -> PskCredential:
    """A credential as the bucket has it; the endpoint has the name of the identity."""
    endpoint = endpoint or identity
    sealed = SEALER.seal(key, key_binding(id_, endpoint, identity))
    return PskCredential(
        id=id_,
        endpoint=endpoint,
        identity=identity,
        sealed_key=sealed,
        created_at=times.pop("created_at", 0.0),
        **times,
    )


class Credentials(LiveCredentials):
    """Filled by the test."""

    def __init__(self, *credentials: PskCredential | X509Credential) -> None:
        super().__init__(SEALER)
        for credential in credentials:
            self.put(credential)

    def put(self, credential: PskCredential | X509Credential) -> None:
        self.apply(credential.id, credential.model_dump_json().encode(), self.revision + 1)


class Wire:
    """A server at time `now`. `heard` is what devices sent; what is sent to them waits at their address."""

    def __init__(
        self,
        credentials: Credentials,
        certificate: ServerCertificate | None = None,
        *,
        connection_ids: bool = True,
        mtu: int = 1200,
        named_by: NamedBy = NamedBy.CREDENTIAL,
    ) -> None:
        self.now = 1000.0
        self.credentials = credentials
        self.heard: list[tuple[bytes, Association]] = []
        self.sent: dict[SocketAddress, deque[bytes]] = {}
        with_ids = ServerContext(certificate, with_connection_ids=True) if connection_ids else None
        contexts = Contexts(ServerContext(certificate, with_connection_ids=False), with_ids)
        self.server = DtlsServer(contexts, Authentication(credentials, named_by), mtu, self.now)
        self.server.deliver = lambda data, who: self.heard.append((data, who))

    def peer(self, address: SocketAddress) -> Peer:
        waiting = self.sent.setdefault(address, deque())
        return Peer(address, None, lambda data, _: waiting.append(data))

    def give(self, datagram: bytes, address: SocketAddress) -> None:
        """A datagram comes from there."""
        self.server.receive(datagram, self.peer(address), self.now)

    def client(
        self,
        identity: str = "device-1",
        key: bytes = KEY,
        suite: int = CCM_8,
        cid: bytes | None = None,
        address: SocketAddress = ("192.0.2.1", 40000),
    ) -> WireClient:
        return WireClient(self, identity, key, suite, cid, address)

    def silence(self, client: WireClient) -> bool:
        """Whether nothing waits for a client."""
        return not self.sent.get(client.address)


class WireClient(DtlsClient):
    """A client at `address`, which the test may change. `on_the_way` may drop, change or multiply what it sends."""

    def __init__(  # noqa: PLR0917 - as DtlsClient
        self, wire: Wire, identity: str, key: bytes, suite: int, cid: bytes | None, address: SocketAddress
    ) -> None:
        self.wire, self.address = wire, address
        self.on_the_way: Callable[[bytes], list[bytes]] = lambda datagram: [datagram]
        super().__init__(self._transmit, self._receive, identity.encode(), key, suite, cid)

    def _transmit(self, datagram: bytes) -> None:
        for one in self.on_the_way(datagram):
            self.wire.give(one, self.address)

    def _receive(self, _: float) -> bytes | None:
        waiting = self.wire.sent.setdefault(self.address, deque())
        if not waiting:
            # OpenSSL has a clock of its own: its timers run whatever `now` is.
            time.sleep(0.02)
            self.wire.server.look_after(self.wire.now)
        return waiting.popleft() if waiting else None

    def say(self, data: bytes) -> Association:
        """Send data; the association that it was heard of."""
        before = len(self.wire.heard)
        self.send(data)
        assert [heard[0] for heard in self.wire.heard[before:]] == [data]
        return self.wire.heard[-1][1]
