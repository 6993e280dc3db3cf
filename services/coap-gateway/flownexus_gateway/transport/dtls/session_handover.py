"""Sessions that move from one gateway to another: who holds one is asked to let go of it.

Only that one knows which records came already. Where it is away, or does not answer, what it kept last has to do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from flownexus_gateway import metrics
from flownexus_schemas import subjects
from flownexus_schemas.errors import Unavailable

log = structlog.get_logger(__name__)

ANSWER_S = 1.0
"""Seconds that the other gateway has to keep what it knows."""


class LetGo(StrEnum):
    """What the holder of a session says."""

    DONE = "done"
    NOT_HELD = "not-held"
    CAME_HERE = "came-here"
    """The record was taken there: whoever brings it again is not the device."""


class SessionHandover:
    """Of one gateway. `let_go` is called with the key of a session and the number of a record of it."""

    def __init__(self, bus: Client, gateway_id: str) -> None:
        self._bus, self.gateway_id = bus, gateway_id
        self.let_go: Callable[[str, int], Awaitable[LetGo]] = _not_held
        self._subscription: Subscription | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Answer others."""
        self._subscription = await self._bus.subscribe(subjects.gateway_session(self.gateway_id), cb=self._asked)

    async def stop(self) -> None:
        if self._subscription is not None and self._bus.is_connected:
            await self._subscription.unsubscribe()

    async def ask(self, gateway: str, key: str, sequence: int) -> LetGo:
        """What the gateway says that held it last; as not held where it says nothing. Raises Unavailable: it could not
        keep what it knows.
        """
        try:
            answer = await self._bus.request(
                subjects.gateway_session(gateway), f"{key} {sequence}".encode(), timeout=ANSWER_S
            )
        except (NatsError, TimeoutError) as error:
            log.debug("dtls.session_holder_away", gateway=gateway, reason=repr(error))
            return LetGo.NOT_HELD
        if not answer.data:
            raise Unavailable(f"gateway {gateway} cannot let go of the session now")
        return LetGo(answer.data.decode())

    async def _asked(self, message: Msg) -> None:
        task = asyncio.create_task(self._answer(message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, message: Msg) -> None:
        key, _, sequence = message.data.decode().partition(" ")
        try:
            answer = (await self.let_go(key, int(sequence))).encode()
        except Unavailable as error:
            log.warning("dtls.session_not_let_go", reason=str(error))
            answer = b""
        if answer == LetGo.DONE.encode():
            metrics.SESSIONS_LET_GO.inc()
        await message.respond(answer)


async def _not_held(_key: str, _sequence: int) -> LetGo:
    return LetGo.NOT_HELD
