"""Observation profiles where gateways read them: a KV bucket, by name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nats.errors import Error as NatsError
from nats.js.errors import APIError, KeyDeletedError, KeyNotFoundError, NoKeysError
from nats.js.kv import KeyValue
from pydantic import ValidationError

from flownexus_api.bus import Bus
from flownexus_schemas.errors import Conflict, NotFound, Unavailable
from flownexus_schemas.profiles import ObservationProfile
from flownexus_schemas.subjects import Bucket


class UnreadableProfile(Conflict):
    """Somebody wrote what is no profile past this API. Gateways go on with the one before; put another in its place."""


async def names(bus: Bus) -> list[str]:
    """The names of all profiles, sorted. Raises Unavailable."""
    async with _bucket(bus) as bucket:
        try:
            return sorted(await bucket.keys())
        except NoKeysError:
            return []


async def load(bus: Bus, name: str) -> ObservationProfile:
    """One profile. Raises NotFound, UnreadableProfile, Unavailable."""
    async with _bucket(bus) as bucket:
        try:
            entry = await bucket.get(name)
        except (KeyNotFoundError, KeyDeletedError) as error:
            raise unknown(name) from error
    try:
        return ObservationProfile.model_validate_json(entry.value or b"")
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UnreadableProfile(f"The profile {name!r} cannot be read: {where or 'JSON'}: {first['msg']}.") from error


def unknown(name: str) -> NotFound:
    """The error for a name that no profile has."""
    return NotFound(f"There is no observation profile {name!r}.")


async def store(bus: Bus, name: str, profile: ObservationProfile) -> None:
    """Put a profile in place of the one of the same name, or beside the others. Raises Unavailable."""
    async with _bucket(bus) as bucket:
        await bucket.put(name, profile.model_dump_json().encode())


async def remove(bus: Bus, name: str) -> None:
    """Take a profile away. Raises Unavailable."""
    async with _bucket(bus) as bucket:
        await bucket.delete(name)


@asynccontextmanager
async def _bucket(bus: Bus) -> AsyncIterator[KeyValue]:
    js = bus.jetstream()
    try:
        yield await js.key_value(Bucket.OBSERVATION_PROFILES)
    except (KeyNotFoundError, KeyDeletedError, NoKeysError):
        raise
    except (NatsError, APIError, TimeoutError) as error:
        raise Unavailable("The message bus does not give the observation profiles; try again shortly.") from error
