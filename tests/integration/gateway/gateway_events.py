"""What a test sees of a gateway: the events on the stream, the profile that it sets."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from nats.js import JetStreamContext

from flownexus_schemas.cloudevent import CloudEvent
from flownexus_schemas.events import Event, parse_event
from flownexus_schemas.profiles import DEFAULT_KEY, ObservationProfile
from flownexus_schemas.subjects import Bucket, Stream
from harness.lockstep import LockstepDevice
from harness.waiting import until

E = TypeVar("E", bound=CloudEvent)
NewDevice = Callable[..., LockstepDevice]


class Events:
    """All events so far, in the order of the stream."""

    def __init__(self, js: JetStreamContext) -> None:
        self._js = js
        self._sequence = 0
        self.seen: list[Event] = []

    async def fetch(self) -> list[Event]:
        """Whatever is stored by now."""
        last = (await self._js.stream_info(Stream.EVENTS)).state.last_seq
        for sequence in range(self._sequence + 1, last + 1):
            message = await self._js.get_msg(Stream.EVENTS, sequence)
            self.seen.append(parse_event(message.data or b""))
            self._sequence = sequence
        return self.seen

    async def of(self, kind: type[E], endpoint: str | None = None) -> list[E]:
        """All so far of one kind."""
        return [event for event in await self.fetch() if isinstance(event, kind) and endpoint in {None, event.subject}]

    async def wait(self, kind: type[E], count: int = 1, endpoint: str | None = None) -> list[E]:
        """The events of a kind once there are `count`."""

        async def enough() -> list[E]:
            found = await self.of(kind, endpoint)
            return found if len(found) >= count else []

        return await until(enough, timeout_s=20, what=f"{count} {kind.__name__}")


async def put_profile(js: JetStreamContext, profile: ObservationProfile) -> int:
    """The revision that a gateway has to know."""
    bucket = await js.key_value(Bucket.OBSERVATION_PROFILES)
    return await bucket.put(DEFAULT_KEY, profile.model_dump_json().encode())
