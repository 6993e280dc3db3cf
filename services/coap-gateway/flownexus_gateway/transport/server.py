"""Requests from devices: told from retransmissions, put together from blocks, handled, answered or left in silence.

aiocoap's server side acknowledges a request after 0.1 s, done or not. Here nothing is acknowledged before it is kept:
an answer is piggybacked on the acknowledgement, and while NATS is away there is neither.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Hashable

import structlog

from flownexus_gateway import errors, metrics
from flownexus_gateway.transport.blocks import BlockAssembler
from flownexus_gateway.transport.datagram import (
    Header,
    Message,
    Option,
    Type,
    code_text,
    read_message,
    uint,
    write_message,
)
from flownexus_gateway.transport.duplicates import AnsweredRequests
from flownexus_gateway.transport.peer import Peer
from flownexus_gateway.transport.request import GET, POST, Answer, Request

log = structlog.get_logger(__name__)

Handler = Callable[[Request], Awaitable[Answer]]

SWEEP_S = 30.0
SEND = ("dp",)
_BEGINNINGS = frozenset({("rd",), ("bs",)})
"""Register and Bootstrap-Request: their handlers tell a retransmission from the request of a rebooted device."""

_UNDERSTOOD = frozenset(
    {Option.URI_HOST, Option.URI_PORT, Option.URI_PATH, Option.URI_QUERY, Option.ACCEPT, Option.BLOCK1, Option.BLOCK2}
)
_MAX_UNDER_WAY = 10_000


class RequestServer:
    """Hands each request to `handle` once; a GET, which changes nothing, each time that it comes: the blocks of a
    download would fill the memory. RFC 7252, 4.5.
    """

    def __init__(self, handle: Handler) -> None:
        self._handle = handle
        self._answered = AnsweredRequests()
        self._blocks = BlockAssembler()
        self._tasks: set[asyncio.Task[None]] = set()

    def receive(self, data: bytes, header: Header, peer: Peer) -> None:
        """Take a datagram with a request code. Raises MalformedDatagram."""
        now = time.time()
        message = read_message(data, header)
        path = tuple(message.texts(Option.URI_PATH))
        if _is_beginning(message, path):
            self._answered.forget(peer.blockwise_key, message.message_id)
        is_remembered = message.code != GET
        if is_remembered:
            known = self._answered.find(peer.blockwise_key, message.message_id, data, now)
            if known is not None:
                if known.answer is not None:
                    peer.send(known.answer)
                return
        if len(self._tasks) >= _MAX_UNDER_WAY:
            metrics.UNACKNOWLEDGED.inc()
            return
        request = Request(
            message,
            peer,
            path,
            tuple(message.texts(Option.URI_QUERY)),
            message.payload,
            message.uint(Option.CONTENT_FORMAT),
            now,
        )
        if is_remembered:
            self._answered.begin(peer.blockwise_key, message.message_id, data, now)
        task = asyncio.create_task(self._serve(request, data, is_remembered=is_remembered))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def sweep(self) -> None:
        """Free abandoned transfers, for ever."""
        while True:
            await asyncio.sleep(SWEEP_S)
            self._blocks.forget_old(time.time())

    async def stop(self, timeout_s: float) -> None:
        """Wait for the requests under way, at most `timeout_s`."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=timeout_s)
            for task in late:
                task.cancel()

    async def _serve(self, request: Request, data: bytes, *, is_remembered: bool) -> None:
        message, peer = request.message, request.peer
        reply: bytes | None = None
        try:
            answer = await self._answer(request)
            if answer is not None:
                reply = _reply(message, answer)
        finally:
            if is_remembered:
                self._answered.end(peer.blockwise_key, message.message_id, data, reply)
        if reply is not None:
            peer.send(reply)
        else:
            metrics.UNACKNOWLEDGED.inc()

    async def _answer(self, request: Request) -> Answer | None:
        block = request.message.uint(Option.BLOCK1)
        echo = () if block is None else ((Option.BLOCK1, uint(block)),)
        try:
            _refuse_unknown_options(request.message)
            if block is not None:
                key = (_sender(request), request.message.code, request.path, request.queries)
                payload = self._blocks.take(key, block, request.payload, request.received_at)
                if payload is None:
                    return Answer(errors.CONTINUE, echo)
                request = request._replace(payload=payload)
            answer = await self._handle(request)
        except errors.ANSWERED as error:
            code = errors.code_of(error)
            if code is None:
                log.warning("request.not_answered", peer=repr(request.peer), path=request.path, reason=str(error))
                return None
            log.warning("request.refused", peer=repr(request.peer), path=request.path, code=code_text(code),
                        reason=str(error))  # fmt: skip
            answer = Answer(code, errors.options_of(error), str(error).encode()[:512])
        return answer._replace(options=(*answer.options, *echo))


def _sender(request: Request) -> Hashable:
    """Whose transfer it is: what names its registration may come from another port with each block, as from behind a
    NAT; Send names none.
    """
    return request.peer.blockwise_key if request.path == SEND else request.peer.origin


def _is_beginning(message: Message, path: tuple[str, ...]) -> bool:
    if path not in _BEGINNINGS or message.code != POST:
        return False
    block = message.uint(Option.BLOCK1)
    return block is None or block >> 4 == 0


def _refuse_unknown_options(message: Message) -> None:
    for number, _ in message.options:
        if number & 1 and number not in _UNDERSTOOD:
            raise errors.BadOption(f"option {number} is not known here")


def _reply(request: Message, answer: Answer) -> bytes:
    """Piggybacked on the acknowledgement, or non-confirmable as the request. RFC 7252, 5.2.1 and 5.2.3."""
    if request.type == Type.CON:
        return write_message(Message(Type.ACK, answer.code, request.message_id, request.token, *answer[1:]))
    message_id = random.getrandbits(16)
    return write_message(Message(Type.NON, answer.code, message_id, request.token, *answer[1:]))
