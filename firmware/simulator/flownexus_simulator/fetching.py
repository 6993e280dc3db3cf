"""Downloads of simulated devices: a socket of its own for each, by CoAP or by HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from urllib.parse import urlsplit

from flownexus_simulator import http_pull
from flownexus_simulator.alarm import Alarm
from flownexus_simulator.coap_pull import CoapPull
from flownexus_simulator.downloads import Fetched, FetchFailed, Part
from flownexus_simulator.faults import FirmwareBehaviour
from flownexus_simulator.link import Impairment, Link
from flownexus_simulator.object5 import Result
from flownexus_simulator.server import InvalidServer, address_of

DEFAULT_PORTS = {"coap": 5683, "http": 80, "https": 443}

Deliver = Callable[[Part | Fetched | FetchFailed], None]


class Fetching:
    """One device's. `deliver` gives the device what came; `clock` is Unix time in seconds."""

    def __init__(
        self,
        behaviour: FirmwareBehaviour,
        impairment: Impairment,
        random: Random,
        *,
        clock: Callable[[], float],
        deliver: Deliver,
        allow_remote: bool,
    ) -> None:
        self._behaviour, self._impairment, self._random = behaviour, impairment, random
        self._clock, self._deliver, self._allow_remote = clock, deliver, allow_remote
        self._task: asyncio.Task[None] | None = None

    def start(self, uri: str, offset: int) -> None:
        """Fetch from this byte on, in the background."""
        self.stop()
        self._task = asyncio.create_task(self._fetch(uri, offset))

    def stop(self) -> None:
        """End what is under way; nothing more of it is delivered."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _fetch(self, uri: str, offset: int) -> None:
        parts = urlsplit(uri)
        try:
            named = parts.port or DEFAULT_PORTS.get(parts.scheme)
            if named is None:
                self._deliver(FetchFailed(Result.UNSUPPORTED_PROTOCOL))
                return
            host, port = await asyncio.to_thread(
                address_of, parts.hostname or "", named, allow_remote=self._allow_remote
            )
        except (ValueError, InvalidServer):
            self._deliver(FetchFailed(Result.INVALID_URI))
            return
        if parts.scheme == "coap":
            await self._by_coap(uri, offset, host, port)
            return
        async for event in http_pull.pull(uri, offset, self._behaviour.bytes_per_s):
            self._deliver(event)

    async def _by_coap(self, uri: str, offset: int, host: str, port: int) -> None:
        over = asyncio.Event()

        def tell(event: Part | Fetched | FetchFailed) -> None:
            if not isinstance(event, Part):
                over.set()
            self._deliver(event)

        def receive(datagram: bytes) -> None:
            pull.receive(datagram, self._clock())
            alarm.arm()

        link = Link(self._impairment, self._random, receive)
        behaviour = self._behaviour
        pull = CoapPull(
            uri,
            offset,
            behaviour.block_size,
            self._random,
            send=link.send,
            tell=tell,
            bytes_per_s=behaviour.bytes_per_s,
        )
        alarm = Alarm(pull.due, pull.tick, self._clock)
        await asyncio.get_running_loop().create_datagram_endpoint(link.itself, remote_addr=(host, port))
        try:
            pull.start(self._clock())
            alarm.arm()
            await over.wait()
        finally:
            pull.stop()
            alarm.cancel()
            link.close()
