"""The LwM2M server's resources: which request is whose. LwM2M Core 1.1.1, 6; Transport 1.1.1, 6.4.3."""

from __future__ import annotations

import asyncio
import random

from flownexus_gateway import errors, metrics
from flownexus_gateway.bootstrap.bootstrap_router import BootstrapRouter
from flownexus_gateway.errors import MethodNotAllowed, Overloaded
from flownexus_gateway.firmware_downloads import FirmwareDownloads
from flownexus_gateway.registrations.identifiers import digest
from flownexus_gateway.registrations.registrar import Registrar
from flownexus_gateway.transport.datagram import Option
from flownexus_gateway.transport.request import DELETE, GET, POST, Answer, Request
from flownexus_gateway.uplink.report import Report
from flownexus_gateway.uplink.uplink import Uplink
from flownexus_runtime import firmware_links as links
from flownexus_schemas.errors import NotFound, Unavailable
from flownexus_schemas.events import Trigger
from flownexus_schemas.lwm2m.codecs import SUPPORTED
from flownexus_schemas.lwm2m.content_format import ContentFormat
from flownexus_schemas.lwm2m.errors import UnsupportedContentFormat
from flownexus_schemas.lwm2m.path import Path

RETRY_AFTER_S = 30
"""And up to 15 s more, so that not all clients come back at once."""


class Router:
    """Calls the handler of a path. `bootstrap` where that is served on these ports too."""

    def __init__(
        self, registrar: Registrar, uplink: Uplink, firmware: FirmwareDownloads, bootstrap: BootstrapRouter | None
    ) -> None:
        self._registrar, self._uplink, self._firmware, self._bootstrap = registrar, uplink, firmware, bootstrap

    async def handle(self, request: Request) -> Answer:
        """Raises what `errors.code_of` takes."""
        match request.path, request.message.code:
            case ("rd",), code if code == POST:
                return await self._register(request)
            case ("rd", identifier), code if code == POST:
                await self._registrar.update(request, identifier)
                return Answer(errors.CHANGED)
            case ("rd", identifier), code if code == DELETE:
                await self._registrar.deregister(request, identifier)
                return Answer(errors.DELETED)
            case ("dp",), code if code == POST:
                return await self._send(request)
            case (links.PREFIX, signed, image), code if code == GET:
                return await self._firmware.handle(request, signed, image)
            case (links.PREFIX, signed, image, update_id), code if code == GET:
                return await self._firmware.handle(request, signed, image, update_id)
            case ("rd",) | ("rd", _) | ("dp",) | (links.PREFIX, _, _) | (links.PREFIX, _, _, _), _:
                raise MethodNotAllowed("this path takes other methods")
        if self._bootstrap is not None:
            return await self._bootstrap.handle(request)
        raise NotFound("there is nothing at this path")

    async def _register(self, request: Request) -> Answer:
        identifier = await self._registrar.register(request)
        return Answer(errors.CREATED, ((Option.LOCATION_PATH, b"rd"), (Option.LOCATION_PATH, identifier.encode())))

    async def _send(self, request: Request) -> Answer:
        """Send, of LwM2M 1.1: 4.04 to a client that is not registered, 5.03 while too much is under way.

        LwM2M Core 1.1.1, 6.4.4.
        """
        live = await self._registrar.of_peer(request.peer)
        if live is None:
            raise NotFound("no device is registered from this address: update the registration, then send again")
        if request.content_format is not None and request.content_format not in SUPPORTED:
            raise UnsupportedContentFormat(f"Content-Format {request.content_format} is not known here")
        live.seen_after_answer = True
        self._registrar.heard(live, request.peer)
        if self._uplink.is_full:
            # An application that sends values gets to know, and when to try again. After an error to Register some
            # clients give up, after one to Update they register: these, as notifications, get silence.
            metrics.OVERLOADED.inc()
            raise Overloaded(RETRY_AFTER_S + random.getrandbits(4))
        report = Report(
            live, Trigger.SEND, True, None, None, Path(), request.payload, request.content_format,
            ContentFormat.SENML_CBOR, request.received_at,
        )  # fmt: skip
        message = request.message
        event_id = digest("send", live.id, message.message_id, message.token, request.payload)
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._uplink.publish(report, event_id, lambda is_kept: None if answer.done() else answer.set_result(is_kept))
        if not await answer:
            raise Unavailable("JetStream did not take the event")
        return Answer(errors.CHANGED)
