"""One rollout in the care of this replica: what is decided about it is carried out, as long as it is ours."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime

import structlog
from nats.aio.client import Client
from nats.js import JetStreamContext

from flownexus_operations.listening import Listeners
from flownexus_operations.rollouts.decision import AskCancel, AskUpdate, DeviceStep, Facts, RolloutStep, Step, decide
from flownexus_operations.rollouts.known import Known
from flownexus_operations.rollouts.origins import Origins
from flownexus_operations.rollouts.records import Records
from flownexus_operations.rollouts.signs import SignsOfLife
from flownexus_operations.rollouts.standing import Standing
from flownexus_operations.rollouts.updates import KnownUpdates
from flownexus_operations.transitions import Overtaken
from flownexus_runtime.firmware_updates import UpdateUnderWay, cancel_update, open_update, request_update
from flownexus_runtime.stream_reader import StreamReader
from flownexus_schemas import subjects
from flownexus_schemas.errors import Conflict, InvalidMessage
from flownexus_schemas.firmware.update import FirmwareUpdate
from flownexus_schemas.rollouts.device import IN_FLIGHT, DeviceStatus, RolloutDevice, update_id
from flownexus_schemas.rollouts.device_lifecycle import Begun, DeviceHappening, Postponed
from flownexus_schemas.rollouts.messages import parse_rollout_event
from flownexus_schemas.rollouts.rollout import Rollout
from flownexus_schemas.subjects import Stream

log = structlog.get_logger(__name__)

BATCH = 1000
TICK_S = 1.0
"""After which time alone may have changed something."""

ACTIVE_A_SECOND = 1000
"""So many more devices that are looked after make the tick a second longer."""

BUSY_S = 30.0
"""After which a device that another update was under way of is looked at again."""


class Care:
    """Made anew for each run. `is_over`: nothing becomes of the rollout any more."""

    def __init__(
        self, rollout: Rollout, *, client: Client, js: JetStreamContext, listeners: Listeners, source: str
    ) -> None:
        self.rollout = rollout
        self._client, self._js, self._source = client, js, source
        self._records = Records(js, source)
        self._known = Known()
        self._updates = KnownUpdates(js)
        self._signs = SignsOfLife(client, js, listeners, rollout.watch)
        self._origins = Origins(js, rollout.rollback_of)
        self._busy: dict[str, float] = {}
        self._changed = asyncio.Event()
        self._caught_up = asyncio.Event()
        self._appended = 0
        self._rests_on = 0

    def take_update(self, update: FirmwareUpdate, sequence: int) -> None:
        """An update of a device of this rollout, as a message has it."""
        if self._updates.take(update, sequence):
            self._changed.set()

    def free(self, endpoint: str) -> None:
        """An update that is none of ours ended: a device that waited for it has its turn."""
        if self._busy.pop(endpoint, None) is not None:
            self._changed.set()

    async def run(self) -> None:
        """Until the rollout is over. Raises a group of ReaderLost, Unavailable and what NATS raises."""
        async with asyncio.TaskGroup() as tasks:
            following = tasks.create_task(self._follow())
            standing = await self._complete()
            signs = tasks.create_task(self._signs.follow(standing.rollout.requested_at, standing.devices))
            await self._signs.caught_up.wait()
            await self._care_for(standing)
            for task in (following, signs):
                task.cancel()

    async def _follow(self) -> None:
        """Take the messages of the rollout, for ever."""
        reader = StreamReader(
            self._client,
            self._js,
            Stream.OPERATIONS,
            after=None,
            size=BATCH,
            subjects=(subjects.all_of_rollout(self.rollout.id),),
        )
        async with reader:
            while True:
                for message in await reader.batch():
                    try:
                        self._known.take(parse_rollout_event(message.payload), message.sequence)
                    except InvalidMessage as error:
                        log.error("rollout.unreadable", subject=message.subject, error=str(error))
                    if message.pending == 0:
                        self._caught_up.set()
                self._changed.set()

    async def _complete(self) -> Standing:
        """The rollout with its devices, once both are known as the stream has them."""
        await self._caught_up.wait()
        while (standing := self._known.standing) is None:
            self._changed.clear()
            await self._changed.wait()
        return standing

    async def _care_for(self, standing: Standing) -> None:
        while standing.rollout.is_open:
            self._changed.clear()
            now = datetime.now(UTC)
            facts = await self._facts(standing, now)
            if self._known.last_sequence < self._appended:
                await self._something_changed(standing)  # what came before it is read first
                continue
            # From here to the last step nothing may come in between that the steps were not decided on.
            self._rests_on, news = self._known.last_sequence, self._known.news
            is_further = False
            with contextlib.suppress(Overtaken):
                for step in decide(standing, facts, now):
                    if self._known.news != news:
                        break
                    is_further |= await self._carry_out(standing, step)
            if not is_further and self._known.news == news:
                await self._something_changed(standing)

    async def _something_changed(self, standing: Standing) -> None:
        """Or a tick went by, which is longer where many devices are looked after."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TICK_S + len(standing.active) / ACTIVE_A_SECOND):
                await self._changed.wait()

    async def _facts(self, standing: Standing, now: datetime) -> Facts:
        devices = standing.devices
        active = list(standing.active.values())
        await self._updates.know(device for device in active if device.status in IN_FLIGHT)
        coming_back = (
            planned.endpoint
            for group in standing.plan.groups
            for planned in group
            if planned.origin_under_way and devices[planned.endpoint].status is DeviceStatus.WAITING
        )
        moment = now.timestamp()
        self._busy = {endpoint: until for endpoint, until in self._busy.items() if until > moment}
        return Facts(
            updates=self._updates.by_id,
            signs=await self._signs.of(active, now),
            busy=self._busy.keys(),
            origins=await self._origins.of(coming_back, moment),
        )

    async def _carry_out(self, standing: Standing, step: Step) -> bool:
        """Whether anything is further. Raises Overtaken, Unavailable."""
        now = datetime.now(UTC)
        match step:
            case RolloutStep(happening=happening):
                rollout, sequence = await self._records.rollout(standing.rollout, happening, now, self._rests_on)
                self._known.take_rollout(rollout, sequence)
                self._went_on(sequence)
                log.info("rollout.changed", rollout=rollout.id, status=rollout.status, action=rollout.last_action)
                return True
            case DeviceStep(endpoint=endpoint, happening=Begun()):
                return await self._begin(standing, endpoint, now)
            case DeviceStep(endpoint=endpoint, happening=of_device):
                await self._append(standing.devices[endpoint], of_device, now, self._known.sequence_of(endpoint))
                return True
            case AskUpdate(endpoint=endpoint):
                await self._ask(standing, standing.devices[endpoint], now, self._known.sequence_of(endpoint))
                return True
            case AskCancel(endpoint=endpoint):
                return await self._cancel(standing.devices[endpoint])

    async def _begin(self, standing: Standing, endpoint: str, now: datetime) -> bool:
        """Only once no other update of the device is under way: that it is begun counts for the most in flight."""
        device, after = standing.devices[endpoint], self._known.sequence_of(endpoint)
        other = await open_update(self._js, endpoint)
        # Whoever cared for it before may have asked for its update already.
        ours = (None, update_id(device.rollout, endpoint, device.attempt + 1), device.update)
        under_way = None if other is None else other.id
        if other is not None and under_way not in ours:
            return await self._postpone(device, _waits_for(other), now, after)
        begun = Begun(again=under_way is not None and under_way == device.update)
        device, sequence = await self._records.device(device, begun, now, self._rests_on, among_all=True)
        self._known.take_device(device, sequence)
        self._went_on(sequence)
        await self._ask(standing, device, now, sequence)
        return True

    def _went_on(self, sequence: int) -> None:
        """What was appended rests on all that came before it."""
        self._rests_on = sequence
        self._known.reached(sequence)

    async def _ask(self, standing: Standing, device: RolloutDevice, now: datetime, after: int) -> None:
        assert device.update is not None
        rollout, image = standing.rollout, device.image
        update = FirmwareUpdate(
            id=device.update,
            endpoint=device.endpoint,
            firmware=image.id,
            name=image.name,
            version=image.version,
            size=image.size,
            sha256=image.sha256,
            requested_at=now,
            requested_by=rollout.requested_by,
            rollout=rollout.id,
            method=rollout.method,
            scheme=rollout.scheme,
            install=rollout.install,
        )
        try:
            await request_update(self._js, update, self._source)
        except UpdateUnderWay as error:
            await self._postpone(device, f"It waits: {error}", now, after)
        else:
            # As the stream has it: it may have been asked for before.
            self._updates.forget(device.update)

    async def _postpone(self, device: RolloutDevice, reason: str, now: datetime, after: int) -> bool:
        """Once a reason: a device that stays busy is looked at again and again."""
        self._busy[device.endpoint] = now.timestamp() + BUSY_S
        if device.status is DeviceStatus.WAITING and device.last_action == reason:
            return False
        await self._append(device, Postponed(reason), now, after)
        return True

    async def _cancel(self, device: RolloutDevice) -> bool:
        assert device.update is not None
        by = f"the rollout {self.rollout.name!r}"
        try:
            await cancel_update(self._js, device.update, by, self._source, device.endpoint)
        except Conflict:
            return False  # it is too late: what comes of it is heard
        self._updates.forget(device.update)
        return True

    async def _append(self, device: RolloutDevice, happening: DeviceHappening, now: datetime, after: int) -> None:
        """`after` is the last sequence of the device as it is."""
        changed, sequence = await self._records.device(device, happening, now, after)
        self._known.take_device(changed, sequence)
        self._appended = sequence
        log.info("rollout.device", rollout=changed.rollout, endpoint=changed.endpoint, status=changed.status)


def _waits_for(update: FirmwareUpdate) -> str:
    return f"It waits for the end of another update, to {update.version} ({update.id})."
