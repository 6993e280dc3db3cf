"""Each datagram looked at first: notifications take the short way, requests go to the server, the rest to aiocoap."""

from __future__ import annotations

import aiocoap
import structlog
from aiocoap.error import UnparsableMessage
from aiocoap.interfaces import MessageInterface
from aiocoap.messagemanager import MessageManager

from flownexus_gateway import metrics
from flownexus_gateway.registrations.table import RegistrationTable
from flownexus_gateway.transport.datagram import (
    EMPTY,
    Header,
    MalformedDatagram,
    Type,
    UnknownVersion,
    empty,
    read_header,
)
from flownexus_gateway.transport.peer import Peer
from flownexus_gateway.transport.server import RequestServer
from flownexus_gateway.uplink.uplink import Uplink

log = structlog.get_logger(__name__)

_REQUEST_CLASS = 0
_RESPONSE_CLASSES = frozenset({2, 4, 5})


class PeerInterface(MessageInterface):  # type: ignore[misc]  # aiocoap is untyped
    """aiocoap's way out: a message knows its peer, the peer its socket."""

    def send(self, message: aiocoap.Message) -> None:
        message.remote.send(message.encode())

    async def determine_remote(self, message: aiocoap.Message) -> None:  # noqa: ARG002 - requests name their peer
        return None

    async def recognize_remote(self, remote: object) -> bool:
        return isinstance(remote, Peer)

    async def shutdown(self) -> None:
        return None


class CoapDispatcher:
    """Takes every datagram of a socket."""

    def __init__(
        self, table: RegistrationTable, server: RequestServer, uplink: Uplink, messages: MessageManager
    ) -> None:
        self._tokens = table.tokens
        self._server, self._uplink, self._messages = server, uplink, messages

    def receive(self, data: bytes, peer: Peer) -> None:
        """Raises nothing: what is malformed is counted. RFC 7252, 4.2 and 4.3."""
        try:
            header = read_header(data)
            if header.code == EMPTY:
                self._empty(data, header, peer)
            elif header.code >> 5 in _RESPONSE_CLASSES:
                self._response(data, header, peer)
            elif header.code >> 5 == _REQUEST_CLASS and header.type in (Type.CON, Type.NON):
                metrics.REQUEST_IN.inc()
                self._server.receive(data, header, peer)
            else:
                raise MalformedDatagram("code")
        except MalformedDatagram as error:
            metrics.MALFORMED.inc()
            log.debug("datagram.malformed", peer=repr(peer), reason=str(error))
            if not isinstance(error, UnknownVersion):
                _reject(data, peer, self._tokens)

    def _response(self, data: bytes, header: Header, peer: Peer) -> None:
        known = self._tokens.get(header.token)
        if known is not None and header.type != Type.RST:
            if known.answered and header.type != Type.ACK:
                metrics.NOTIFICATION_IN.inc()
                self._uplink.notification(data, header, peer, known)
                return
            # The answer to our request; from here on this token is that of notifications.
            known.answered = True
        metrics.RESPONSE_IN.inc()
        self._to_aiocoap(data, peer)

    def _empty(self, data: bytes, header: Header, peer: Peer) -> None:
        metrics.EMPTY_IN.inc()
        if header.type == Type.CON:
            peer.send(empty(Type.RST, header.message_id))
        elif header.type != Type.NON:
            self._to_aiocoap(data, peer)

    def _to_aiocoap(self, data: bytes, peer: Peer) -> None:
        try:
            message = aiocoap.Message.decode(data, remote=peer)
        except (UnparsableMessage, ValueError, IndexError) as error:
            raise MalformedDatagram("aiocoap") from error
        self._messages.dispatch_message(message)


def _reject(data: bytes, peer: Peer, tokens: dict[bytes, object] | object) -> None:
    """A Reset for a confirmable message that cannot be read, but never for the token of an observation."""
    if len(data) < 4 or (data[0] >> 4) & 3 != Type.CON:
        return
    size = data[0] & 15
    if size <= 8 and isinstance(tokens, dict) and data[4 : 4 + size] in tokens:
        return
    peer.send(empty(Type.RST, data[2] << 8 | data[3]))
