# mypy: allow-untyped-calls
"""aiocoap as the client: a request goes out, is retransmitted, put together from blocks, and answered."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from aiocoap.error import Error as CoapError
from aiocoap.error import UnparsableMessage
from aiocoap.interfaces import MessageInterface
from aiocoap.message import Message as AiocoapMessage
from aiocoap.numbers.codes import Code
from aiocoap.numbers.constants import TransportTuning

from flownexus_gateway import aiocoap_private
from flownexus_gateway.downlink.block1 import Block, BlockTransfer, TransferFailed
from flownexus_gateway.downlink.late_answers import LateAnswers
from flownexus_gateway.downlink.request_tokens import RequestTokens
from flownexus_gateway.transport.datagram import (
    MalformedDatagram,
    Message,
    Option,
    Type,
    code_text,
    diagnostic_text,
    uint,
)
from flownexus_gateway.transport.peer import Peer
from flownexus_schemas.errors import FlowNexusError
from flownexus_schemas.lwm2m.limits import MAX_BYTES

MAX_PAYLOAD_BYTES = 1024
"""In one datagram. RFC 7252, 4.6."""

_MORE = 1 << 3
_TOO_LARGE = 0x8D

ReadPart = Callable[[int, int], Awaitable[bytes]]
"""Bytes of a payload that is not in memory: offset and length."""


class NoAnswer(FlowNexusError):
    """The device did not answer, or reset the request."""


class NotReachable(NoAnswer):
    """Nothing was sent, as there is no way to the device until it speaks again."""


class DeviceRequest(NamedTuple):
    """One request; `observe` is 0 to begin, 1 to end an observation. `token` is chosen only for observations. `tuning`
    says when it is sent again, where not as usual. `late` is told of the answer where that comes after all.
    """

    code: Code
    path: tuple[str, ...]
    queries: tuple[str, ...] = ()
    payload: bytes = b""
    content_format: int | None = None
    accept: int | None = None
    observe: int | None = None
    token: bytes | None = None
    tuning: TransportTuning | None = None
    late: Callable[[DeviceAnswer], None] | None = None


class DeviceAnswer(NamedTuple):
    """The answer, whatever its code. `block2` and `block1` are the options' values; `message_id` is 0 where there is
    none; `accept` is what the request asked for; `peer` is where the device is now.
    """

    code: int
    payload: bytes
    content_format: int | None
    observe: int | None
    location: tuple[str, ...]
    token: bytes
    message_id: int
    block2: int | None
    block1: int | None = None
    accept: int | None = None
    peer: Peer | None = None

    @property
    def is_success(self) -> bool:
        return self.code >> 5 == 2

    @property
    def code_text(self) -> str:
        """`2.05`."""
        return code_text(self.code)

    @property
    def diagnostic(self) -> str | None:
        """The payload of an error as text. RFC 7252, 5.5.2."""
        return diagnostic_text(self.payload)

    def as_message(self) -> Message:
        """With the options that an observation looks at, as a datagram has them."""
        numbers = (
            (Option.OBSERVE, self.observe),
            (Option.CONTENT_FORMAT, self.content_format),
            (Option.BLOCK2, self.block2),
        )
        options = [(number, uint(value)) for number, value in numbers if value is not None]
        return Message(Type.CON, self.code, self.message_id, self.token, options, self.payload)


class CoapClient:
    """Shares the sockets of the server: what is no notification and no request is given to `dispatch`."""

    def __init__(self, tokens: RequestTokens) -> None:
        self._tokens, self._late = tokens, LateAnswers()
        self._context, self._messages = aiocoap_private.create_context(_PeerInterface(), tokens.new)

    def dispatch(self, data: bytes, peer: Peer) -> None:
        """Take an answer, an acknowledgement or a Reset. Raises MalformedDatagram.

        An answer whose request was given up a moment ago is dropped, unless somebody is to be told of it all the same.
        """
        if self._late.take(data, peer):
            return
        try:
            message = AiocoapMessage.decode(data, remote=peer)
        except (UnparsableMessage, ValueError, IndexError) as error:
            raise MalformedDatagram("aiocoap") from error
        # aiocoap lets go of a request that was cancelled a turn of the loop later; until then it fails at the answer.
        with contextlib.suppress(asyncio.InvalidStateError):
            self._messages.dispatch_message(message)

    def asked(self, token: bytes, peer: Peer) -> Peer | None:
        """Where the request with this token went, if its answer may come from `peer`: from there, or from another place
        of that origin. RFC 7252, 5.3.2 and 9.1.1 would have the first alone; a NAT gives devices another port between
        any two datagrams, and tokens of 8 random bytes are not guessed.
        """
        if aiocoap_private.is_expected(self._messages, token, peer):
            return peer
        return self.asked_of(token, peer.origin)

    def asked_of(self, token: bytes, origin: str) -> Peer | None:
        """Where the request with this token went, if that is of this origin."""
        return _of(aiocoap_private.asked_remote(self._messages, token) or self._late.asked(token), origin)

    def unacknowledged_by(self, message_id: int, origin: str) -> Peer | None:
        """Where the message of this id went that waits for an acknowledgement, if that is of this origin."""
        remotes = aiocoap_private.unacknowledged_remotes(self._messages, message_id)
        return next((peer for peer in remotes if _of(peer, origin) is not None), None)

    def unacknowledged(self, message_id: int, peer: Peer) -> Peer | None:
        """Where the message of this id went that waits for an acknowledgement, if that may come from `peer`."""
        return _of(aiocoap_private.exchange_remote(self._messages, message_id, peer), peer.origin)

    def is_unacknowledged(self, peer: Peer) -> bool:
        """Whether a message to `peer` waits for its acknowledgement."""
        return aiocoap_private.is_unacknowledged(self._messages, peer)

    async def request(self, peer: Peer, wanted: DeviceRequest, timeout_s: float) -> DeviceAnswer:
        """Raises NoAnswer, TransferFailed. A large payload goes, and a large answer comes, block by block; the answer
        not where a token is chosen. `timeout_s`: seconds for all of it.
        """
        try:
            async with asyncio.timeout(timeout_s):
                if len(wanted.payload) > MAX_PAYLOAD_BYTES:
                    return await self._send_in_blocks(peer, wanted, BlockTransfer(len(wanted.payload)))
                if not wanted.payload and wanted.late is None:
                    return await self._request(peer, wanted)
                # aiocoap fails at an answer with Block1 to a request that had none.
                token = wanted.token or self._tokens.new()
                answer = await self._first(peer, wanted._replace(token=token), token)
                smaller = _hint(answer, len(wanted.payload))
                if smaller is None:
                    return await self._whole(peer, wanted, token, answer)
                transfer = BlockTransfer(len(wanted.payload), smaller)
                return await self._send_in_blocks(answer.peer or peer, wanted, transfer)
        except TimeoutError as error:
            raise NoAnswer(f"no answer within {timeout_s:g} s") from error

    async def _first(self, peer: Peer, wanted: DeviceRequest, token: bytes) -> DeviceAnswer:
        """The answer to a request that goes in one datagram; a late one is told where that is wanted."""
        try:
            return await self._request(peer, wanted)
        except (NoAnswer, asyncio.CancelledError):
            if (late := wanted.late) is not None:
                self._late.expect(token, peer, lambda message: late(_late_answer(message, wanted)))
            raise

    async def _send_in_blocks(self, peer: Peer, wanted: DeviceRequest, transfer: BlockTransfer) -> DeviceAnswer:
        """All blocks have one token: Zephyr 3.1 knows a transfer by it. aiocoap would use a new one for each."""
        token = wanted.token or self._tokens.new()
        while True:
            block = transfer.block
            payload = wanted.payload[block.offset : block.offset + block.length]
            answer = await self._request(peer, wanted._replace(payload=payload, token=token), block)
            peer = answer.peer or peer
            if not transfer.take(answer.code, answer.block1):
                break
        return await self._whole(peer, wanted, token, answer)

    async def send_blocks(
        self,
        peer: Peer,
        wanted: DeviceRequest,
        transfer: BlockTransfer,
        *,
        read: ReadPart,
        goes_on: Callable[[], bool],
        timeout_s: float,
    ) -> DeviceAnswer:
        """The blocks of `transfer`, read one by one, while `goes_on`; the answer to the last. `wanted` has a token.

        `timeout_s`: seconds for all of it. Raises NoAnswer, TransferFailed, and what `read` raises; how far it came
        is in `transfer`.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            block = transfer.block
            payload = await read(block.offset, block.length)
            try:
                async with asyncio.timeout(deadline - time.monotonic()):
                    answer = await self._request(peer, wanted._replace(payload=payload), block)
            except TimeoutError as error:
                raise NoAnswer(f"no answer within {timeout_s:g} s") from error
            peer = answer.peer or peer
            if not transfer.take(answer.code, answer.block1) or not goes_on():
                return answer

    async def _whole(self, peer: Peer, wanted: DeviceRequest, token: bytes, answer: DeviceAnswer) -> DeviceAnswer:
        """The answer with its further blocks, asked for without the payload. RFC 7959, 3.3."""
        if wanted.token is not None:
            return answer
        payload, block2 = bytearray(answer.payload), answer.block2
        while answer.is_success and block2 is not None and block2 & _MORE:
            if len(payload) > MAX_BYTES:
                raise TransferFailed(f"the answer has more than {MAX_BYTES} bytes")
            number = len(payload) >> ((block2 & 7) + 4)
            request = wanted._replace(payload=b"", content_format=None, token=token)
            answer = await self._request(peer, request, next_of_answer=number << 4 | block2 & 7)
            peer, block2 = answer.peer or peer, answer.block2
            payload += answer.payload
        return answer._replace(payload=bytes(payload)) if answer.is_success else answer

    async def _request(
        self, peer: Peer, wanted: DeviceRequest, block: Block | None = None, next_of_answer: int | None = None
    ) -> DeviceAnswer:
        message = AiocoapMessage(
            code=wanted.code,
            uri_path=wanted.path,
            uri_query=wanted.queries,
            payload=wanted.payload,
            transport_tuning=wanted.tuning,
        )
        message.opt.content_format, message.opt.accept = wanted.content_format, wanted.accept
        message.opt.observe = wanted.observe
        if block is not None:
            message.opt.block1 = (block.number, block.more, block.size_exponent)
            message.opt.size1 = block.whole_size if block.number == 0 else None
        if next_of_answer is not None:
            message.opt.block2 = (next_of_answer >> 4, False, next_of_answer & 7)
        message.remote = peer
        if wanted.token is not None:
            aiocoap_private.choose_token(message, wanted.token)
        request = self._context.request(message, handle_blockwise=wanted.token is None)
        try:
            answer = await request.response
        except CoapError as error:
            raise NoAnswer(str(error) or type(error).__name__) from error
        finally:
            if wanted.token is not None:
                aiocoap_private.forget_request(message, self._messages)
        return _read(answer)._replace(accept=wanted.accept)

    async def shutdown(self) -> None:
        await self._context.shutdown()


