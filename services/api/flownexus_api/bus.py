"""The API's connection to NATS: made in the background, so that the API serves reads while NATS is away."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError
from nats.js import JetStreamContext

from flownexus_api.credential_bucket import CredentialBucket, Decide
from flownexus_runtime import bus as runtime_bus
from flownexus_runtime.bucket import Apply, Bucket
from flownexus_runtime.bus_tls import TlsFailed
from flownexus_runtime.firmware_links import FirmwareLinks, load_links
from flownexus_runtime.large_messages import LargeMessages
from flownexus_runtime.live_credentials import LiveCredentials
from flownexus_runtime.live_tags import LiveTags
from flownexus_runtime.settings import ServiceSettings
from flownexus_schemas import subjects
from flownexus_schemas.errors import Unavailable

CLIENT_NAME = "flownexus-api"
LOAD_S = 5.0
"""What is followed is read within this time of the start, or NATS is in trouble."""


class Bus:
    """A NATS connection that may not be there yet, or any more."""

    def __init__(self, on_model: Apply | None = None) -> None:
        """`on_model` is told each entry of the bucket of object models, at first all that there are."""
        self._client: Client | None = None
        self._on_model = on_model
        self._buckets: dict[str, Bucket] = {}
        self._links: FirmwareLinks | None = None
        self.tags = LiveTags()
        self._credentials = CredentialBucket()

    @property
    def is_connected(self) -> bool:
        return self._client is not None and self._client.is_connected

    def loaded_tags(self) -> LiveTags:
        """The tags of endpoints, as last heard. Raises Unavailable before they were read for the first time."""
        self._require_loaded(subjects.Bucket.ENDPOINT_TAGS, "tags of endpoints")
        return self.tags

    def loaded_credentials(self) -> LiveCredentials:
        """The credentials of devices, as last heard. Raises Unavailable before they were read for the first time."""
        self._require_loaded(subjects.Bucket.CREDENTIALS, "credentials of devices")
        return self._credentials.live

    async def credentials(self) -> LiveCredentials:
        """The same, once they are read: that is moments after the start."""
        bucket = self._buckets.get(subjects.Bucket.CREDENTIALS)
        if bucket is not None and not bucket.is_loaded:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOAD_S):
                    await bucket.loaded()
        return self.loaded_credentials()

    async def change_credentials(self, decide: Decide) -> None:
        """Change all that `decide` says or nothing, on what is there. Raises what that raises, and Unavailable."""
        self.loaded_credentials()
        await self._credentials.change(self.jetstream(), self.publish, decide)

    def _require_loaded(self, name: str, what: str) -> None:
        bucket = self._buckets.get(name)
        if bucket is None or not bucket.is_loaded:
            raise Unavailable(f"The {what} were not read from the message bus yet; try again shortly.")

    @property
    def reconnects(self) -> int:
        """How often the connection was lost and came back."""
        return self._client.stats["reconnects"] if self._client is not None else 0

    def jetstream(self) -> JetStreamContext:
        """JetStream over the connection. Raises Unavailable while NATS is away."""
        if self._client is None or not self._client.is_connected:
            raise Unavailable("The message bus is away; try again shortly.")
        return runtime_bus.jetstream(self._client)

    async def firmware_links(self) -> FirmwareLinks:
        """What signs links to firmware. Raises Unavailable."""
        if self._links is None:
            self._links = await load_links(self.jetstream())
        return self._links

    async def publish(self, subject: str, payload: bytes, headers: dict[str, str] | None = None) -> None:
        """Tell whoever listens, without an acknowledgement. Raises Unavailable while NATS is away."""
        if self._client is None or not self._client.is_connected:
            raise Unavailable("The message bus is away; try again shortly.")
        await self._client.publish(subject, payload, headers=headers)

    async def request(self, payload: bytes, timeout_s: float, *among: str) -> bytes | None:
        """The reply to a request on the first of these subjects where somebody listens; None where nobody does.

        Request and reply may be of any size that `LargeMessages` takes. Raises Unavailable while NATS is away, and
        where there is no reply within `timeout_s`, InvalidMessage.
        """
        if self._client is None or not self._client.is_connected:
            raise Unavailable("The message bus is away; try again shortly.")
        large = LargeMessages(self.jetstream())
        out = await large.put(payload)
        try:
            for subject in among:
                try:
                    reply = await self._client.request(subject, out.data, timeout=timeout_s, headers=out.headers)
                except NoRespondersError:
                    continue
                except (NatsError, TimeoutError) as error:
                    raise Unavailable("The message bus did not carry the request; try again shortly.") from error
                try:
                    return await large.get(reply)
                finally:
                    await large.forget(reply.headers)
            return None
        finally:
            await large.forget(out.headers)

    @contextlib.asynccontextmanager
    async def connecting(self, settings: ServiceSettings, stop: asyncio.Event) -> AsyncIterator[None]:
        """Connect in the background while the block runs, for as long as it takes; close at its end.

        Sets `stop` where TLS with NATS cannot be had; the end of the block raises TlsFailed then.
        """
        task = asyncio.create_task(self._connect(settings))
        task.add_done_callback(lambda ended: stop.set() if _without_tls(ended) else None)
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            for bucket in self._buckets.values():
                await bucket.stop()
            if self._client is not None:
                await self._client.close()

    async def _connect(self, settings: ServiceSettings) -> None:
        self._client = await runtime_bus.connect(settings, CLIENT_NAME)
        followed: dict[str, Apply] = {
            subjects.Bucket.ENDPOINT_TAGS: self.tags.apply,
            subjects.Bucket.CREDENTIALS: self._credentials.apply,
        }
        if self._on_model is not None:
            followed[subjects.Bucket.OBJECT_MODELS] = self._on_model
        js = runtime_bus.jetstream(self._client)
        for name, apply in followed.items():
            self._buckets[name] = Bucket(self._client, js, name, apply)
            self._buckets[name].start()


def _without_tls(ended: asyncio.Task[None]) -> bool:
    return not ended.cancelled() and isinstance(ended.exception(), TlsFailed)
