"""Answers that come to another gateway than the one that asked: handed to that one, over the bus.

Behind a load balancer a device can move between a request and its answer. Who asked is told from the token; where that
is of an observation, and for an empty message, which has none, it is the gateway that holds the device.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from flownexus_gateway import metrics
from flownexus_gateway.downlink.coap_client import CoapClient
from flownexus_gateway.downlink.request_tokens import MARK_BYTES, TOKEN_BYTES, mark_of
from flownexus_gateway.registrations.live import LiveRegistration
from flownexus_gateway.registrations.table import RegistrationTable
from flownexus_gateway.transport.datagram import Header, MalformedDatagram, Type, read_header
from flownexus_gateway.transport.peer import Peer
from flownexus_schemas import subjects

log = structlog.get_logger(__name__)

FROM = "Flownexus-From"
"""Header: the origin of the peer that the datagram came from. Only who was asked may answer."""

TAKEN_S = 1.0
"""For so long a gateway may need to say whether the answer was for it."""

NOT_ASKED = "Flownexus-Not-Asked"
"""Header of the reply of a gateway that did not ask for the answer."""

Heard = Callable[[LiveRegistration, Peer], None]
"""Told that a device answered, and from where."""


class HandingOver:
    """Of the gateway whose requests `client` sends."""

    def __init__(
        self, bus: Client, client: CoapClient, table: RegistrationTable, heard: Heard, gateway_id: str
    ) -> None:
        self._bus, self._client, self._table, self._heard = bus, client, table, heard
        self._gateway_id, self._mark = gateway_id, mark_of(gateway_id)
        self._subscription: Subscription | None = None

    async def start(self) -> None:
        """Take what others hand over."""
        self._subscription = await self._bus.subscribe(subjects.gateway_answer(self._mark.hex()), cb=self._take)

    async def stop(self) -> None:
        if self._subscription is not None and self._bus.is_connected:
            await self._subscription.unsubscribe()

    async def answer(self, data: bytes, header: Header, peer: Peer) -> bool:
        """Whether another gateway had asked, and has this answer now. The device is held here from then on."""
        for mark in self._who_may_have_asked(header.token, peer):
            try:
                taken = await self._bus.request(
                    subjects.gateway_answer(mark.hex()), data, timeout=TAKEN_S, headers={FROM: peer.origin}
                )
            except NoRespondersError:
                continue
            except (NatsError, TimeoutError) as error:
                log.debug("answer.not_handed_over", reason=repr(error))
                continue
            if NOT_ASKED in (taken.headers or {}):
                continue
            metrics.HANDED_OVER.inc()
            live = self._table.of_endpoint(taken.data.decode(errors="replace"))
            if live is not None:
                self._heard(live, peer)
            return True
        return False

    def _who_may_have_asked(self, token: bytes, peer: Peer) -> list[bytes]:
        """Marks of other gateways: of that in the token; of that which holds the device, as any gateway asks to observe
        with the token that the observation has.
        """
        known = self._table.tokens.get(token)
        live = known.live if known is not None else self._table.of_peer(peer)
        marks = [token[:MARK_BYTES]] if known is None and len(token) == TOKEN_BYTES else []
        if live is not None:
            marks.append(mark_of(live.registration.gateway))
        return [mark for mark in dict.fromkeys(marks) if mark != self._mark]

    async def empty(self, data: bytes, peer: Peer) -> None:
        """An acknowledgement or Reset of nothing that was sent from here: it may be for the gateway of the device."""
        live = self._table.of_peer(peer)
        if live is None or live.registration.gateway == self._gateway_id:
            return
        try:
            mark = mark_of(live.registration.gateway).hex()
            await self._bus.publish(subjects.gateway_answer(mark), data, headers={FROM: peer.origin})
        except NatsError as error:
            log.debug("answer.not_handed_over", reason=repr(error))

    async def _take(self, message: Msg) -> None:
        origin = (message.headers or {}).get(FROM, "")
        try:
            header = read_header(message.data)
            if not header.token:
                asked = self._client.unacknowledged_by(header.message_id, origin)
                if asked is not None:
                    self._client.dispatch(message.data, asked)
                return
            asked = self._client.asked_of(header.token, origin)
            if asked is None:
                await self._bus.publish(message.reply, headers={NOT_ASKED: "1"})
                return
            live = self._table.of_peer(asked)
            # The other gateway acknowledges it, so what is left of it here is an answer that needs none.
            self._client.dispatch(_unconfirmable(message.data, header), asked)
        except MalformedDatagram as error:
            log.debug("answer.malformed", reason=str(error))
            return
        log.info("answer.handed_over", endpoint=None if live is None else live.endpoint)
        await message.respond(b"" if live is None else live.endpoint.encode())


def _unconfirmable(data: bytes, header: Header) -> bytes:
    return data if header.type != Type.CON else bytes((data[0] & 0xCF | Type.NON << 4,)) + data[1:]
