"""Rollouts on the stream, and updates that go as a test says."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from nats.js import JetStreamContext

from flownexus_runtime.firmware_updates import Overtaken, change_update, load_update
from flownexus_schemas import subjects
from flownexus_schemas.firmware.happenings import Asked, GivenUp, Happening, Succeeded
from flownexus_schemas.firmware.messages import parse_firmware_event
from flownexus_schemas.firmware.update import FirmwareUpdate, Step, UpdateStatus
from flownexus_schemas.rollouts.device import (
    IN_FLIGHT,
    DeviceStatus,
    PlannedDevice,
    RolloutDevice,
    RolloutPlan,
    planned,
)
from flownexus_schemas.rollouts.lifecycle import Happening as OfRollout
from flownexus_schemas.rollouts.lifecycle import apply
from flownexus_schemas.rollouts.messages import (
    REQUESTED,
    TYPE_OF,
    RolloutChanged,
    RolloutDeviceChanged,
    RolloutPlanned,
    parse_rollout_event,
)
from flownexus_schemas.rollouts.rollout import Rollout, RolloutGroup, RolloutImage, RolloutStatus
from flownexus_schemas.subjects import Stream
from harness.waiting import until

IMAGE = RolloutImage(id="0b" * 8, name="thermometer", version="2.0", size=1000, sha256="ab" * 32)
SOURCE = "/test"
_numbers = itertools.count(1)


class OnTheStream:
    """Rollouts made as the api makes them, read as they stand."""

    def __init__(self, js: JetStreamContext) -> None:
        self.js = js

    async def make(self, sizes: Sequence[int], prefix: str = "d", **changes: Any) -> str:
        """Devices `d1-1`, `d1-2`, ... in the first group, and so on. The id."""
        name = f"r{next(_numbers)}"
        of_group = changes.pop("of_group", {})
        devices = tuple(
            tuple(PlannedDevice(endpoint=f"{prefix}{group}-{number}") for number in range(1, size + 1))
            for group, size in enumerate(sizes, 1)
        )
        now = datetime.now(UTC)
        values = {
            "id": name,
            "name": name,
            "image": IMAGE,
            "groups": [RolloutGroup(size=size, **of_group) for size in sizes],
            "watch": {"seconds": 0},
            "requested_at": now,
            "requested_by": "olga",
        }
        rollout = Rollout.model_validate(values | changes)
        plan = RolloutPlan(rollout=name, images=(IMAGE,), groups=devices)
        envelope: dict[str, Any] = {"source": SOURCE, "subject": name, "time": now}
        first = RolloutPlanned(id=f"{name}-planned", data=plan, **envelope)
        await self.js.publish(subjects.rollout_plan(name), first.model_dump_json().encode())
        second = RolloutChanged(id=f"{name}-requested", type=REQUESTED, data=rollout, **envelope)
        await self.js.publish(subjects.rollout(name), second.model_dump_json().encode())
        return name

    async def happen(self, name: str, happening: OfRollout) -> None:
        """As somebody has it over the api."""
        message = await self.js.get_last_msg(Stream.OPERATIONS, subjects.rollout(name))
        event = parse_rollout_event(message.data or b"")
        assert isinstance(event, RolloutChanged)
        now = datetime.now(UTC)
        after = RolloutChanged(
            id=f"{name}-{message.seq}",
            source=SOURCE,
            subject=name,
            time=now,
            type=TYPE_OF[type(happening)],
            data=apply(event.data, happening, now),
        )
        expected = {"Nats-Expected-Last-Subject-Sequence": str(message.seq)}
        await self.js.publish(subjects.rollout(name), after.model_dump_json().encode(), headers=expected)

    async def rollout(self, name: str) -> Rollout:
        message = await self.js.get_last_msg(Stream.OPERATIONS, subjects.rollout(name))
        event = parse_rollout_event(message.data or b"")
        assert isinstance(event, RolloutChanged)
        return event.data

    async def devices(self, name: str) -> dict[str, RolloutDevice]:
        """As they stand."""
        found: dict[str, RolloutDevice] = {}
        for event in await self.history(name):
            if isinstance(event, RolloutPlanned):
                found = planned(event.data)
            elif isinstance(event, RolloutDeviceChanged):
                found[event.data.endpoint] = event.data
        return found

    async def those(self, name: str, *statuses: DeviceStatus) -> list[str]:
        return [one for one, device in (await self.devices(name)).items() if device.status in statuses]

    async def history(self, name: str) -> list[RolloutPlanned | RolloutChanged | RolloutDeviceChanged]:
        """Every message of the rollout and its devices, in their order."""
        return [
            parse_rollout_event(payload)
            for subject, payload in await self._messages()
            if subject.startswith(f"lwm2m.rollout.{name}.")
        ]

    async def most_in_flight(self, name: str) -> int:
        """At any moment, by the history."""
        status: dict[str, DeviceStatus] = {}
        most = 0
        for event in await self.history(name):
            if isinstance(event, RolloutDeviceChanged):
                status[event.data.endpoint] = event.data.status
                most = max(most, sum(one in IN_FLIGHT for one in status.values()))
        return most

    async def asked(self) -> Counter[str]:
        """How often an update was asked for, by endpoint."""
        found: Counter[str] = Counter()
        for subject, payload in await self._messages():
            if subject.startswith("lwm2m.firmware."):
                event = parse_firmware_event(payload)
                found[event.subject] += event.type.endswith("requested.v1")
        return found

    async def reaches(self, name: str, status: RolloutStatus, timeout_s: float = 30) -> Rollout:
        async def there() -> Rollout | None:
            rollout = await self.rollout(name)
            return rollout if rollout.status is status else None

        return await until(there, timeout_s, f"{name} {status}")

    async def are(self, name: str, status: DeviceStatus, count: int, timeout_s: float = 30) -> list[str]:
        async def there() -> list[str] | None:
            those = await self.those(name, status)
            return those if len(those) == count else None

        found: list[str] = await until(there, timeout_s, f"{count} devices of {name} {status}")
        return found

    async def end(self, name: str, status: UpdateStatus, *endpoints: str) -> None:
        """The updates of these devices come to this end."""
        devices = await self.devices(name)
        for endpoint in endpoints:
            update = devices[endpoint].update
            assert update is not None, f"no update of {endpoint} was asked for"
            await self.end_update(update, endpoint, status)

    async def end_update(self, update_id: str, endpoint: str, status: UpdateStatus) -> None:
        async def one_step() -> bool:
            return await self._one_step(update_id, endpoint, status)

        ended: bool = await until(one_step, 20, f"the end of {update_id}")
        assert ended

    async def _one_step(self, update_id: str, endpoint: str, status: UpdateStatus) -> bool:
        """On the way to its end; whether it is there."""
        update, sequence = await load_update(self.js, update_id, endpoint)
        if not update.is_open:
            assert update.status is status, update
            return True
        try:
            await change_update(self.js, update, sequence, _step(update, status), source=SOURCE, now=datetime.now(UTC))
        except Overtaken:
            return False
        return False

    async def _messages(self) -> list[tuple[str, bytes]]:
        info = await self.js.stream_info(Stream.OPERATIONS)
        found = []
        for sequence in range(1, info.state.last_seq + 1):
            message = await self.js.get_msg(Stream.OPERATIONS, sequence)
            found.append((message.subject or "", message.data or b""))
        return found


def _step(update: FirmwareUpdate, status: UpdateStatus) -> Happening:
    if update.status is UpdateStatus.QUEUED:
        return Asked(Step.READ)
    return Succeeded(update.version, "It runs it.") if status is UpdateStatus.SUCCEEDED else GivenUp("It broke.")
