"""A request made in one Content-Format after the other, until the device takes it; what it took is remembered."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from flownexus_gateway import metrics
from flownexus_gateway.downlink.coap_client import DeviceAnswer, DeviceRequest
from flownexus_gateway.downlink.content_formats import REFUSALS, Use, choices
from flownexus_gateway.downlink.device_requests import DeviceRequests
from flownexus_gateway.profiles import Profiles
from flownexus_gateway.registrations.live import LiveRegistration
from flownexus_schemas.lwm2m.errors import CodecError

log = structlog.get_logger(__name__)

Changed = Callable[[LiveRegistration], None]
"""Told that a registration is to be stored again, when there is time."""

Make = Callable[[int | None], DeviceRequest]
"""The request in a Content-Format. Raises CodecError where that cannot carry it."""


class NegotiatedRequests:
    """4.06 and 4.15 lead to the next format. LwM2M Core 1.1.1, 7.4; RFC 7252, 5.5.4."""

    def __init__(self, requests: DeviceRequests, profiles: Profiles, changed: Changed) -> None:
        self._requests, self._profiles, self._changed = requests, profiles, changed

    def choices(self, live: LiveRegistration, use: Use | None, wanted: int | None = None) -> tuple[int | None, ...]:
        """The formats to try, with the profile's choice among them."""
        return choices(live, use, wanted, self._profiles.of(live.endpoint, live.object_ids).format)

    async def send(
        self,
        live: LiveRegistration,
        use: Use | None,
        make: Make,
        timeout_s: float,
        *,
        wanted: int | None = None,
        send_by: float | None = None,
    ) -> tuple[int | None, DeviceAnswer]:
        """The format of the request and the device's answer to it: the first that is no refusal of a format, else the
        last. `timeout_s`: seconds for all together. Raises NoAnswer, CodecError, InvalidRequest, NotSent (as
        DeviceRequests).
        """
        formats = self.choices(live, use, wanted)
        requests = _requests(formats, make)
        deadline: float | None = None
        for number, (format_, request) in enumerate(requests, start=1):
            left_s = timeout_s if deadline is None else max(0.0, deadline - time.monotonic())
            sent_at = time.monotonic()
            answer = await self._requests.send(live, request, left_s, send_by if number == 1 else None)
            deadline = deadline or sent_at + timeout_s
            if use is None or number == len(requests) or answer.code_text not in REFUSALS[use]:
                break
            self.refused(live, use, format_, answer.code_text)
        if number > 1 and use is not None and answer.is_success:
            self.learn(live, use, format_)
        return format_, answer

    async def send_as_is(
        self, live: LiveRegistration, request: DeviceRequest, timeout_s: float, send_by: float | None = None
    ) -> DeviceAnswer:
        """One request that has no format to choose. Raises NoAnswer, NotSent."""
        return await self._requests.send(live, request, timeout_s, send_by)

    def refused(self, live: LiveRegistration, use: Use, format_: int | None, code: str) -> None:
        """Count a format that was refused."""
        metrics.REFUSED_FORMATS.inc()
        log.info("request.format_refused", endpoint=live.endpoint, use=use, content_format=format_, code=code)

    def learn(self, live: LiveRegistration, use: Use, format_: int | None) -> None:
        """Begin with this format from now on, in this registration."""
        if format_ is not None:
            live.learn_format(use, format_)
            self._changed(live)


def _requests(formats: tuple[int | None, ...], make: Make) -> list[tuple[int | None, DeviceRequest]]:
    """The request in each format that can carry it. Raises the first CodecError where none can."""
    made: list[tuple[int | None, DeviceRequest]] = []
    failure: CodecError | None = None
    for format_ in formats:
        try:
            made.append((format_, make(format_)))
        except CodecError as error:
            failure = failure or error
    if failure is not None and not made:
        raise failure
    return made
