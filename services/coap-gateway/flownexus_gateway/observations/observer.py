"""What happens after a registration: observe and read what the profile says, one request after the other.

Tokens are stored before the device is asked, so a notification is understood whatever happens in between; a gateway
that starts again asks again for what was not established, with the same tokens.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial

import structlog
from aiocoap.numbers.codes import FETCH, GET

from flownexus_gateway.downlink.coap_client import DeviceAnswer, DeviceRequest, NoAnswer
from flownexus_gateway.downlink.device_requests import DeviceRequests, uri_path
from flownexus_gateway.observations.plan import composite_formats, planned_reads
from flownexus_gateway.profiles import Profiles
from flownexus_gateway.publisher import Kept, Publisher
from flownexus_gateway.registrations.identifiers import digest
from flownexus_gateway.registrations.live import LiveRegistration
from flownexus_gateway.registrations.registrar import Registrar
from flownexus_gateway.registrations.table import RegistrationTable
from flownexus_gateway.uplink.report import Report
from flownexus_gateway.uplink.uplink import Uplink, assumed_format
from flownexus_schemas.errors import Unavailable
from flownexus_schemas.events import ObservationState, Trigger
from flownexus_schemas.lwm2m import codecs
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.registrations import Observation

log = structlog.get_logger(__name__)

ANSWER_TIMEOUT_S = 60.0
"""For each request. A device that is there answers the third retransmission (14 to 21 s) at the latest."""

RETRY_S = 2.0
ATTEMPTS = 30
"""A minute of NATS being away between a device's answer and its event; the observation stays known meanwhile."""

_REFUSED_FORMAT = frozenset({"4.00", "4.02", "4.04", "4.05", "4.06", "4.15", "5.00", "5.01"})
"""Codes after which a composite request is made again in the other format. Zephyr 3.1: 4.04, 4.15."""


