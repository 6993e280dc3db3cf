"""Requests to devices from the bus: `lwm2m.gateway.<gateway id>.request`, answered with what the device said."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from pydantic import ValidationError

from flownexus_gateway.downlink.block1 import TransferFailed
from flownexus_gateway.downlink.coap_client import DeviceAnswer, NoAnswer, NotReachable
from flownexus_gateway.downlink.content_formats import REFUSALS
from flownexus_gateway.downlink.device_requests import NotSent, require_time
from flownexus_gateway.downlink.firmware_offers import FirmwareOffers
from flownexus_gateway.downlink.kept_answers import KeptAnswers
from flownexus_gateway.downlink.negotiated_requests import NegotiatedRequests
from flownexus_gateway.downlink.package_push import PackagePush
from flownexus_gateway.downlink.passing_on import PassingOn
from flownexus_gateway.downlink.request_of_command import check_version, request_of, require_composite, use_of
from flownexus_gateway.downlink.security_object import keep_out
from flownexus_gateway.observations.observer import Observer
from flownexus_gateway.observations.plan import new_token
from flownexus_gateway.observations.reads import Reads
from flownexus_gateway.publisher import Publisher
from flownexus_gateway.registrations.live import LiveRegistration
from flownexus_gateway.registrations.table import RegistrationTable
from flownexus_gateway.uplink.report import Report, decode
from flownexus_gateway.uplink.uplink import assumed_format
from flownexus_runtime.large_messages import LargeMessages, Outgoing
from flownexus_schemas import subjects
from flownexus_schemas.cloudevent import utc
from flownexus_schemas.commands import (
    AnsweredValue,
    AnyCommand,
    CancelObservation,
    CommandAnswer,
    CommandFailure,
    DiscoverResources,
    ObserveComposite,
    ObserveResource,
    OfferFirmware,
    PushFirmware,
    ReadComposite,
    ReadResource,
    command_adapter,
)
from flownexus_schemas.errors import FlowNexusError, InvalidMessage, InvalidRequest, NotFound, Unavailable
from flownexus_schemas.events import Trigger
from flownexus_schemas.lwm2m.errors import Lwm2mError
from flownexus_schemas.lwm2m.object_model import ObjectModels
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.registrations import Observation
from flownexus_schemas.reported_values import wire_value

log = structlog.get_logger(__name__)


class AnswerLost(FlowNexusError):
    """The device was asked; what it answered could not be published."""


_FAILURES: dict[type[Exception], str] = {
    NotFound: "not-registered",
    NotReachable: "unreachable",
    NotSent: "not-sent",
    AnswerLost: "answer-lost",
    NoAnswer: "no-answer",
    TransferFailed: "no-answer",
    InvalidRequest: "invalid",
    Lwm2mError: "invalid",
    Unavailable: "unavailable",
    InvalidMessage: "invalid",
}
_FAILED = tuple(_FAILURES)
_STOPPED = CommandFailure(
    error="no-answer",
    reason="the gateway stopped before the device answered, which may have done what was asked",
)


Settled = Callable[[str], Awaitable[None]]
"""Waits until no Register or Update of the endpoint is under way."""


class CommandServer:
    """Carries out each command in a task of its own; requests to one device wait for each other."""

    def __init__(
        self, *, client: Client, table: RegistrationTable, requests: NegotiatedRequests, reads: Reads,
        observer: Observer, models: ObjectModels, publisher: Publisher, large: LargeMessages, gateway_id: str,
        offers: FirmwareOffers, push: PackagePush, settled: Settled,
    ) -> None:  # fmt: skip
        self._client, self._table, self._requests, self._reads = client, table, requests, reads
        self._observer, self._models, self._large, self._gateway_id = observer, models, large, gateway_id
        self._kept_answers, self._passing_on = KeptAnswers(publisher), PassingOn(client, table, gateway_id)
        self._offers, self._push, self._settled = offers, push, settled
        self._tasks: set[asyncio.Task[None]] = set()
        self._subscriptions: tuple[Subscription, ...] = ()

    async def start(self) -> None:
        """Listen on the gateway's subject, and with the others on that of any gateway."""
        own = await self._client.subscribe(subjects.gateway_request(self._gateway_id), cb=self._begin)
        anys = await self._client.subscribe(subjects.ANY_GATEWAY_REQUEST, queue=subjects.GATEWAYS, cb=self._begin)
        self._subscriptions = (own, anys)

    async def stop(self, patience_s: float) -> None:
        """Take no more commands; those under way may end within `patience_s` seconds, the rest are answered for."""
        for subscription in self._subscriptions:
            with contextlib.suppress(NatsError):
                await subscription.unsubscribe()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=patience_s)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _begin(self, message: Msg) -> None:
        self._run(self._serve(message))

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, message: Msg) -> None:
        try:
            reply = await self._reply(message)
        except asyncio.CancelledError:
            # Whoever asked need not wait for its own time limit.
            reply = Outgoing(_STOPPED.model_dump_json().encode())
        if message.reply:
            try:
                await self._client.publish(message.reply, reply.data, headers=reply.headers)
            except NatsError as error:
                log.warning("command.not_answered", error=repr(error))

    async def _reply(self, message: Msg) -> Outgoing:
        answer: CommandAnswer | CommandFailure
        try:
            command = command_adapter.validate_json(await self._large.get(message))
            await self._settled(command.endpoint)
            if (passed_on := await self._passing_on.reply(message, command)) is not None:
                return passed_on
            try:
                answer = await self._carry_out(command)
            except NotReachable:
                if (passed_on := await self._passing_on.reply(message, command, has_moved=True)) is not None:
                    return passed_on
                raise
            await self._kept_answers.keep(command, answer)
        except ValidationError as error:
            answer = CommandFailure(error="invalid", reason=f"not a command: {error.errors()[0]['msg']}")
        except _FAILED as error:
            kind = next(name for type_, name in _FAILURES.items() if isinstance(error, type_))
            answer = CommandFailure.model_validate({"error": kind, "reason": str(error)})
        try:
            return await self._large.put(answer.model_dump_json().encode())
        except (InvalidMessage, Unavailable) as error:
            failure = CommandFailure(error="answer-lost", reason=f"the device answered; its answer is lost: {error}")
            return Outgoing(failure.model_dump_json().encode())

    async def _carry_out(self, command: AnyCommand) -> CommandAnswer:
        live = self._table.of_endpoint(command.endpoint)
        if live is None:
            raise NotFound(f"{command.endpoint!r} is not registered")
        keep_out(command)
        require_time(_send_by(command))
        match command:
            case ObserveResource(path=path):
                check_version(Path.parse(path), live)
                single = Observation(token=new_token(), paths=(_plain(path),), content_format=command.format)
                return await self._observe(live, single, command)
            case ObserveComposite(paths=paths, event_type=event_type):
                require_composite(live)
                observation = Observation(
                    token=new_token(),
                    paths=tuple(_plain(path) for path in paths),
                    composite=True,
                    event_type=event_type,
                    content_format=command.format,
                )
                return await self._observe(live, observation, command)
            case CancelObservation(paths=paths, passive=passive):
                answer = await self._observer.cancel(live, tuple(map(_plain, paths)), passive, command.timeout_s)
                return CommandAnswer(code="2.05") if answer is None else _plain_answer(answer)
            case PushFirmware():
                return await self._push.send(live, command)
        link: str | None = None
        sent: AnyCommand = command
        if isinstance(command, OfferFirmware):
            sent = await self._offers.write(live, command)
            link = str(sent.values[0].value)
        answer = await self._send(live, command, sent, link)
        await self._report(live, command, answer)
        return self._answer_to(live, command, answer, link)

    async def _send(
        self, live: LiveRegistration, command: AnyCommand, sent: AnyCommand, link: str | None
    ) -> DeviceAnswer:
        use = use_of(sent, live, self._models)

        def late(answer: DeviceAnswer) -> None:
            # After a refused format, the next attempt begins with another one.
            if use is None or answer.code_text not in REFUSALS[use]:
                self._run(self._keep_late(live, command, answer, link))

        _, answer = await self._requests.send(
            live,
            use,
            lambda format_: request_of(sent, live, self._models, format_)._replace(
                late=None if command.operation_id is None else late
            ),
            sent.timeout_s,
            wanted=sent.format,
            send_by=_send_by(command),
        )
        return answer

    async def _keep_late(
        self, live: LiveRegistration, command: AnyCommand, answer: DeviceAnswer, link: str | None
    ) -> None:
        """First of all the answer: after any sign of life the device may be asked again."""
        await self._kept_answers.keep(command, self._answer_to(live, command, answer, link))
        log.info("answer.late", endpoint=live.endpoint, operation=command.operation_id, code=answer.code_text)
        await self._report(live, command, answer)

    def _answer_to(
        self, live: LiveRegistration, command: AnyCommand, answer: DeviceAnswer, link: str | None
    ) -> CommandAnswer:
        match command:
            case ReadResource(path=path):
                return _answered(live, Path.parse(path), answer, self._models, None)
            case ReadComposite():
                return _answered(live, Path(), answer, self._models, None)
            case DiscoverResources() if answer.is_success:
                return CommandAnswer(code=answer.code_text, links=answer.payload.decode(errors="replace"))
            case OfferFirmware() if answer.is_success:
                return _plain_answer(answer).model_copy(update={"location": link})
        return _plain_answer(answer)

    async def _observe(
        self, live: LiveRegistration, observation: Observation, command: ObserveResource | ObserveComposite
    ) -> CommandAnswer:
        try:
            observation, answer = await self._observer.observe_now(live, observation, command.timeout_s)
        except Unavailable as error:
            raise AnswerLost(str(error)) from error
        base = Path() if observation.composite else Path.parse(observation.paths[0])
        return _answered(live, base, answer, self._models, observation)

    async def _report(self, live: LiveRegistration, command: AnyCommand, answer: DeviceAnswer) -> None:
        """What was read is an event too."""
        if not isinstance(command, ReadResource | ReadComposite) or not answer.is_success:
            return
        path = Path.parse(command.path) if isinstance(command, ReadResource) else Path()
        try:
            await self._reads.report(live, path, answer, isinstance(command, ReadComposite))
        except Unavailable as error:
            if command.operation_id is None:
                raise AnswerLost(f"the device answered {answer.code_text}: {error}") from error
            # The operation keeps the values all the same, in another stream.
            log.error("read.not_reported", endpoint=live.endpoint, operation=command.operation_id)


def _answered(
    live: LiveRegistration, base: Path, answer: DeviceAnswer, models: ObjectModels, observation: Observation | None
) -> CommandAnswer:
    if not answer.is_success:
        return _plain_answer(answer)
    report = Report(
        live, Trigger.READ, False, None, observation, base, answer.payload, answer.content_format,
        assumed_format(observation, base, answer.accept), time.time(),
    )  # fmt: skip
    records, undecoded = decode(report, models)
    values = tuple(
        AnsweredValue(path=str(record.path), type=record.type, value=wire_value(record.value), time=utc(record.time))
        for record in records
    )
    return CommandAnswer(code=answer.code_text, values=values, diagnostic=undecoded)


def _plain_answer(answer: DeviceAnswer) -> CommandAnswer:
    location = "/".join(answer.location) or None
    diagnostic = None if answer.is_success else answer.diagnostic
    return CommandAnswer(code=answer.code_text, diagnostic=diagnostic, location=location)


def _send_by(command: AnyCommand) -> float | None:
    return None if command.send_by is None else command.send_by.timestamp()


def _plain(path: str) -> str:
    return str(Path.parse(path))
