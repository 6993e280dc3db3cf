"""Bringing what a device is observed for in line with its profile, without a new registration.

A device that is asleep or silent is brought in line at its next sign of life; that it waits is stored, so a restart of
the gateway does not forget it.
"""

from __future__ import annotations

import asyncio
import time

import structlog

from flownexus_gateway.downlink.coap_client import NoAnswer
from flownexus_gateway.observations.alignment import Alignment, alignment, label
from flownexus_gateway.observations.attribute_writes import AttributeWrites
from flownexus_gateway.observations.observer import Observer
from flownexus_gateway.observations.reads import ANSWER_TIMEOUT_S
from flownexus_gateway.profiles import Profiles
from flownexus_gateway.registrations.live import LiveRegistration
from flownexus_gateway.registrations.registrar import Registrar
from flownexus_gateway.registrations.statement import listening
from flownexus_schemas.errors import NotFound, Unavailable
from flownexus_schemas.profile_standing import ProfileStanding, Standing

log = structlog.get_logger(__name__)

AT_A_TIME = 100
"""Devices that are asked at the same time, of thousands that a change concerns."""


class ProfileApplication:
    """One task for each device that is being brought in line or waited for."""

    def __init__(
        self, observer: Observer, registrar: Registrar, attributes: AttributeWrites, profiles: Profiles
    ) -> None:
        self._observer, self._registrar = observer, registrar
        self._attributes, self._profiles = attributes, profiles
        self._tasks: dict[LiveRegistration, asyncio.Task[ProfileStanding]] = {}
        self._silent: set[LiveRegistration] = set()
        self._at_a_time = asyncio.Semaphore(AT_A_TIME)
        observer.on_stop = self.stop

    def standing(self, live: LiveRegistration) -> ProfileStanding:
        """The profile in force, and what differs from it now."""
        name, differences = self._differences(live)
        state: Standing = "differs" if differences.paths else "in-force"
        if live in self._tasks:
            awake = live.is_awake(time.time())
            state = "no-answer" if live in self._silent else "under-way" if awake else "asleep"
        return ProfileStanding(endpoint=live.endpoint, profile=name, state=state, differences=differences.paths)

    async def apply(self, live: LiveRegistration, timeout_s: float) -> ProfileStanding:
        """Bring a device in line; how it stands once that is done, or after `timeout_s` seconds."""
        task = self.begin(live)
        if live in self._silent:
            live.next_sign_of_life().set()  # somebody wants it to be tried again
        await asyncio.wait({task}, timeout=timeout_s)
        if task.done() and not task.cancelled():
            return task.result()
        return self.standing(live)

    def begin(self, live: LiveRegistration) -> asyncio.Task[ProfileStanding]:
        """Start on it, unless it is under way: what counts is the profile at the time that the device is asked."""
        task = self._tasks.get(live)
        if task is None:
            task = self._tasks[live] = asyncio.create_task(self._carry_out(live))
            task.add_done_callback(lambda _: self._ended(live))
        return task

    def taken_over(self, live: LiveRegistration) -> None:
        """Another gateway had it: go on with what it did not finish."""
        self._observer.resume(live)
        if live.stored.profile_waits:
            self.begin(live)

    def stop(self, live: LiveRegistration) -> None:
        """The registration ended: at the next one the profile is in force anyway."""
        task = self._tasks.get(live)
        if task is not None:
            task.cancel()

    async def stop_all(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, live: LiveRegistration) -> None:
        self._tasks.pop(live, None)
        self._silent.discard(live)

    def _differences(self, live: LiveRegistration) -> tuple[str, Alignment]:
        name, profile = self._profiles.named(live.endpoint, live.object_ids)
        return name, alignment(profile, live.stored)

    async def _carry_out(self, live: LiveRegistration) -> ProfileStanding:
        live.profile_waits(True)
        live.listens_as(listening(self._profiles.of(live.endpoint, live.object_ids)))
        while True:
            sign_of_life = live.next_sign_of_life()
            try:
                # An Update that woke the device is answered before: it holds the endpoint until it is stored.
                await self._registrar.save(live)
                if live.is_awake(time.time()) and live not in self._silent:
                    async with self._at_a_time:
                        return await self._bring_in_line(live)
            except (NoAnswer, Unavailable) as error:
                log.warning("profile.not_applied", endpoint=live.endpoint, reason=str(error))
                self._silent.add(live)
            await sign_of_life.wait()
            self._silent.discard(live)

    async def _bring_in_line(self, live: LiveRegistration) -> ProfileStanding:
        """Raises NoAnswer, Unavailable."""
        await self._observer.settled(live)
        name, todo = self._differences(live)
        for observation in todo.cancel:
            try:
                await self._observer.cancel(live, observation.paths, passive=False, timeout_s=ANSWER_TIMEOUT_S)
            except NotFound:  # the device ended it meanwhile
                continue
        await self._attributes.remove(live, todo.forget)
        for observation in todo.change:
            await self._observer.change(live, observation)
        if todo.begin:
            await self._observer.begin_also(live, todo.begin)
        live.profile_waits(False)
        await self._registrar.save(live)
        log.info("profile.applied", endpoint=live.endpoint, profile=name, paths=todo.paths)
        established = {observation.token for observation in live.stored.observations if observation.established}
        _, left = self._differences(live)
        return ProfileStanding(
            endpoint=live.endpoint,
            profile=name,
            state="differs" if left.paths else "in-force",
            differences=left.paths,
            observed=tuple(label(one) for one in todo.begin if one.token in established),
            refused=tuple(label(one) for one in todo.begin if one.token not in established),
            cancelled=tuple(map(label, todo.cancel)),
            changed=tuple(map(label, todo.change)),
        )
