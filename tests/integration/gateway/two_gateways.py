"""Two gateways on one bus, and devices that speak to the one or the other."""

from __future__ import annotations

from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from flownexus_schemas import subjects
from flownexus_schemas.registrations import StoredRegistration
from flownexus_schemas.subjects import Bucket
from harness.lockstep import LockstepDevice
from harness.services import ServiceProcess
from harness.waiting import until


def speaks_to(client: LockstepDevice, gateway: ServiceProcess) -> None:
    """What the device sends from now on goes to this gateway."""
    client.server = ("127.0.0.1", int(gateway.env["FLOWNEXUS_COAP_PORT"]))


async def stored(js: JetStreamContext, endpoint: str) -> StoredRegistration | None:
    """The endpoint's entry in the bucket."""
    bucket = await js.key_value(Bucket.REGISTRATIONS)
    try:
        entry = await bucket.get(subjects.endpoint_key(endpoint))
    except NotFoundError:
        return None
    return StoredRegistration.model_validate_json(entry.value or b"")


async def held_by(js: JetStreamContext, endpoint: str, gateway_id: str) -> StoredRegistration:
    """The entry once it says that this gateway holds the registration."""

    async def there() -> StoredRegistration | None:
        found = await stored(js, endpoint)
        return found if found is not None and found.registration.gateway == gateway_id else None

    return await until(there, what=f"{endpoint} held by {gateway_id}")


async def stored_as_observed(js: JetStreamContext, endpoint: str) -> StoredRegistration:
    """The entry once it says that the device accepted an observation: another gateway need not ask again."""

    async def there() -> StoredRegistration | None:
        found = await stored(js, endpoint)
        return found if found is not None and found.is_observed else None

    return await until(there, what=f"{endpoint} stored as observed")
