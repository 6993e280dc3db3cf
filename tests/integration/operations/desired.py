"""Desired values as people declare them, and as they stand on the stream."""

from __future__ import annotations

from typing import Any

from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from flownexus_schemas import subjects
from flownexus_schemas.desired.standing import (
    AskedFor,
    DesiredResource,
    DesiredState,
    EndpointDesired,
    parse_desired_event,
)
from flownexus_schemas.desired.wish import DesiredProfile, DesiredValues
from flownexus_schemas.subjects import Bucket, Stream
from harness.waiting import until


class Desired:
    """Over the buckets and the stream, as the api and ingest use them."""

    def __init__(self, js: JetStreamContext) -> None:
        self._js = js

    async def of(self, endpoint: str, **wish: Any) -> None:
        """What the endpoint itself should have; nothing takes it away."""
        bucket = await self._js.key_value(Bucket.DESIRED_VALUES)
        key = subjects.endpoint_key(endpoint)
        if wish:
            await bucket.put(key, DesiredValues.model_validate(wish).model_dump_json().encode())
        else:
            await bucket.delete(key)

    async def profile(self, name: str, **wish: Any) -> None:
        """What all that it chooses should have; nothing takes it away."""
        bucket = await self._js.key_value(Bucket.DESIRED_PROFILES)
        if wish:
            await bucket.put(name, DesiredProfile.model_validate(wish).model_dump_json().encode())
        else:
            await bucket.delete(name)

    async def now(self, endpoint: str) -> EndpointDesired:
        """How it stands."""
        try:
            message = await self._js.get_last_msg(Stream.OPERATIONS, subjects.desired(endpoint))
        except NotFoundError:
            return EndpointDesired(endpoint=endpoint)
        return parse_desired_event(message.data or b"").data

    async def reaches(self, endpoint: str, path: str, state: DesiredState, **more: Any) -> DesiredResource:
        """The value of a path once it stands so."""

        async def there() -> DesiredResource | None:
            for one in (await self.now(endpoint)).resources:
                if one.path == path and one.state is state and all(getattr(one, k) == v for k, v in more.items()):
                    return one
            return None

        found: DesiredResource = await until(there, 20, f"{path} of {endpoint} {state}")
        return found

    async def asks(self, endpoint: str) -> AskedFor:
        """What is asked of it, once something is."""

        async def there() -> AskedFor | None:
            return (await self.now(endpoint)).asked

        found: AskedFor = await until(there, 20, f"something asked of {endpoint}")
        return found

    async def is_settled(self, endpoint: str) -> EndpointDesired:
        """The endpoint once nothing is asked of it."""

        async def settled() -> EndpointDesired | None:
            found = await self.now(endpoint)
            return None if found.asked is not None else found

        settled_: EndpointDesired = await until(settled, 20, f"nothing asked of {endpoint}")
        return settled_