class _PeerInterface(MessageInterface):
    """aiocoap's way out: a message knows its peer, the peer its socket."""

    def send(self, message: Any) -> None:
        message.remote.send(message.encode())

    async def determine_remote(self, message: Any) -> None:  # noqa: ARG002 - every request names its peer
        return None

    async def recognize_remote(self, remote: object) -> bool:
        return isinstance(remote, Peer)

    async def shutdown(self) -> None:
        return None


def _of(asked: Any, origin: str) -> Peer | None:
    return asked if isinstance(asked, Peer) and asked.origin == origin else None


def _hint(answer: DeviceAnswer, size: int) -> int | None:
    """The size exponent in which the device would take what it refused with 4.13. RFC 7959, 2.9.3."""
    if answer.code != _TOO_LARGE or answer.block1 is None:
        return None
    exponent = answer.block1 & 7
    return exponent if 16 << exponent < size else None


def _late_answer(message: Message, wanted: DeviceRequest) -> DeviceAnswer:
    return DeviceAnswer(
        message.code,
        message.payload,
        message.uint(Option.CONTENT_FORMAT),
        None,
        tuple(message.texts(Option.LOCATION_PATH)),
        message.token,
        message.message_id,
        message.uint(Option.BLOCK2),
        accept=wanted.accept,
    )


def _read(answer: Any) -> DeviceAnswer:
    block, block1 = answer.opt.block2, answer.opt.block1
    content_format = answer.opt.content_format
    return DeviceAnswer(
        int(answer.code),
        bytes(answer.payload),
        None if content_format is None else int(content_format),
        answer.opt.observe,
        tuple(answer.opt.location_path),
        bytes(answer.token or b""),
        answer.mid or 0,
        None if block is None else block.block_number << 4 | block.more << 3 | block.size_exponent,
        None if block1 is None else block1.block_number << 4 | block1.more << 3 | block1.size_exponent,
        peer=answer.remote if isinstance(answer.remote, Peer) else None,
    )
