"""Asks a gateway to send an operation's request, and says what became of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from datetime import timedelta

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError
from pydantic import ValidationError

from flownexus_schemas import subjects
from flownexus_schemas.commands import Command, CommandAnswer, CommandFailure, answer_adapter
from flownexus_schemas.operations.lifecycle import (
    CANNOT_BE_SENT,
    Confirmed,
    GivenUp,
    NotSent,
    Refused,
    Unanswered,
    after_answer,
    after_silence,
)
from flownexus_schemas.operations.operation import Operation, keepable

SEND_WITHIN_S = 8.0
"""A gateway that is still busy with another request to the device after this does not send ours any more."""

MARGIN_S = 10.0
"""A gateway gives its answer within the command's own time and this; after that none is to come."""

REGISTERED_WITHIN_S = 0.5
"""A gateway that does not know a device whose registration is stored is asked again after this."""

LOOK_S = 1.0
"""What a gateway has to say which process it is."""

Outcome = Confirmed | Refused | Unanswered | GivenUp | NotSent


class GatewayAway(Exception):
    """It does not listen, or cannot send now."""


class DeviceBusy(Exception):
    """It was not sent: another request to the device took too long, or the gateway had ours too late."""


async def process_of(client: Client, gateway: str) -> str | None:
    """Which process a gateway is; None where it does not say."""
    try:
        return (await client.request(subjects.gateway_alive(gateway), b"", timeout=LOOK_S)).data.decode()
    except (NatsError, TimeoutError, UnicodeDecodeError):
        return None


async def ask(
    client: Client, gateway: str, operation: Operation, timeout_s: float, is_registered: Callable[[], bool]
) -> Outcome | None:
    """What became of the attempt that `operation` is in; None where the bus lost sight of it.

    `timeout_s`: seconds that the gateway waits for the device; `is_registered`: whether that is, by what is stored.
    Raises GatewayAway, DeviceBusy.
    """
    assert operation.attempt is not None
    command = operation.command.model_copy(
        update={
            "operation_id": operation.id,
            "operation_attempt": operation.attempts,
            "timeout_s": timeout_s,
            "send_by": operation.attempt.started_at + timedelta(seconds=SEND_WITHIN_S),
        }
    )
    again_by = time.monotonic() + SEND_WITHIN_S - REGISTERED_WITHIN_S
    while True:
        try:
            answer = await _answer(client, gateway, command)
        except NoRespondersError as error:
            raise GatewayAway(f"gateway {gateway} is away") from error
        except (NatsError, TimeoutError, ValidationError):
            return None
        if not (isinstance(answer, CommandFailure) and answer.error == "not-registered"):
            break
        # Its entry in the bucket is here before the gateway that wrote it goes on.
        await asyncio.sleep(REGISTERED_WITHIN_S)
        if time.monotonic() > again_by or not is_registered():
            break
    if isinstance(answer, CommandAnswer):
        return after_answer(keepable(answer))
    match answer.error:
        case "unavailable":
            raise GatewayAway(answer.reason)
        case "not-registered" | "unreachable":
            return NotSent(answer.reason)
        case "invalid":
            return Refused(f"{CANNOT_BE_SENT}: {answer.reason}.")
        case "not-sent":
            raise DeviceBusy(answer.reason)
        case "no-answer" | "answer-lost":
            return after_silence(operation, answer.reason)


async def _answer(client: Client, gateway: str, command: Command) -> CommandAnswer | CommandFailure:
    payload, timeout_s = command.model_dump_json().encode(), command.timeout_s + command.goes_on_s + MARGIN_S
    try:
        reply = await client.request(subjects.gateway_request(gateway), payload, timeout=timeout_s)
    except NoRespondersError:
        # Any other one may reach its devices.
        reply = await client.request(subjects.ANY_GATEWAY_REQUEST, payload, timeout=timeout_s)
    return answer_adapter.validate_json(reply.data)


async def is_any_there(client: Client, gateways: Iterable[str]) -> bool:
    """Whether one of these gateways is on the bus."""
    for gateway in gateways:
        if await process_of(client, gateway) is not None:
            return True
    return False