class Observer:
    """Carries out the plan of each registration, in a task of its own."""

    def __init__(
        self,
        *,
        table: RegistrationTable,
        registrar: Registrar,
        requests: DeviceRequests,
        uplink: Uplink,
        publisher: Publisher,
        profiles: Profiles,
    ) -> None:
        self._table, self._registrar, self._requests = table, registrar, requests
        self._uplink, self._publisher, self._profiles = uplink, publisher, profiles
        self._tasks: dict[LiveRegistration, asyncio.Task[None]] = {}

    def begin(self, live: LiveRegistration) -> None:
        """Start on what is not established yet."""
        self.stop(live)
        task = asyncio.create_task(self._carry_out(live))
        self._tasks[live] = task
        task.add_done_callback(lambda _: self._tasks.pop(live, None) if self._tasks.get(live) is task else None)

    def stop(self, live: LiveRegistration) -> None:
        """The registration ended."""
        task = self._tasks.pop(live, None)
        if task is not None:
            task.cancel()

    async def stop_all(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def observe(self, live: LiveRegistration, observation: Observation) -> tuple[str | None, str | None]:
        """Ask for one observation and publish what came of it; the device's code and diagnostic.

        Raises Unavailable where that could not be published.
        """
        observation, answer, reason = await self._ask(live, observation)
        if answer is None:
            await self._outcome(live, observation, ObservationState.REFUSED, None, reason)
            return None, reason
        code, text = answer.code_text, answer.diagnostic
        if not answer.is_success:
            await self._outcome(live, observation, ObservationState.REFUSED, code, text)
            return code, text
        is_observed = answer.observe is not None
        if is_observed:
            outcome = self._outcome(live, observation, ObservationState.ESTABLISHED, code, None)
        else:
            text = "the device answered without observing"
            outcome = self._outcome(live, observation, ObservationState.REFUSED, code, text)
        trigger = Trigger.NOTIFY if is_observed else Trigger.READ
        await asyncio.gather(outcome, self._report(live, observation, answer, trigger))
        return code, None if is_observed else text

    async def _carry_out(self, live: LiveRegistration) -> None:
        pending = [observation for observation in live.stored.observations if not observation.established]
        singles = [observation for observation in pending if not observation.composite]
        composites = [observation for observation in pending if observation.composite]
        try:
            for observation in singles:
                await self.observe(live, observation)
            for path in planned_reads(self._profiles.current, live.registration) if pending else ():
                await self._read_once(live, Path.parse(path))
            for observation in composites:
                await self.observe(live, observation)
            if pending:
                await self._registrar.save(live)
        except Unavailable as error:
            # What is not established is asked for again at the next start or registration.
            log.error("observations.not_kept", endpoint=live.endpoint, reason=str(error))

    async def _ask(
        self, live: LiveRegistration, observation: Observation
    ) -> tuple[Observation, DeviceAnswer | None, str | None]:
        if not observation.composite:
            path = uri_path(live, Path.parse(observation.paths[0]))
            request = DeviceRequest(GET, path, observe=0, token=bytes.fromhex(observation.token))
            return observation, *await self._send(live, request)
        first, second = composite_formats(live.registration)
        formats = (observation.content_format or first, second if observation.content_format != second else first)
        for number, content_format in enumerate(formats):
            observation = observation.model_copy(update={"content_format": int(content_format)})
            self._replace(live, observation)
            request = DeviceRequest(
                FETCH,
                uri_path(live, Path()),
                payload=codecs.encode_paths([Path.parse(path) for path in observation.paths], content_format),
                content_format=content_format,
                # Zephyr reads the body in the format of Accept.
                accept=content_format,
                observe=0,
                token=bytes.fromhex(observation.token),
            )
            answer, reason = await self._send(live, request)
            if answer is None or answer.code_text not in _REFUSED_FORMAT or number == 1:
                return observation, answer, reason
            self._reopen(observation)
        raise AssertionError("unreachable: the second format returns")

    async def _send(self, live: LiveRegistration, request: DeviceRequest) -> tuple[DeviceAnswer | None, str | None]:
        try:
            return await self._requests.send(live, request, ANSWER_TIMEOUT_S), None
        except NoAnswer as error:
            return None, str(error)

    async def _read_once(self, live: LiveRegistration, path: Path) -> None:
        try:
            answer = await self._requests.send(live, DeviceRequest(GET, uri_path(live, path)), ANSWER_TIMEOUT_S)
        except NoAnswer as error:
            log.warning("read.no_answer", endpoint=live.endpoint, path=str(path), reason=str(error))
            return
        if not answer.is_success:
            log.warning("read.refused", endpoint=live.endpoint, path=str(path), code=answer.code_text)
            return
        await self.report_read(live, path, answer, composite=False)

    async def report_read(self, live: LiveRegistration, path: Path, answer: DeviceAnswer, composite: bool) -> None:
        """Publish the values of an answer to a read. Raises Unavailable."""
        report = Report(
            live, Trigger.READ, composite, None, None, path, answer.payload, answer.content_format,
            assumed_format(None, path), time.time(),
        )  # fmt: skip
        event_id = digest("read", live.id, answer.token, answer.message_id, answer.payload)
        await _until_kept(lambda kept: self._publish_report(report, event_id, kept))

    def _publish_report(self, report: Report, event_id: str, kept: Kept) -> None:
        self._uplink.publish(report, event_id, kept)

    async def _report(
        self, live: LiveRegistration, observation: Observation, answer: DeviceAnswer, trigger: Trigger
    ) -> None:
        await _until_kept(
            lambda kept: self._uplink.first_value(
                live, observation, answer.message_id, answer.payload, answer.content_format, trigger=trigger, kept=kept
            )
        )

    async def _outcome(
        self,
        live: LiveRegistration,
        observation: Observation,
        state: ObservationState,
        code: str | None,
        text: str | None,
    ) -> None:
        if state is ObservationState.ESTABLISHED:
            self._replace(live, observation.model_copy(update={"established": True}))
        else:
            log.warning("observation.refused", endpoint=live.endpoint, paths=observation.paths, code=code, reason=text)
            live.observe(tuple(other for other in live.stored.observations if other.token != observation.token))
            self._table.set_tokens(live)
        event = self._uplink.observation_changed(live, observation, state, code, text)
        await _until_kept(lambda kept: self._publisher.publish_event(event, kept))

    def _replace(self, live: LiveRegistration, observation: Observation) -> None:
        rest = tuple(observation if other.token == observation.token else other for other in live.stored.observations)
        live.observe(rest)
        self._table.set_tokens(live)

    def _reopen(self, observation: Observation) -> None:
        """The same token is asked with once more: what comes next is an answer again."""
        known = self._table.tokens.get(bytes.fromhex(observation.token))
        if known is not None:
            known.answered = False


async def _until_kept(publish: Callable[[Kept], None]) -> None:
    """Publish until it is kept. Raises Unavailable after ATTEMPTS."""
    for _ in range(ATTEMPTS):
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        publish(partial(_settle, answer))
        if await answer:
            return
        await asyncio.sleep(RETRY_S)
    raise Unavailable("JetStream did not take the event")


def _settle(future: asyncio.Future[bool], result: bool) -> None:
    if not future.done():
        future.set_result(result)
