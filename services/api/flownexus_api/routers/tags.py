"""Tags of endpoints: what people call groups of devices."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Request
from nats.errors import Error as NatsError
from nats.js.errors import APIError
from pydantic import ConfigDict

from flownexus_api.access import ConfiguringOperator, Viewer
from flownexus_api.audit import write_down
from flownexus_api.documented import answers
from flownexus_api.endpoint_names import EndpointName
from flownexus_api.parts import PartsDep
from flownexus_schemas import subjects
from flownexus_schemas.endpoint_tags import EndpointTags
from flownexus_schemas.errors import Unavailable

router = APIRouter(prefix="/endpoints/{endpoint}/tags", tags=["endpoints"])


class TagsOfEndpoint(EndpointTags):
    """The tags of an endpoint."""

    model_config = ConfigDict(extra="forbid")


@router.get("", responses=answers(401, 422, 503))
async def get_tags(_: Viewer, parts: PartsDep, name: EndpointName) -> TagsOfEndpoint:
    """The tags of an endpoint, whether it ever registered or not."""
    subjects.endpoint_key(name)
    return TagsOfEndpoint(tags=parts.bus.loaded_tags().of(name))


@router.put("", responses=answers(401, 403, 422, 503))
async def put_tags(
    *,
    who: ConfiguringOperator,
    parts: PartsDep,
    name: EndpointName,
    given: Annotated[TagsOfEndpoint, Body()],
    http: Request,
) -> TagsOfEndpoint:
    """Put these tags in place of those of the endpoint, which need not have registered yet.

    Profiles that choose by tag are in force at its next registration, or once they are applied.
    """
    key = subjects.endpoint_key(name)
    js = parts.bus.jetstream()
    await write_down(parts, who, "endpoint.tagged", name, http, details={"tags": list(given.tags)})
    value = given.model_dump_json().encode()
    try:
        bucket = await js.key_value(subjects.Bucket.ENDPOINT_TAGS)
        revision = await bucket.put(key, value)
    except (NatsError, APIError, TimeoutError) as error:
        raise Unavailable("The message bus does not take the tags; try again shortly.") from error
    # So that the caller, who asks us next, reads what it wrote.
    parts.bus.tags.apply(key, value, revision)
    return given
