"""One request at a time to each device. NSTART = 1: RFC 7252, 4.7."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from flownexus_gateway import metrics
from flownexus_gateway.downlink.block1 import BlockTransfer
from flownexus_gateway.downlink.coap_client import CoapClient, DeviceAnswer, DeviceRequest, NoAnswer, ReadPart
from flownexus_gateway.registrations.live import LiveRegistration
from flownexus_schemas.lwm2m.path import Path


class DeviceRequests:
    """A request waits until the one before it to the same device is done or given up."""

    def __init__(self, client: CoapClient) -> None:
        self._client = client
        self.is_stopping = False
        """Whether parts of large payloads end with the block that is under way."""

    async def send(self, live: LiveRegistration, request: DeviceRequest, timeout_s: float) -> DeviceAnswer:
        """The device's answer, whatever its code. `timeout_s`: seconds from when it is sent. Raises NoAnswer."""
        return await self._alone(live, lambda: self._client.request(live.peer, request, timeout_s))

    async def send_blocks(
        self,
        live: LiveRegistration,
        request: DeviceRequest,
        transfer: BlockTransfer,
        *,
        read: ReadPart,
        slice_s: float,
        timeout_s: float,
    ) -> DeviceAnswer:
        """A part of a large payload, for about `slice_s` seconds; nothing else is asked meanwhile, as some clients
        refuse what comes between two blocks. Raises what `CoapClient.send_blocks` raises.
        """

        def send() -> Awaitable[DeviceAnswer]:
            ends_at = time.monotonic() + slice_s
            return self._client.send_blocks(
                live.peer,
                request,
                transfer,
                read=read,
                goes_on=lambda: time.monotonic() < ends_at and not self.is_stopping,
                timeout_s=timeout_s,
            )

        return await self._alone(live, send)

    async def _alone(self, live: LiveRegistration, send: Callable[[], Awaitable[DeviceAnswer]]) -> DeviceAnswer:
        async with live.request_lock:
            try:
                answer = await send()
            except NoAnswer:
                metrics.DEVICE_REQUESTS.labels("unanswered").inc()
                raise
        live.seen_after_answer = True
        metrics.DEVICE_REQUESTS.labels("answered").inc()
        return answer


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
