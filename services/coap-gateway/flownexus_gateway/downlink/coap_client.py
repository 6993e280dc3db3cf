# mypy: allow-untyped-calls
"""aiocoap as the client: a request goes out, is retransmitted, put together from blocks, and answered."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any, NamedTuple

from aiocoap.error import Error as CoapError
from aiocoap.error import UnparsableMessage
from aiocoap.interfaces import MessageInterface
from aiocoap.message import Message as AiocoapMessage
from aiocoap.numbers.codes import POST, PUT, Code, iPATCH

from flownexus_gateway import aiocoap_private
from flownexus_gateway.downlink.block1 import Block, BlockTransfer
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

MAX_PAYLOAD_BYTES = 1024
"""In one datagram. RFC 7252, 4.6."""

_WRITES = frozenset({POST, PUT, iPATCH})


class NoAnswer(FlowNexusError):
    """The device did not answer, or reset the request."""


class DeviceRequest(NamedTuple):
    """One request; `observe` is 0 to begin, 1 to end an observation. `token` is chosen only for observations."""

    code: Code
    path: tuple[str, ...]
    queries: tuple[str, ...] = ()
    payload: bytes = b""
    content_format: int | None = None
    accept: int | None = None
    observe: int | None = None
    token: bytes | None = None


class DeviceAnswer(NamedTuple):
    """The answer, whatever its code. `block2` is the option's value; `message_id` is 0 where there is none; `peer` is
    where the device is now.
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

    def __init__(self) -> None:
        self._context, self._messages = aiocoap_private.create_context(_PeerInterface())

    def dispatch(self, data: bytes, peer: Peer) -> None:
        """Take an answer, an acknowledgement or a Reset. Raises MalformedDatagram."""
        try:
            message = AiocoapMessage.decode(data, remote=peer)
        except (UnparsableMessage, ValueError, IndexError) as error:
            raise MalformedDatagram("aiocoap") from error
        self._messages.dispatch_message(message)

    def asked(self, token: bytes, peer: Peer) -> Peer | None:
        """Where the request with this token went, if its answer may come from `peer`: from there, or from another port
        of that host. RFC 7252, 5.3.2 would have the first alone; a NAT gives devices another port between any two
        datagrams, and tokens of 8 random bytes are not guessed.
        """
        if aiocoap_private.is_expected(self._messages, token, peer):
            return peer
        return _of_same_host(aiocoap_private.asked_remote(self._messages, token), peer)

    def unacknowledged(self, message_id: int, peer: Peer) -> Peer | None:
        """Where the message of this id went that waits for an acknowledgement, if that may come from `peer`."""
        return _of_same_host(aiocoap_private.exchange_remote(self._messages, message_id, peer), peer)

    async def request(self, peer: Peer, wanted: DeviceRequest, timeout_s: float) -> DeviceAnswer:
        """Raises NoAnswer, TransferFailed. A large payload goes, and a large answer comes, block by block; the answer
        not where a token is chosen. `timeout_s`: seconds for all of it.
        """
        is_written = wanted.code in _WRITES and len(wanted.payload) > MAX_PAYLOAD_BYTES
        try:
            async with asyncio.timeout(timeout_s):
                return await (self._write_in_blocks(peer, wanted) if is_written else self._request(peer, wanted))
        except TimeoutError as error:
            raise NoAnswer(f"no answer within {timeout_s:g} s") from error

    async def _write_in_blocks(self, peer: Peer, wanted: DeviceRequest) -> DeviceAnswer:
        """All blocks have one token: Zephyr 3.1 knows a transfer by it. aiocoap would use a new one for each."""
        transfer, token = BlockTransfer(wanted.payload), secrets.token_bytes(aiocoap_private.TOKEN_BYTES)
        while True:
            block = transfer.block
            answer = await self._request(peer, wanted._replace(payload=block.payload, token=token), block)
            if not transfer.take(answer.code, answer.block1):
                return answer
            peer = answer.peer or peer

    async def _request(self, peer: Peer, wanted: DeviceRequest, block: Block | None = None) -> DeviceAnswer:
        message = AiocoapMessage(
            code=wanted.code, uri_path=wanted.path, uri_query=wanted.queries, payload=wanted.payload
        )
        message.opt.content_format, message.opt.accept = wanted.content_format, wanted.accept
        message.opt.observe = wanted.observe
        if block is not None:
            message.opt.block1 = (block.number, block.more, block.size_exponent)
            message.opt.size1 = block.whole_size if block.number == 0 else None
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
        return _read(answer)

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


def _of_same_host(asked: Any, peer: Peer) -> Peer | None:
    return asked if isinstance(asked, Peer) and asked.host == peer.host else None


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
        answer.remote if isinstance(answer.remote, Peer) else None,
    )
