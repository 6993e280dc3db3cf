"""The connection to NATS: it comes back by itself for as long as the process lives."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import nats
import structlog
from nats.aio.client import Client
from nats.js import JetStreamContext

from flownexus_runtime.settings import ServiceSettings
from flownexus_schemas.bus_users import inbox_prefix

log = structlog.get_logger(__name__)


async def connect(settings: ServiceSettings, name: str) -> Client:
    """Connect to NATS under the client name `name`. Raises what nats-py raises if the first attempt fails.

    After that it reconnects without end; `client.is_connected` says how it stands.
    """

    async def disconnected() -> None:
        log.warning("nats.disconnected")

    async def reconnected() -> None:
        log.info("nats.reconnected")

    async def failed(error: Exception) -> None:
        log.warning("nats.error", error=repr(error))

    servers = settings.nats_url.get_secret_value().split(",")
    return await nats.connect(
        servers,
        name=name,
        inbox_prefix=inbox_prefix(unquote(urlsplit(servers[0]).username or "")),
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.25,
        ping_interval=10,
        max_outstanding_pings=3,
        disconnected_cb=disconnected,
        reconnected_cb=reconnected,
        error_cb=failed,
    )


def jetstream(client: Client, timeout_s: float = 5.0) -> JetStreamContext:
    """The JetStream context of a connection; `timeout_s` bounds each publish and API call."""
    return client.jetstream(timeout=timeout_s)
