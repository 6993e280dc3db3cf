"""Questions about profiles from the bus: `lwm2m.gateway.<gateway id>.profile`, answered with how an endpoint stands."""

from __future__ import annotations

import asyncio
import time

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from pydantic import ValidationError

from flownexus_gateway.observations.profile_application import ProfileApplication
from flownexus_gateway.profiles import Profiles
from flownexus_gateway.registrations.table import RegistrationTable
from flownexus_schemas import subjects
from flownexus_schemas.commands import CommandFailure
from flownexus_schemas.profile_standing import AskProfile, ProfileStanding

log = structlog.get_logger(__name__)

FOLLOWS_WITHIN_S = 5.0
"""For so long a change of a bucket may be on its way to us."""

_POLL_S = 0.02


class ProfileServer:
    """Answers each question in a task of its own."""

    def __init__(
        self, *, client: Client, table: RegistrationTable, application: ProfileApplication, profiles: Profiles,
        gateway_id: str,
    ) -> None:  # fmt: skip
        self._client, self._table, self._application = client, table, application
        self._profiles, self._gateway_id = profiles, gateway_id
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen on the gateway's subject, and go on with the devices that wait."""
        for live in self._table:
            if live.registration.gateway == self._gateway_id and live.stored.profile_waits:
                self._application.begin(live)
        await self._client.subscribe(subjects.gateway_profile(self._gateway_id), cb=self._begin)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._application.stop_all()

    async def _begin(self, message: Msg) -> None:
        task = asyncio.create_task(self._serve(message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, message: Msg) -> None:
        answer: ProfileStanding | CommandFailure
        try:
            answer = await self._answer(AskProfile.model_validate_json(message.data))
        except ValidationError as error:
            answer = CommandFailure(error="invalid", reason=f"not a question: {error.errors()[0]['msg']}")
        try:
            await self._client.publish(message.reply, answer.model_dump_json().encode())
        except NatsError as error:
            log.warning("profile.not_answered", error=repr(error))

    async def _answer(self, asked: AskProfile) -> ProfileStanding | CommandFailure:
        if not await self._knows(asked):
            return CommandFailure(error="unavailable", reason="the gateway has not read the newest profiles yet")
        live = self._table.of_endpoint(asked.endpoint)
        if live is None or live.registration.gateway != self._gateway_id:
            return CommandFailure(error="not-registered", reason=f"{asked.endpoint!r} is not registered here")
        if asked.apply:
            return await self._application.apply(live, asked.timeout_s)
        return self._application.standing(live)

    async def _knows(self, asked: AskProfile) -> bool:
        """Whether the changes that the caller made have arrived, in a while at the latest."""
        deadline = time.monotonic() + FOLLOWS_WITHIN_S
        while self._profiles.revision < asked.profiles_revision or self._profiles.tags.revision < asked.tags_revision:
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(_POLL_S)
        return True
