"""One gateway an id: a second under the same would take the first one's registrations for its own.

Who has the id answers on its subject for as long as it is connected. NATS says at once where nobody does, also after a
kill, as the connection of the one before is closed with its process.
"""

from __future__ import annotations

import asyncio
import os
import socket
from datetime import UTC, datetime

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from flownexus_schemas import subjects
from flownexus_schemas.errors import Conflict

log = structlog.get_logger(__name__)

PATIENCE_S = 5.0
"""For so long the one before may need to stop, as when a supervisor starts the next one early."""

ASK_AGAIN_S = 0.25
ANSWER_S = 1.0


async def claim(client: Client, gateway_id: str) -> Subscription:
    """Take the id; unsubscribe to give it back. Raises Conflict where another gateway keeps it."""
    subject = subjects.gateway_alive(gateway_id)
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while (holder := await _holder(client, subject)) is not None:
        if asyncio.get_running_loop().time() > deadline:
            raise Conflict(
                f"FLOWNEXUS_GATEWAY_ID: {gateway_id!r} is in use by {holder}; give each gateway an id of its own"
            )
        log.warning("gateway.id_in_use", gateway=gateway_id, holder=holder)
        await asyncio.sleep(ASK_AGAIN_S)
    # In containers the process after a restart has the number and the host of the one before.
    since = datetime.now(UTC).isoformat(timespec="milliseconds")
    us = f"process {os.getpid()} on {socket.gethostname()}, since {since}".encode()

    async def answer(message: Msg) -> None:
        await message.respond(us)

    return await client.subscribe(subject, cb=answer)


async def _holder(client: Client, subject: str) -> str | None:
    try:
        return (await client.request(subject, b"", timeout=ANSWER_S)).data.decode(errors="replace")
    except NoRespondersError:
        return None
    except (NatsError, TimeoutError):
        return "a gateway that does not answer"
