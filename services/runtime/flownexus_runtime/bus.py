"""The connection to NATS: it comes back by itself for as long as the process lives."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

import structlog
from nats.aio.client import Client
from nats.js import JetStreamContext

from flownexus_runtime import bus_tls
from flownexus_runtime.bus_tls import StrictClient, TlsFailed
from flownexus_runtime.settings import NatsSettings, ServiceSettings
from flownexus_schemas.bus_users import inbox_prefix

log = structlog.get_logger(__name__)


async def connect(settings: ServiceSettings, name: str) -> Client:
    """Connect to NATS under the client name `name`, for as long as it takes. Raises TlsFailed.

    After that it reconnects without end; `client.is_connected` says how it stands.
    """
    client = StrictClient()
    servers = settings.nats_url.get_secret_value().split(",")
    refusals = 0

    async def disconnected() -> None:
        log.warning("nats.disconnected")

    async def reconnected() -> None:
        log.info("nats.reconnected")

    async def failed(error: Exception) -> None:
        nonlocal refusals
        advice = bus_tls.explanation(error)
        if advice is None:
            log.warning("nats.error", error=repr(error))
            return
        refusals += 1
        if refusals >= len(servers) and not was_connected:
            # Raised to the caller of `connect`, which calls us between its attempts.
            raise TlsFailed(advice)
        log.warning("nats.tls_failed", error=repr(error), advice=advice)

    options: dict[str, Any] = {
        "name": name,
        "inbox_prefix": inbox_prefix(unquote(urlsplit(servers[0]).username or "")),
        "max_reconnect_attempts": -1,
        "reconnect_time_wait": 0.25,
        "ping_interval": 10,
        "max_outstanding_pings": 3,
        "disconnected_cb": disconnected,
        "reconnected_cb": reconnected,
        "error_cb": failed,
    }
    was_connected = False
    try:
        await client.connect(servers, **options, **tls_options(settings))
    except TlsFailed:
        await client.close()
        raise
    was_connected = True
    return client


def tls_options(settings: NatsSettings) -> dict[str, Any]:
    """Arguments of nats-py's `connect` for the TLS that the settings ask for; none without it."""
    if not settings.nats_uses_tls:
        return {}
    named = {} if settings.nats_server_name is None else {"tls_hostname": settings.nats_server_name}
    return {"tls": bus_tls.context(settings.nats_ca), **named}


def jetstream(client: Client, timeout_s: float = 5.0) -> JetStreamContext:
    """The JetStream context of a connection; `timeout_s` bounds each publish and API call."""
    return client.jetstream(timeout=timeout_s)
