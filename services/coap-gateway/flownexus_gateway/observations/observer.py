"""What happens after a registration: observe and read what the profile says, one request after the other.

Tokens are stored before the device is asked, so a notification is understood whatever happens in between; a gateway
that starts again asks again for what was not established, with the same tokens.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import structlog

from flownexus_gateway.downlink.coap_client import DeviceAnswer, NoAnswer, NotReachable
from flownexus_gateway.downlink.content_formats import REFUSALS, Use
from flownexus_gateway.downlink.negotiated_requests import NegotiatedRequests
from flownexus_gateway.observations.attribute_writes import AttributeWrites
from flownexus_gateway.observations.plan import planned_reads
from flownexus_gateway.observations.reads import ANSWER_TIMEOUT_S, Reads
from flownexus_gateway.observations.request_to_observe import request_to_observe
from flownexus_gateway.profiles import Profiles
from flownexus_gateway.publisher import Publisher, until_kept
from flownexus_gateway.registrations.live import LiveRegistration
from flownexus_gateway.registrations.registrar import Registrar
from flownexus_gateway.registrations.table import RegistrationTable
from flownexus_gateway.uplink.uplink import Uplink, more_blocks
from flownexus_schemas.errors import InvalidRequest, Unavailable
from flownexus_schemas.events import ObservationState, Trigger
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.registrations import Observation

log = structlog.get_logger(__name__)

CONTENT = "2.05"

OnStop = Callable[[LiveRegistration], None]


class Observer:
    """Carries out the plan of each registration, in a task of its own."""

    def __init__(
        self,
        *,
        table: RegistrationTable,
        registrar: Registrar,
        requests: NegotiatedRequests,
        reads: Reads,
        uplink: Uplink,
        publisher: Publisher,
        profiles: Profiles,
        attributes: AttributeWrites,
    ) -> None:
        self._table, self._registrar, self._requests, self._reads = table, registrar, requests, reads
        self._uplink, self._publisher, self._profiles, self._attributes = uplink, publisher, profiles, attributes
        self._tasks: dict[LiveRegistration, asyncio.Task[None]] = {}
        self.on_stop: OnStop = _nothing

    def begin(self, live: LiveRegistration) -> None:
        """Start on what is not established yet."""
        self._cease(live)
        task = asyncio.create_task(self._carry_out(live))
        self._tasks[live] = task
        task.add_done_callback(lambda _: self._tasks.pop(live, None) if self._tasks.get(live) is task else None)

    def again(self, live: LiveRegistration) -> None:
        """Ask again for everything, with the same tokens: a device that has an observation keeps it as it is."""
        if live in self._tasks:
            return
        live.observe(
            tuple(known.model_copy(update={"established": False}) for known in live.stored.observations)
        )  # fmt: skip
        self._table.set_tokens(live)
        for observation in live.stored.observations:
            self._reopen(observation)
        self.begin(live)

    def resume(self, live: LiveRegistration) -> None:
        """Go on where another gateway was: what is asked for and not established, with the same tokens."""
        if live not in self._tasks and not all(known.established for known in live.stored.observations):
            self.begin(live)

    def stop(self, live: LiveRegistration) -> None:
        """The registration ended, or another gateway goes on with it."""
        self._cease(live)
        self.on_stop(live)

    async def settled(self, live: LiveRegistration) -> None:
        """Wait until what was begun is done."""
        task = self._tasks.get(live)
        if task is not None:
            await asyncio.wait({task})

    async def begin_also(self, live: LiveRegistration, observations: tuple[Observation, ...]) -> None:
        """Observe these beside the others, or again with the same tokens; done when the device was asked for all.

        Raises Unavailable.
        """
        tokens = {observation.token for observation in observations}
        live.observe((*(other for other in live.stored.observations if other.token not in tokens), *observations))
        self._table.set_tokens(live)
        for observation in observations:
            self._reopen(observation)
        await self._registrar.save(live)
        self.begin(live)
        await self.settled(live)

    async def change(self, live: LiveRegistration, observation: Observation) -> None:
        """Go on observing, with another event type or other attributes."""
        written = await self._attributes.write(live, observation, anew=False)
        self._replace(live, written)
        if written is not observation:
            await self._outcome(live, written, ObservationState.ESTABLISHED, CONTENT, None)

    async def stop_all(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def observe_now(
        self, live: LiveRegistration, wanted: Observation, timeout_s: float
    ) -> tuple[Observation, DeviceAnswer]:
        """Observe what the profile does not name; what is observed already is asked for again with its token.

        Raises NoAnswer, Unavailable.
        """
        former = _find(live, wanted.paths)
        token = former.token if former is not None else wanted.token
        ours = {"token": token, "established": False, "by_request": True}
        if former is not None:
            ours |= {"attributes": former.attributes, "wanted_format": former.wanted_format}
        observation = wanted.model_copy(update=ours)
        live.observe((*(other for other in live.stored.observations if other.token != token), observation))
        self._table.set_tokens(live)
        self._reopen(observation)
        await self._registrar.save(live)
        try:
            is_only_format = wanted.content_format is not None
            return await self.observe(live, observation, timeout_s, is_only_format=is_only_format)
        finally:
            await self._registrar.save(live)

    async def cancel(
        self, live: LiveRegistration, paths: tuple[str, ...], passive: bool, timeout_s: float
    ) -> DeviceAnswer | None:
        """End an observation; the device's answer, None where its next notification is answered with a Reset.

        Raises InvalidRequest where it is none of ours, NoAnswer, Unavailable. LwM2M Core 1.1.1, 6.4.5; RFC 7641, 3.6.
        """
        observation = _find(live, paths)
        if observation is None:
            raise InvalidRequest(f"{', '.join(paths)} is not observed")
        answer = None
        if not passive:
            # Zephyr ends an observation only for the token that began it.
            request = request_to_observe(live, observation, observe=1)
            answer = await self._requests.send_as_is(live, request, timeout_s)
        code = None if answer is None else answer.code_text
        await self._outcome(live, observation, ObservationState.CANCELLED, code, None)
        await self._registrar.save(live)
        return answer

    async def observe(
        self,
        live: LiveRegistration,
        observation: Observation,
        timeout_s: float = ANSWER_TIMEOUT_S,
        *,
        is_only_format: bool = False,
        is_patient: bool = False,
    ) -> tuple[Observation, DeviceAnswer]:
        """Ask for one observation and publish what came of it. Raises NoAnswer, Unavailable.

        `is_only_format`: the observation's Content-Format is what the caller wants, and no other is tried.
        `is_patient`: where there is no way to the device, wait until there is one.
        """
        try:
            observation, answer = await self._ask(live, observation, timeout_s, is_only_format)
        except NoAnswer as error:
            if is_patient and isinstance(error, NotReachable):
                await _reachable(live)
                return await self.observe(live, observation, timeout_s, is_patient=True)
            await self._outcome(live, observation, ObservationState.REFUSED, None, str(error))
            raise
        code = answer.code_text
        if not answer.is_success:
            await self._outcome(live, observation, ObservationState.REFUSED, code, answer.diagnostic)
        elif answer.observe is not None:
            outcome = self._outcome(live, observation, ObservationState.ESTABLISHED, code, None)
            await asyncio.gather(outcome, self._report(live, observation, answer, Trigger.NOTIFY))
        else:
            text = "the device answered without observing"
            outcome = self._outcome(live, observation, ObservationState.REFUSED, code, text)
            await asyncio.gather(outcome, self._report(live, observation, answer, Trigger.READ))
        return observation, answer

    async def _carry_out(self, live: LiveRegistration) -> None:
        await _reachable(live)
        pending = [observation for observation in live.stored.observations if not observation.established]
        # Without an answer of ours it is from the bucket, not new; what was begun before a restart is done again.
        is_new = live.answered_at > 0
        profile = self._profiles.of(live.endpoint, live.object_ids)
        reads = planned_reads(profile, live.registration) if pending or is_new else ()
        try:
            for observation in pending:
                if not observation.composite:
                    await self._try_to_observe(live, observation)
            for path in reads:
                await self._reads.once(live, Path.parse(path))
            for observation in pending:
                if observation.composite:
                    await self._try_to_observe(live, observation)
            if pending:
                await self._registrar.save(live)
        except Unavailable as error:
            # What is not established is asked for again at the next start or registration.
            log.error("observations.not_kept", endpoint=live.endpoint, reason=str(error))

    async def _try_to_observe(self, live: LiveRegistration, observation: Observation) -> None:
        observation = await self._attributes.write(live, observation, anew=True)
        self._replace(live, observation)
        with contextlib.suppress(NoAnswer):  # it is published as refused
            await self.observe(live, observation, is_patient=True)

    async def _ask(
        self, live: LiveRegistration, observation: Observation, timeout_s: float, is_only_format: bool
    ) -> tuple[Observation, DeviceAnswer]:
        """In one format after the other. The token is the same, so what comes after a refusal is an answer again."""
        use = Use.READ_COMPOSITE if observation.composite else Use.READ
        former = () if observation.content_format is None else (observation.content_format,)
        formats = tuple(dict.fromkeys([*former, *self._requests.choices(live, use)]))
        if is_only_format:
            formats = former or formats
        for number, format_ in enumerate(formats, start=1):
            if observation.content_format != format_:
                observation = observation.model_copy(update={"content_format": format_})
                self._replace(live, observation)
            self._reopen(observation)
            request = request_to_observe(live, observation, observe=0)
            answer = await self._requests.send_as_is(live, request, timeout_s)
            if number == len(formats) or answer.code_text not in REFUSALS[use]:
                break
            self._requests.refused(live, use, format_, answer.code_text)
        if number > 1 and answer.is_success:
            self._requests.learn(live, use, format_)
        return observation, answer

    async def _report(
        self, live: LiveRegistration, observation: Observation, answer: DeviceAnswer, trigger: Trigger
    ) -> None:
        message = answer.as_message()
        await until_kept(lambda kept: self._uplink.first_value(live, observation, message, trigger=trigger, kept=kept))
        if more_blocks(message):
            self._reads.whole(live, observation)

    async def _outcome(
        self,
        live: LiveRegistration,
        observation: Observation,
        state: ObservationState,
        code: str | None,
        text: str | None,
    ) -> None:
        if state is ObservationState.ESTABLISHED:
            self._replace(live, observation.model_copy(update={"established": True}))
        else:
            if state is ObservationState.REFUSED:
                log.warning(
                    "observation.refused", endpoint=live.endpoint, paths=observation.paths, code=code, reason=text
                )
            live.observe(tuple(other for other in live.stored.observations if other.token != observation.token))
            self._table.set_tokens(live)
        event = self._uplink.observation_changed(live, observation, state, code, text)
        await until_kept(lambda kept: self._publisher.publish_event(event, kept))

    def _cease(self, live: LiveRegistration) -> None:
        task = self._tasks.pop(live, None)
        if task is not None:
            task.cancel()

    def _replace(self, live: LiveRegistration, observation: Observation) -> None:
        rest = tuple(observation if other.token == observation.token else other for other in live.stored.observations)
        live.observe(rest)
        self._table.set_tokens(live)

    def _reopen(self, observation: Observation) -> None:
        """The same token is asked with once more: what comes next is an answer again."""
        known = self._table.tokens.get(bytes.fromhex(observation.token))
        if known is not None:
            known.answered = False


async def _reachable(live: LiveRegistration) -> None:
    """Wait until there is a way to the device: it may close its session before it sleeps, or go on in it at another
    gateway, which stops what is under way here.
    """
    while not live.peer.is_reachable:
        await live.next_sign_of_life().wait()


def _nothing(_: LiveRegistration) -> None:
    return None


def _find(live: LiveRegistration, paths: tuple[str, ...]) -> Observation | None:
    return next((known for known in live.stored.observations if set(known.paths) == set(paths)), None)
