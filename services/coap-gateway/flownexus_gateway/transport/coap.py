"""Each datagram looked at first: notifications take the short way, requests go to the server, the rest to aiocoap."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog

from flownexus_gateway import metrics
from flownexus_gateway.downlink.coap_client import CoapClient
from flownexus_gateway.downlink.handing_over import HandingOver
from flownexus_gateway.registrations.live import LiveRegistration
from flownexus_gateway.registrations.table import KnownToken, RegistrationTable
from flownexus_gateway.transport.datagram import (
    EMPTY,
    Header,
    MalformedDatagram,
    Type,
    UnknownVersion,
    empty,
    read_header,
)
from flownexus_gateway.transport.peer import MovedPeer, Peer
from flownexus_gateway.transport.server import RequestServer
from flownexus_gateway.uplink.uplink import Uplink
from flownexus_schemas.errors import Unavailable

log = structlog.get_logger(__name__)

Heard = Callable[[LiveRegistration, Peer], None]
"""Told that a device answered, and from where."""

CatchUp = Callable[[], Awaitable[None]]
"""Waits until the table has what other gateways have stored by now. Raises Unavailable."""

MAX_UNKNOWN = 1000
"""Answers and notifications that nobody here knows and that wait for what others know; above it there is silence."""

_REQUEST_CLASS = 0
_RESPONSE_CLASSES = frozenset({2, 4, 5})


class CoapDispatcher:
    """Takes every datagram of a socket."""

    def __init__(  # noqa: PLR0917 - the parts that datagrams go to
        self,
        table: RegistrationTable,
        server: RequestServer,
        uplink: Uplink,
        client: CoapClient,
        heard: Heard,
        catch_up: CatchUp,
        handing_over: HandingOver,
    ) -> None:
        self._table, self._tokens = table, table.tokens
        self._server, self._uplink, self._client, self._heard = server, uplink, client, heard
        self._catch_up, self._handing_over = catch_up, handing_over
        self._unknown: set[asyncio.Task[None]] = set()

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
        if header.type == Type.RST:
            raise MalformedDatagram("reset")
        known = self._tokens.get(header.token)
        if known is not None and not known.live.may_be(peer):
            # Somebody else has seen the token.
            metrics.FOREIGN_TOKENS.inc()
            log.warning("token.not_theirs", endpoint=known.live.endpoint, peer=repr(peer))
            return
        if known is not None and known.answered and header.type != Type.ACK:
            metrics.NOTIFICATION_IN.inc()
            self._uplink.notification(data, header, peer, known)
            return
        metrics.RESPONSE_IN.inc()
        if known is not None and not known.answered:
            # The answer to our request; from here on this token is that of notifications.
            known.answered = True
            self._uplink.first_answer(data, header, known)
        asked = self._client.asked(header.token, peer)
        if header.type == Type.ACK and asked is None:
            asked = self._client.unacknowledged(header.message_id, peer)
        if asked is not None:
            self._client.dispatch(data, self._followed(asked, peer))
            self._is_there(peer)
            return
        metrics.UNKNOWN_TOKENS.inc()
        self._begin(self._look_again(data, header, peer))

    def _begin(self, looking: Coroutine[Any, Any, None]) -> None:
        if len(self._unknown) >= MAX_UNKNOWN:
            looking.close()
            return
        task = asyncio.create_task(looking)
        self._unknown.add(task)
        task.add_done_callback(self._unknown.discard)

    async def _look_again(self, data: bytes, header: Header, peer: Peer) -> None:
        """Another gateway may have asked for this, or have stored the observation a moment ago: a known token is never
        answered with Reset.
        """
        if await self._hand_over(data, header, peer):
            return
        try:
            await self._catch_up()
        except Unavailable as error:
            log.debug("token.not_known_yet", reason=str(error))
            return  # the device sends it again
        if header.type != Type.CON:
            # Who holds the device may be known only now.
            await self._hand_over(data, header, peer)
        elif header.token in self._tokens:
            self.receive(data, peer)
        else:
            # Nobody wants it. RFC 7641, 3.6: the device then ends that observation.
            peer.send(empty(Type.RST, header.message_id))

    async def _hand_over(self, data: bytes, header: Header, peer: Peer) -> bool:
        """Whether another gateway had asked, and has this answer now."""
        is_taken = await self._handing_over.answer(data, header, peer)
        if is_taken and header.type == Type.CON:
            peer.send(empty(Type.ACK, header.message_id))
        return is_taken

    async def stop(self) -> None:
        """Look at nothing again."""
        for task in self._unknown:
            task.cancel()
        await asyncio.gather(*self._unknown, return_exceptions=True)

    def _empty(self, data: bytes, header: Header, peer: Peer) -> None:
        metrics.EMPTY_IN.inc()
        if header.type == Type.CON:
            peer.send(empty(Type.RST, header.message_id))
        elif header.type != Type.NON:
            asked = self._client.unacknowledged(header.message_id, peer)
            if asked is None:
                self._begin(self._handing_over.empty(data, peer))
            else:
                self._client.dispatch(data, self._followed(asked, peer))
                self._is_there(peer)

    def _is_there(self, peer: Peer) -> None:
        """It answers a request, or begins to: it is awake, and whoever waits for it to speak by itself waits on."""
        live = self._table.of_peer(peer)
        if live is not None:
            live.heard_at = time.time()

    def _followed(self, asked: Peer, peer: Peer) -> Peer:
        """The peer as aiocoap knows it from the request; where it moved since, what it gets is sent to where it is."""
        last = asked.now if isinstance(asked, MovedPeer) else asked
        if last == peer:
            return asked
        live = self._table.of_peer(last)
        if live is not None:
            self._heard(live, peer)
        return MovedPeer(asked, peer)


def _reject(data: bytes, peer: Peer, tokens: dict[bytes, KnownToken]) -> None:
    """A Reset for a confirmable message that cannot be read, but never for the token of an observation."""
    if len(data) < 4 or (data[0] >> 4) & 3 != Type.CON:
        return
    size = data[0] & 15
    if size <= 8 and data[4 : 4 + size] in tokens:
        return
    peer.send(empty(Type.RST, data[2] << 8 | data[3]))
