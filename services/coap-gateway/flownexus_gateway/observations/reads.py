"""Reads of a device that nobody on the bus asked for, and how any read is reported. LwM2M Core 1.1.1, 6.3.1."""

from __future__ import annotations

import asyncio
import time
from functools import partial

import structlog
from aiocoap.numbers.codes import GET

from flownexus_gateway.downlink.coap_client import DeviceAnswer, DeviceRequest, NoAnswer
from flownexus_gateway.downlink.content_formats import Use
from flownexus_gateway.downlink.device_requests import uri_path
from flownexus_gateway.downlink.negotiated_requests import NegotiatedRequests
from flownexus_gateway.observations.request_to_observe import request_to_observe
from flownexus_gateway.publisher import until_kept
from flownexus_gateway.registrations.identifiers import digest
from flownexus_gateway.registrations.live import LiveRegistration
from flownexus_gateway.uplink.report import Report
from flownexus_gateway.uplink.uplink import Uplink, assumed_format
from flownexus_schemas.errors import Unavailable
from flownexus_schemas.events import Trigger
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.registrations import Observation

log = structlog.get_logger(__name__)

ANSWER_TIMEOUT_S = 60.0
"""For each request. A device that is there answers the third retransmission (14 to 21 s) at the latest."""


class Reads:
    """Reads, each published as `reported`."""

    def __init__(self, requests: NegotiatedRequests, uplink: Uplink) -> None:
        self._requests, self._uplink = requests, uplink
        self._tasks: set[asyncio.Task[None]] = set()
        self._reading: set[str] = set()
        self._read_again: dict[str, tuple[LiveRegistration, Observation]] = {}

    async def stop(self) -> None:
        self._read_again.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def once(self, live: LiveRegistration, path: Path) -> None:
        """Read a path; a refusal is only logged. Raises Unavailable."""
        try:
            _, answer = await self._requests.send(
                live, Use.READ, lambda format_: DeviceRequest(GET, uri_path(live, path), accept=format_),
                ANSWER_TIMEOUT_S,
            )  # fmt: skip
        except NoAnswer as error:
            log.warning("read.no_answer", endpoint=live.endpoint, path=str(path), reason=str(error))
            return
        if not answer.is_success:
            log.warning("read.refused", endpoint=live.endpoint, path=str(path), code=answer.code_text)
            return
        await self.report(live, path, answer, composite=False)

    async def report(
        self, live: LiveRegistration, path: Path, answer: DeviceAnswer, composite: bool,
        observation: Observation | None = None,
    ) -> None:  # fmt: skip
        """Publish the values of an answer to a read, or to the whole of a notification. Raises Unavailable."""
        trigger = Trigger.READ if observation is None else Trigger.NOTIFY
        event_type = None if observation is None else observation.event_type
        report = Report(
            live, trigger, composite, event_type, observation, path, answer.payload, answer.content_format,
            assumed_format(observation, path, answer.accept), time.time(),
        )  # fmt: skip
        event_id = digest("read", live.id, answer.token, answer.message_id, answer.payload)
        await until_kept(partial(self._uplink.publish, report, event_id))

    def whole(self, live: LiveRegistration, observation: Observation) -> None:
        """Read what a notification was too small for, in blocks. RFC 7959, 2.6.

        One that comes while an earlier one is being read is read after it: what is under way may be the older value.
        """
        if observation.token in self._reading:
            self._read_again[observation.token] = live, observation
            return
        self._reading.add(observation.token)
        task = asyncio.create_task(self._read_whole(live, observation))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _read_whole(self, live: LiveRegistration, observation: Observation) -> None:
        request = request_to_observe(live, observation, observe=None)._replace(token=None)
        base = Path() if observation.composite else Path.parse(observation.paths[0])
        try:
            answer = await self._requests.send_as_is(live, request, ANSWER_TIMEOUT_S)
            if answer.is_success:
                await self.report(live, base, answer, observation.composite, observation)
        except (NoAnswer, Unavailable) as error:
            log.warning("read.no_answer", endpoint=live.endpoint, path=str(base), reason=str(error))
        finally:
            self._reading.discard(observation.token)
            if (newer := self._read_again.pop(observation.token, None)) is not None:
                self.whole(*newer)
