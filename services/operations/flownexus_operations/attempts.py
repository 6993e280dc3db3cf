"""One attempt: a gateway is asked, and what became of it is found out, whatever died meanwhile."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Any

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import APIError, NotFoundError

from flownexus_operations.gateway_watch import GatewayWatch
from flownexus_operations.gateways import DeviceBusy, GatewayAway, ask, process_of
from flownexus_operations.listening import Listeners, Way
from flownexus_operations.pauses import Pauses
from flownexus_schemas import subjects
from flownexus_schemas.errors import InvalidMessage, Unavailable
from flownexus_schemas.operations.lifecycle import (
    GivenUp,
    Happening,
    NotSent,
    Unanswered,
    after_answer,
    after_silence,
)
from flownexus_schemas.operations.messages import KeptAnswer, parse_kept_answer
from flownexus_schemas.operations.operation import Operation
from flownexus_schemas.subjects import Stream

log = structlog.get_logger(__name__)

KEPT_AGAIN_S = 5.0
"""After the bus came back, gateways publish the answers that they could not have kept within this."""

RETRY_S = 1.0


class Attempts:
    """Those of one replica."""

    def __init__(self, client: Client, js: JetStreamContext, listeners: Listeners, pauses: Pauses) -> None:
        self._client, self._js, self._listeners, self._pauses = client, js, listeners, pauses
        self._watch = GatewayWatch(lambda gateway: process_of(client, gateway))
        self._waiting: dict[str, asyncio.Future[KeptAnswer]] = {}
        self._begun: set[str] = set()

    def __len__(self) -> int:
        """How many are under way."""
        return len(self._waiting)

    def kept(self, answer: KeptAnswer) -> bool:
        """A gateway kept this answer; whether an attempt waits for it."""
        waiting = self._waiting.get(answer.operation_id)
        if waiting is None:
            return False
        if not waiting.done():
            waiting.set_result(answer)
        return True

    def was_begun(self, operation_id: str) -> bool:
        """Whether the device may have been asked in an attempt that is not settled."""
        return operation_id in self._begun

    def settled(self, operation_id: str) -> None:
        """The outcome of the last attempt is in the stream."""
        self._begun.discard(operation_id)

    async def outcome(self, operation: Operation, way: Way, timeout_s: float) -> Happening:
        """What became of the attempt that `operation` is in: what the gateway replies or keeps, whichever is first.

        Takes as long as the attempt; longer while the bus is away. `timeout_s`: as in `ask`.
        """
        kept: asyncio.Future[KeptAnswer] = asyncio.get_running_loop().create_future()
        self._waiting[operation.id] = kept
        self._begun.add(operation.id)
        reconnects = self._client.stats["reconnects"]
        is_registered = partial(self._listeners.is_registered, operation.endpoint)
        asked_at, generation = time.time(), self._listeners.generation(operation.endpoint)
        async with self._watch.replaced(way.gateway) as replaced:
            asking = asyncio.ensure_future(ask(self._client, way.gateway, operation, timeout_s, is_registered))
            replacing = asyncio.create_task(replaced.wait())
            try:
                waited: set[asyncio.Future[Any]] = {asking, kept, replacing}
                await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
                if not kept.done() and not asking.done():
                    # The device is not silent: it is asked again at once, unless its answer was kept.
                    return await self._kept_or(operation, kept, "was started again before the device's answer")
                happening: Happening | None = after_answer(kept.result().answer) if kept.done() else asking.result()
                if happening is None:
                    happening = await self._after_all(operation, kept, reconnects)
            except GatewayAway as error:
                self._pauses.failed(way.gateway, time.time())
                return NotSent(str(error))
            except DeviceBusy as error:
                await asyncio.sleep(RETRY_S)
                return NotSent(str(error))
            finally:
                replacing.cancel()
                if not asking.cancel() and not asking.cancelled():
                    asking.exception()  # what it raised is of no interest where the answer was kept
                del self._waiting[operation.id]
        self._pauses.worked(way.gateway)
        if isinstance(happening, Unanswered | GivenUp | NotSent):
            # One that woke up while it was waited for is asked again in the time that it is awake; one that registered
            # anew, at once.
            was_heard = way.asleep_s is not None or self._listeners.generation(operation.endpoint) != generation
            self._listeners.silent(operation.endpoint, asked_at if was_heard else time.time())
        return happening

    async def _after_all(self, operation: Operation, kept: asyncio.Future[KeptAnswer], reconnects: int) -> Happening:
        """Where the bus lost the reply: what the gateway kept, until nothing can come any more."""
        assert operation.attempt is not None
        answer = await _within(kept, operation.attempt.ends_at.timestamp() - time.time())
        while answer is None and not self._client.is_connected:
            answer = await _within(kept, RETRY_S)
        if answer is None and self._client.stats["reconnects"] != reconnects:
            answer = await _within(kept, KEPT_AGAIN_S)
        if answer is not None:
            return after_answer(answer.answer)
        return await self._kept_or(operation, kept, "did not reply")

    async def _kept_or(self, operation: Operation, kept: asyncio.Future[KeptAnswer], reason: str) -> Happening:
        """What the stream has of the device's answer, however long it cannot say; else the gateway's silence."""
        assert operation.attempt is not None
        answer: KeptAnswer | None = None
        while answer is None:
            try:
                answer = await kept_answer(self._js, operation)
                break
            except Unavailable as error:
                log.warning("operation.answer_unknown", endpoint=operation.endpoint, reason=str(error))
                answer = await _within(kept, RETRY_S)
        if answer is not None:
            return after_answer(answer.answer)
        return after_silence(operation, f"gateway {operation.attempt.gateway} {reason}")


async def kept_answer(js: JetStreamContext, operation: Operation) -> KeptAnswer | None:
    """The answer of the device that a gateway kept in the stream. Raises Unavailable."""
    subject = subjects.operation_answer(operation.endpoint, operation.id)
    try:
        message = await js.get_last_msg(Stream.OPERATIONS, subject)
        return parse_kept_answer(message.data or b"")
    except NotFoundError:
        return None
    except InvalidMessage as error:
        log.error("operation.unreadable", subject=subject, error=str(error))
        return None
    except (NatsError, APIError, TimeoutError) as error:
        raise Unavailable(f"the stream does not say whether the device answered: {error!r}") from error


async def _within(kept: asyncio.Future[KeptAnswer], seconds: float) -> KeptAnswer | None:
    done, _ = await asyncio.wait({kept}, timeout=max(0.0, seconds))
    return kept.result() if done else None
