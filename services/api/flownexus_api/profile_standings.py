"""Asking gateways which profile is in force for a device, and to apply it."""

from __future__ import annotations

from nats.errors import Error as NatsError
from nats.js.errors import APIError

from flownexus_api.bus import Bus
from flownexus_schemas import subjects
from flownexus_schemas.commands import CommandFailure
from flownexus_schemas.errors import Conflict, Unavailable
from flownexus_schemas.profile_standing import AskProfile, ProfileStanding, standing_adapter
from flownexus_schemas.subjects import Bucket

REPLY_S = 15.0
"""Seconds that a gateway may take beside the wait for the device."""


async def newest(bus: Bus) -> tuple[int, int]:
    """The last revisions of the profiles and of the tags: what a gateway has to know. Raises Unavailable."""
    js = bus.jetstream()
    try:
        profiles = await js.stream_info(f"KV_{Bucket.OBSERVATION_PROFILES}")
        tags = await js.stream_info(f"KV_{Bucket.ENDPOINT_TAGS}")
    except (NatsError, APIError, TimeoutError) as error:
        raise Unavailable("The message bus does not give the observation profiles; try again shortly.") from error
    return profiles.state.last_seq, tags.state.last_seq


async def ask_profile(bus: Bus, gateway: str, question: AskProfile) -> ProfileStanding:
    """How the endpoint stands. Raises Conflict where the gateway does not hold it, Unavailable where that is away."""
    payload = question.model_dump_json().encode()
    reply = await bus.request(payload, question.timeout_s + REPLY_S, subjects.gateway_profile(gateway))
    if reply is None:
        raise Unavailable(f"The gateway {gateway} of this device is away; try again shortly.")
    answer = standing_adapter.validate_json(reply)
    if not isinstance(answer, CommandFailure):
        return answer
    if answer.error == "not-registered":
        raise Conflict(f"The device is not registered: {answer.reason}. Its next Register has the profile anyway.")
    raise Unavailable(f"The gateway cannot tell: {answer.reason}; try again shortly.")
