"""The bootstrap server's own ports: plain CoAP, CoAPS, or both, with nothing but it on them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from flownexus_gateway.transport.coap import CoapDispatcher
from flownexus_gateway.transport.dtls.dtls_socket import DtlsOptions, DtlsSocket
from flownexus_gateway.transport.dtls.handshakes import Contexts
from flownexus_gateway.transport.plain_access import PlainAccess
from flownexus_gateway.transport.server import Handler, RequestServer
from flownexus_gateway.transport.sockets import Sockets
from flownexus_runtime.live_credentials import LiveCredentials

DispatcherOf = Callable[[RequestServer], CoapDispatcher]


class BootstrapPorts:
    """Sessions of DTLS are not kept beyond the process: a bootstrap is over in seconds."""

    def __init__(  # noqa: PLR0917 - what a port needs
        self,
        sockets: Sockets,
        contexts: Contexts | None,
        options: DtlsOptions,
        credentials: LiveCredentials,
        handle: Handler,
        dispatcher_of: DispatcherOf,
    ) -> None:
        self._sockets = sockets
        self._server = RequestServer(handle)
        self._dispatcher = dispatcher_of(self._server)
        self._dtls: DtlsSocket | None = None
        if sockets.secure is not None and contexts is not None:
            self._dtls = DtlsSocket(sockets.secure, contexts, options, credentials)

    def start(self, access: PlainAccess, used: Callable[[str], None]) -> list[asyncio.Task[None]]:
        """Begin to read; the tasks that go on for ever. `used` as that of DtlsSocket."""
        tasks = [asyncio.create_task(self._server.sweep())]
        if self._sockets.plain is not None:
            self._sockets.plain.start(access.guarded(self._dispatcher.receive))
        if self._dtls is not None:
            self._dtls.start(self._dispatcher.receive)
            self._dtls.tell_used(used)
            tasks.append(asyncio.create_task(self._dtls.run()))
        return tasks

    async def stop(self, timeout_s: float) -> None:
        """Read no more, and let the answers under way end within `timeout_s`."""
        self._sockets.stop_reading()
        await self._dispatcher.stop()
        await self._server.stop(timeout_s)
