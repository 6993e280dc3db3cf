"""Requests to devices: one at a time, answered when the device answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from pydantic import BaseModel, Field
from sqlalchemy import Row, text

from flownexus_api.access import BriefOperator
from flownexus_api.audit import add_outcome, write_down
from flownexus_api.device_request import CHANGES, LONGEST_WAIT_S, DeviceRequest
from flownexus_api.documented import answers
from flownexus_api.endpoint_names import EndpointName, unknown_endpoint
from flownexus_api.gateway_calls import ask_device
from flownexus_api.parts import Parts, PartsDep
from flownexus_api.values import WireValue
from flownexus_schemas.errors import Conflict, FlowNexusError

router = APIRouter(prefix="/endpoints/{endpoint}/requests", tags=["requests"])

FOUND = """select status, gateway, object_versions, answers_asleep_within_s, last_seen_at, expires_at
    from endpoint_status where name = :name"""


class DeviceValue(BaseModel):
    """A value that the device sent, and when it was so."""

    path: str
    type: str
    value: WireValue
    time: datetime


class DeviceAnswer(BaseModel):
    """What the device answered: its CoAP code, also where it refuses, and its diagnostic text, as they are."""

    code: str = Field(examples=["2.05"])
    values: list[DeviceValue]
    diagnostic: str | None
    location: str | None = Field(description="Path of a created object instance.")
    links: str | None = Field(description="CoRE links answered to a discover.")


MAX_BODY = 8 * 1024 * 1024
"""Bytes of a request that we read: values of some megabytes, in base64 where they are opaque."""


@router.post("", responses=answers(401, 403, 404, 409, 413, 422, 503, 504), max_body_size=MAX_BODY)
async def request_device(
    *,
    who: BriefOperator,
    parts: PartsDep,
    name: EndpointName,
    asked: Annotated[DeviceRequest, Body()],
    http: Request,
) -> DeviceAnswer:
    """Send one request to a device that listens, and wait for its answer. For operators.

    Values are JSON of their LwM2M type; one that does not fit is refused before it reaches the device. A device that
    is asleep or not registered is 409, one that does not answer 504. One that answers although it sleeps is asked at
    once, and has the time that its profile says unless `timeout_s` is given, 120 s at most.
    """
    device = await _reachable(parts, name)
    versions = {int(object_id): version for object_id, version in device.object_versions.items()}
    command = asked.command(name, parts.models, versions)
    if device.status == "asleep" and "timeout_s" not in asked.model_fields_set:
        within_s = min(max(command.timeout_s, device.answers_asleep_within_s), LONGEST_WAIT_S)
        command = command.model_copy(update={"timeout_s": within_s})
    if asked.operation not in CHANGES:
        answer = await ask_device(parts.bus, device.gateway, command)
    else:
        entry = await write_down(
            parts, who, f"device.{asked.operation}", name, http, details={"paths": asked.paths_named()}
        )
        try:
            answer = await ask_device(parts.bus, device.gateway, command)
        except FlowNexusError as error:
            await add_outcome(parts, entry, {"error": str(error)})
            raise
        await add_outcome(parts, entry, {"code": answer.code})
    return DeviceAnswer.model_validate(answer, from_attributes=True)


async def _reachable(parts: Parts, name: str) -> Row[Any]:
    """The device, which listens now, or answers although it sleeps. Raises NotFound, and Conflict with what to do."""
    device = None
    if "\0" not in name:
        async with parts.engine.begin() as connection:
            device = (await connection.execute(text(FOUND), {"name": name})).one_or_none()
    if device is None:
        raise unknown_endpoint(name)
    if device.status == "offline" or device.gateway is None:
        raise Conflict(f"{name!r} is not registered; ask again after its next Register.")
    if device.status == "asleep" and device.answers_asleep_within_s is None:
        raise Conflict(
            f"{name!r} is asleep since its last message ({device.last_seen_at:%Y-%m-%dT%H:%M:%SZ}); ask again right "
            f"after its next one, which it sends before {device.expires_at:%Y-%m-%dT%H:%M:%SZ}."
        )
    return device
