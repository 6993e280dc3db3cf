"""Appends what happens to a rollout and its devices. Each names the last sequence it rests on."""

from __future__ import annotations

from datetime import datetime

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import Header
from nats.js.errors import APIError, BadRequestError
from nats.js.errors import Error as JetStreamError

from flownexus_operations import metrics
from flownexus_operations.transitions import EXPECTED_SUBJECT, Overtaken
from flownexus_schemas import subjects
from flownexus_schemas.cloudevent import CloudEvent
from flownexus_schemas.errors import Unavailable
from flownexus_schemas.jetstream import WRONG_LAST_SEQUENCE
from flownexus_schemas.rollouts.device import RolloutDevice
from flownexus_schemas.rollouts.device_lifecycle import DeviceHappening, apply_to_device
from flownexus_schemas.rollouts.lifecycle import Happening, apply
from flownexus_schemas.rollouts.messages import TYPE_OF, TYPE_OF_DEVICE, RolloutChanged, RolloutDeviceChanged
from flownexus_schemas.rollouts.rollout import Rollout
from flownexus_schemas.subjects import Stream


class Records:
    """Of one replica, `source` is its CloudEvents source. Each method raises Overtaken and Unavailable."""

    def __init__(self, js: JetStreamContext, source: str) -> None:
        self._js, self._source = js, source

    async def rollout(self, rollout: Rollout, happening: Happening, now: datetime, after: int) -> tuple[Rollout, int]:
        """The rollout after the happening, and its sequence; `after` is the last one of it and all its devices."""
        changed = apply(rollout, happening, now)
        event = RolloutChanged(
            id=f"{rollout.id}-{after}-{type(happening).__name__.lower()}",
            source=self._source,
            subject=rollout.id,
            time=now,
            type=TYPE_OF[type(happening)],
            data=changed,
        )
        subject = subjects.rollout(rollout.id)
        return changed, await self._append(subject, event, after, subjects.all_of_rollout(rollout.id))

    async def device(
        self, device: RolloutDevice, happening: DeviceHappening, now: datetime, after: int, *, among_all: bool = False
    ) -> tuple[RolloutDevice, int]:
        """The device after the happening, and its sequence; `after` is its last one.

        `among_all`: `after` is the last one of the rollout and all its devices: nothing happened to any of them.
        """
        changed = apply_to_device(device, happening, now)
        event = RolloutDeviceChanged(
            id=f"{device.rollout}-{after}-{device.group}-{type(happening).__name__.lower()}",
            source=self._source,
            subject=device.endpoint,
            time=now,
            type=TYPE_OF_DEVICE[type(happening)],
            data=changed,
        )
        subject = subjects.rollout_device(device.rollout, device.endpoint)
        filter_ = subjects.all_of_rollout(device.rollout) if among_all else None
        return changed, await self._append(subject, event, after, filter_)

    async def _append(self, subject: str, event: CloudEvent, after: int, among: str | None) -> int:
        headers = {Header.EXPECTED_LAST_SUBJECT_SEQUENCE.value: str(after)}
        if among is not None:
            headers[EXPECTED_SUBJECT] = among
        try:
            kept = await self._js.publish(
                subject, event.model_dump_json().encode(), stream=Stream.OPERATIONS, headers=headers
            )
        except BadRequestError as error:
            if error.err_code != WRONG_LAST_SEQUENCE:
                raise
            metrics.CONFLICTS.inc()
            raise Overtaken from error
        except (NatsError, APIError, JetStreamError, TimeoutError) as error:
            raise Unavailable(f"what happened to the rollout is not known to be kept: {error!r}") from error
        return kept.seq
