"""One request at a time to each device. NSTART = 1: RFC 7252, 4.7."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

from flownexus_gateway import metrics
from flownexus_gateway.downlink.block1 import BlockTransfer
from flownexus_gateway.downlink.coap_client import (
    CoapClient,
    DeviceAnswer,
    DeviceRequest,
    NoAnswer,
    NotReachable,
    ReadPart,
)
from flownexus_gateway.downlink.unhurried import Unhurried
from flownexus_gateway.registrations.live import LiveRegistration, OnHeard, showed_life
from flownexus_schemas.errors import FlowNexusError
from flownexus_schemas.events import HeardBy
from flownexus_schemas.lwm2m.path import Path

Send = Callable[[DeviceRequest], Awaitable[DeviceAnswer]]

AFTER_WAKING_S = 10.0
"""A device that is heard while a request waits for it acknowledges that within this, or never got it: a NAT forgot its
port, or the network kept nothing. The rest of its awake window is for another attempt.
"""


MOVES_S = 2.0
"""Seconds for which a request waits for the registration to follow a session that went on at another gateway."""


class NotSent(FlowNexusError):
    """The time to send the request was over before it was its turn: the device was not asked."""


class DeviceRequests:
    """A request waits until the one before it to the same device is done or given up."""

    def __init__(self, client: CoapClient) -> None:
        self._client = client
        self.is_stopping = False
        """Whether parts of large payloads end with the block that is under way."""
        self.on_heard: OnHeard = showed_life

    async def send(
        self, live: LiveRegistration, request: DeviceRequest, timeout_s: float, send_by: float | None = None
    ) -> DeviceAnswer:
        """The device's answer, whatever its code. `timeout_s`: seconds from when it is sent; `send_by`: Unix seconds.

        Raises NoAnswer, and NotSent where its turn does not come before `send_by`.
        """

        def ask(wanted: DeviceRequest) -> Awaitable[DeviceAnswer]:
            return self._client.request(live.peer, wanted, timeout_s)

        return await self._alone(live, request, timeout_s, ask, send_by=send_by)

    async def send_blocks(
        self,
        live: LiveRegistration,
        request: DeviceRequest,
        transfer: BlockTransfer,
        *,
        read: ReadPart,
        slice_s: float,
        timeout_s: float,
        send_by: float | None = None,
    ) -> DeviceAnswer:
        """A part of a large payload, for about `slice_s` seconds; nothing else is asked meanwhile, as some clients
        refuse what comes between two blocks. Raises what `CoapClient.send_blocks` raises.
        """

        def send(wanted: DeviceRequest) -> Awaitable[DeviceAnswer]:
            ends_at = time.monotonic() + slice_s
            return self._client.send_blocks(
                live.peer,
                wanted,
                transfer,
                read=read,
                goes_on=lambda: time.monotonic() < ends_at and not self.is_stopping,
                timeout_s=timeout_s,
            )

        return await self._alone(live, request, timeout_s, send, send_by=send_by)

    async def _alone(
        self, live: LiveRegistration, request: DeviceRequest, timeout_s: float, send: Send, *, send_by: float | None
    ) -> DeviceAnswer:
        await _take_turn(live, send_by)
        try:
            await _moved(live)
            if not live.peer.is_reachable:
                metrics.DEVICE_REQUESTS.labels("unreachable").inc()
                raise NotReachable("it has no DTLS session here: it makes one when it next speaks")
            answer = await self._while_registered(live, request, timeout_s, send)
        except NotReachable:
            raise
        except NoAnswer:
            metrics.DEVICE_REQUESTS.labels("unanswered").inc()
            raise
        finally:
            live.request_lock.release()
        live.seen_after_answer = True
        self.on_heard(live, HeardBy.ANSWER, time.time())
        metrics.DEVICE_REQUESTS.labels("answered").inc()
        return answer

    async def _while_registered(
        self, live: LiveRegistration, request: DeviceRequest, timeout_s: float, send: Send
    ) -> DeviceAnswer:
        """Raises NoAnswer soon after the registration is over, and what `send` does."""
        try:
            async with asyncio.timeout(None) as live.request_limit:
                live.bound_request()
                if live.is_reached_asleep(time.time()):
                    return await self._asleep(live, request, timeout_s, send)
                return await send(request)
        except TimeoutError as error:
            raise NoAnswer("its registration ended before it answered: it registered anew, or is gone") from error
        finally:
            live.request_limit = None

    async def _asleep(
        self, live: LiveRegistration, request: DeviceRequest, timeout_s: float, send: Send
    ) -> DeviceAnswer:
        """Ask a device that sleeps and answers all the same. Raises what `send` does, and NoAnswer."""
        peer = live.peer
        unhurried = request._replace(tuning=Unhurried(timeout_s, lambda: live.is_awake(time.time())))
        asked = asyncio.ensure_future(send(unhurried))
        heard = asyncio.create_task(live.next_sign_of_life().wait())
        try:
            await asyncio.wait({asked, heard}, return_when=asyncio.FIRST_COMPLETED)
            within_s = min(AFTER_WAKING_S, live.registration.awake_window_s / 2)
            await asyncio.wait({asked}, timeout=within_s)
            if not asked.done() and self._client.is_unacknowledged(peer):
                raise NoAnswer(f"the device was heard, and acknowledged nothing within {within_s:g} s of that")
            return await asked
        finally:
            heard.cancel()
            asked.cancel()
            await asyncio.gather(asked, heard, return_exceptions=True)


async def _moved(live: LiveRegistration) -> None:
    """Where its session is at another gateway, wait until the registration is there too, or the session back here."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(MOVES_S):
            while True:
                await live.peer.ready()
                if live.peer.is_reachable or not live.peer.is_elsewhere:
                    return
                await live.next_sign_of_life().wait()


def require_time(send_by: float | None) -> float | None:
    """The seconds that are left to send a request; None where nothing bounds them. Raises NotSent where none are."""
    left_s = None if send_by is None else send_by - time.time()
    if left_s is not None and left_s <= 0:
        raise NotSent(f"it came {-left_s:.1f} s after the time to send it, by the clock of the gateway")
    return left_s


async def _take_turn(live: LiveRegistration, send_by: float | None) -> None:
    try:
        async with asyncio.timeout(require_time(send_by)):
            await live.request_lock.acquire()
    except TimeoutError as error:
        raise NotSent("another request to the device took too long") from error


_NAMED_BY_ROOT_SINCE = (1, 2)


def payload_root(live: LiveRegistration) -> str:
    """What names in a SenML payload begin with: the alternate path since LwM2M 1.2 (Transport 1.2.1, 6.4.1), `/` for
    older devices, whose specification does not say.
    """
    return live.registration.root_path if live.lwm2m_version >= _NAMED_BY_ROOT_SINCE else "/"


def uri_path(live: LiveRegistration, path: Path) -> tuple[str, ...]:
    """The Uri-Path of an LwM2M path, below the device's alternate path where it has one. LwM2M Core 1.1.1, 6.2.1."""
    root = (segment for segment in live.registration.root_path.split("/") if segment)
    return (*root, *(str(number) for number in path.ids))
