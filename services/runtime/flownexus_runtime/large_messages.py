"""Messages above what NATS carries: the body goes into the object store, and a header of the message names it.

Whoever put a body there takes it away again; what nobody took away ages out with the bucket's time to live.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from uuid import uuid4

import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import ObjectDeletedError, ObjectNotFoundError

from flownexus_schemas.errors import InvalidMessage, Unavailable
from flownexus_schemas.subjects import LARGE_MESSAGES

log = structlog.get_logger(__name__)

STORED_IN = "Flownexus-Stored-In"
"""Header with the name of the object in LARGE_MESSAGES that is the message's body."""

MAX_MESSAGE_BYTES = 900_000
"""A body above this is stored; NATS takes 1 MiB with the headers."""

MAX_BYTES = 16 * 1024 * 1024
"""The largest body taken from the object store."""


class Outgoing(NamedTuple):
    """What to publish."""

    data: bytes
    headers: dict[str, str] | None = None


class LargeMessages:
    """Of one connection."""

    def __init__(self, js: JetStreamContext) -> None:
        self._js = js

    async def put(self, body: bytes) -> Outgoing:
        """The message for a body: itself, or one that names where it was stored.

        Raises InvalidMessage above MAX_BYTES, Unavailable.
        """
        if len(body) <= MAX_MESSAGE_BYTES:
            return Outgoing(body)
        if len(body) > MAX_BYTES:
            raise InvalidMessage(f"a message has at most {MAX_BYTES} bytes, this one has {len(body)}")
        name = uuid4().hex
        try:
            store = await self._js.object_store(LARGE_MESSAGES)
            await store.put(name, body)
        except (NatsError, TimeoutError) as error:
            raise Unavailable("a large message could not be kept in NATS; try again shortly") from error
        return Outgoing(b"", {STORED_IN: name})

    async def get(self, message: Msg) -> bytes:
        """The body of a message. Raises InvalidMessage where there is none or it is too large, Unavailable."""
        name = (message.headers or {}).get(STORED_IN)
        if name is None:
            return message.data
        try:
            store = await self._js.object_store(LARGE_MESSAGES)
            size = (await store.get_info(name)).size or 0
            if size > MAX_BYTES:
                raise InvalidMessage(f"a message has at most {MAX_BYTES} bytes, this one has {size}")
            return (await store.get(name)).data or b""
        except (ObjectNotFoundError, ObjectDeletedError) as error:
            raise InvalidMessage(f"the body of this message, {name!r}, is not in {LARGE_MESSAGES} any more") from error
        except (NatsError, TimeoutError) as error:
            raise Unavailable("a large message could not be read from NATS; try again shortly") from error

    async def forget(self, headers: Mapping[str, str] | None) -> None:
        """Take away the body that these headers name, if they do."""
        name = (headers or {}).get(STORED_IN)
        if name is None:
            return
        try:
            store = await self._js.object_store(LARGE_MESSAGES)
            await store.delete(name)
        except (NatsError, TimeoutError) as error:
            log.warning("large_message.kept", name=name, error=repr(error))
