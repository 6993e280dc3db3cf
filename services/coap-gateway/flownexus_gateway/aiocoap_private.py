# mypy: allow-untyped-calls
"""Every use of what aiocoap does not promise to keep: how a context is put together from a transport of our own.

aiocoap is the client side here: requests to devices, retransmission, block-wise transfer.
"""

from __future__ import annotations

import importlib.metadata
import inspect
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from aiocoap.messagemanager import MessageManager
from aiocoap.numbers.types import CON
from aiocoap.pipe import Pipe
from aiocoap.protocol import Context
from aiocoap.tokenmanager import TokenManager

VERSION = "0.4.17"

_EXPECTED: tuple[tuple[type, str, tuple[str, ...]], ...] = (
    (MessageManager, "__init__", ("self", "token_manager")),
    (MessageManager, "dispatch_message", ("self", "message")),
    (MessageManager, "dispatch_error", ("self", "error", "remote")),
    (MessageManager, "_continue_backlog", ("self", "remote")),
    (MessageManager, "_send_initially", ("self", "message", "messageerror_monitor")),
    (Pipe, "on_interest_end", ("self", "callback")),
    (TokenManager, "__init__", ("self", "context")),
    (TokenManager, "next_token", ("self",)),
    (TokenManager, "request", ("self", "request")),
)


class UnexpectedAiocoap(RuntimeError):
    """Another aiocoap than the one this module was written against."""


def check() -> None:
    """Raises UnexpectedAiocoap if the version or what we use of it differs."""
    version = importlib.metadata.version("aiocoap")
    if version != VERSION:
        raise UnexpectedAiocoap(f"aiocoap {VERSION} is needed, {version} is installed")
    for owner, name, parameters in _EXPECTED:
        method = getattr(owner, name, None)
        if method is None or tuple(inspect.signature(method).parameters) != parameters:
            raise UnexpectedAiocoap(f"aiocoap {version}: {owner.__name__}.{name} is not as expected")


class OwnTokens(TokenManager):
    """Tokens of `new_token`, or the one that the request brings in `chosen_token`."""

    token_interface: Any
    new_token: Callable[[], bytes]
    _chosen: bytes | None = None

    def request(self, request: Any) -> None:
        self._chosen = getattr(request.request, "chosen_token", None)
        super().request(request)
        # aiocoap itself would retransmit what nobody waits for any more, and hold back what comes after it.
        request.on_interest_end(partial(self.token_interface.give_up, request.request))

    def next_token(self) -> bytes:
        chosen, self._chosen = self._chosen, None
        return chosen or self.new_token()


class QuickBacklog(MessageManager):
    """Without the search through all exchanges at the end of each: with NSTART = 1 the peer has no other. And a message
    that nobody wants to be sent any more can be given up.
    """

    _active_exchanges: Any

    def give_up(self, message: Any) -> None:
        """Retransmit it no more; what waits behind it is sent."""
        if self._active_exchanges is None:
            return
        exchange = self._active_exchanges.pop((message.remote, message.mid), None)
        if exchange is not None:
            exchange[1].cancel()
            self._continue_backlog(message.remote)
        elif (backlog := self._backlogs.get(message.remote)) is not None:
            backlog[:] = [waiting for waiting in backlog if waiting[0] is not message]

    def _continue_backlog(self, remote: Any) -> None:
        backlog = self._backlogs[remote]
        while backlog:
            message, monitor = backlog.pop(0)
            self._send_initially(message, monitor)
            if message.mtype is CON:
                return
        del self._backlogs[remote]


def create_context(message_interface: Any, new_token: Callable[[], bytes]) -> tuple[Any, Any]:
    """A context whose only transport is `message_interface`; the manager takes what that receives."""
    context = Context(loggername="coap")
    context.log.setLevel(max(logging.WARNING, context.log.getEffectiveLevel()))
    tokens: Any = OwnTokens(context)
    tokens.new_token = new_token
    messages: Any = QuickBacklog(tokens)
    messages.message_interface = message_interface
    tokens.token_interface = messages
    context.request_interfaces.append(tokens)
    return context, messages


def choose_token(message: Any, token: bytes) -> None:
    """Send this request with a token of our choice."""
    message.chosen_token = token


def is_expected(messages: Any, token: bytes, remote: Any) -> bool:
    """Whether a request with this token waits for an answer from there."""
    return (token, remote) in messages.token_manager.outgoing_requests


def asked_remote(messages: Any, token: bytes) -> Any | None:
    """Where the request with this token went, wherever its answer comes from."""
    return next((remote for asked, remote in messages.token_manager.outgoing_requests if asked == token), None)


def unacknowledged_remotes(messages: Any, message_id: int) -> list[Any]:
    """Where messages of this id went that wait for an acknowledgement."""
    return [remote for remote, known in messages._active_exchanges if known == message_id]


def is_unacknowledged(messages: Any, remote: Any) -> bool:
    """Whether a message to `remote` waits for an acknowledgement: its backlog is there for as long."""
    return remote in messages._backlogs


def exchange_remote(messages: Any, message_id: int, remote: Any) -> Any | None:
    """Where the message of this id went that waits for an acknowledgement; `remote` itself where it went there."""
    exchanges = messages._active_exchanges
    if (remote, message_id) in exchanges:
        return remote
    # The manager numbers its messages for all peers together, so there is one of this id, or hardly ever two.
    return next((other for other, known in exchanges if known == message_id), None)


def forget_request(message: Any, messages: Any) -> None:
    """Expect nothing more for a request to observe: aiocoap would keep it, acknowledge its next notification, and
    retransmit it where the answer came without an acknowledgement (RFC 7252, 4.2), holding back what comes after it.
    """
    messages.token_manager.outgoing_requests.pop((message.token, message.remote), None)
    messages.give_up(message)
