"""Notification attributes of a profile, brought to the device before it observes. LwM2M Core 1.1.1, 5.1.2 and 6.3.4.

A refusal is kept as the outcome; the observation goes on. What cannot stand there is not written at all. LwM2M 1.2
has attributes on Observe as well; Write-Attributes does the same in every version.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

import structlog
from aiocoap.numbers.codes import PUT

from flownexus_gateway.downlink.attribute_queries import attribute_queries
from flownexus_gateway.downlink.coap_client import DeviceRequest, NoAnswer
from flownexus_gateway.downlink.device_requests import uri_path
from flownexus_gateway.downlink.negotiated_requests import NegotiatedRequests
from flownexus_gateway.observations.reads import ANSWER_TIMEOUT_S
from flownexus_gateway.registrations.live import LiveRegistration
from flownexus_schemas.lwm2m.errors import InvalidAttributes
from flownexus_schemas.lwm2m.notification_attributes import check_place
from flownexus_schemas.lwm2m.object_model import ObjectModels
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.lwm2m.typed_values import type_of
from flownexus_schemas.registrations import AttributesOutcome, Observation

log = structlog.get_logger(__name__)


class AttributeWrites:
    """Writes what is wanted and removes what was written before and is wanted no longer."""

    def __init__(self, requests: NegotiatedRequests, models: ObjectModels) -> None:
        self._requests, self._models = requests, models

    async def write(self, live: LiveRegistration, observation: Observation, *, anew: bool) -> Observation:
        """The observation with the outcome; as it was where there was nothing to write.

        `anew`: all of them, as the device may have forgotten; else what differs from what it took before.
        """
        outcome: AttributesOutcome | None = None
        for path in observation.paths:
            attributes = changes(live, path, observation.attributes, anew=anew)
            if not attributes:
                continue
            code, text = await self._put(live, path, attributes, observation.attributes)
            if outcome is None or is_success(outcome.code):
                outcome = AttributesOutcome(code=code, diagnostic=text, time=time.time())
        return observation if outcome is None else observation.model_copy(update={"attributes_outcome": outcome})

    async def remove(self, live: LiveRegistration, paths: Iterable[str]) -> None:
        """Take away what profiles wrote to these paths; a refusal is logged."""
        for path in paths:
            if attributes := changes(live, path, {}, anew=False):
                await self._put(live, path, attributes, {})

    async def _put(
        self, live: LiveRegistration, path: str, attributes: Mapping[str, float | None], wanted: Mapping[str, float]
    ) -> tuple[str | None, str | None]:
        parsed = Path.parse(path)
        try:
            check_place(wanted, parsed, type_of(parsed, self._models, live.versions), live.lwm2m_version)
        except InvalidAttributes as error:
            log.warning("attributes.not_fitting", endpoint=live.endpoint, path=path, reason=str(error))
            return None, f"{path}: {error}"
        request = DeviceRequest(PUT, uri_path(live, parsed), attribute_queries(attributes))
        try:
            answer = await self._requests.send_as_is(live, request, ANSWER_TIMEOUT_S)
        except NoAnswer as error:
            log.warning("attributes.no_answer", endpoint=live.endpoint, path=path, reason=str(error))
            return None, f"{path}: {error}"
        if answer.is_success:
            live.wrote_attributes(path, dict(wanted))
            return answer.code_text, None
        log.warning("attributes.refused", endpoint=live.endpoint, path=path, code=answer.code_text)
        return answer.code_text, f"{path}: {answer.diagnostic}" if answer.diagnostic else path


def changes(live: LiveRegistration, path: str, wanted: Mapping[str, float], *, anew: bool) -> dict[str, float | None]:
    """What to write to a path; null for what is to be removed."""
    before = live.stored.written_attributes.get(path, {})
    gone: dict[str, float | None] = dict.fromkeys(name for name in before if name not in wanted)
    return gone | {name: value for name, value in wanted.items() if anew or before.get(name) != value}


def is_success(code: str | None) -> bool:
    """Whether a CoAP code is one of success."""
    return code is not None and code.startswith("2.")
