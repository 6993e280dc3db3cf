"""How devices stand in the rollout that another one takes back, where their update was under way when it was made."""

from __future__ import annotations

from collections.abc import Iterable

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import APIError, NotFoundError

from flownexus_schemas import subjects
from flownexus_schemas.errors import InvalidMessage, Unavailable
from flownexus_schemas.rollouts.device import IN_FLIGHT, DeviceStatus
from flownexus_schemas.rollouts.messages import RolloutDeviceChanged, parse_rollout_event
from flownexus_schemas.subjects import Stream

LOOK_AGAIN_S = 2.0


class Origins:
    """`rollout`: the one that is taken back; None where there is none."""

    def __init__(self, js: JetStreamContext, rollout: str | None) -> None:
        self._js, self._rollout = js, rollout
        self._status: dict[str, DeviceStatus] = {}
        self._asked_at: dict[str, float] = {}

    async def of(self, endpoints: Iterable[str], now: float) -> dict[str, DeviceStatus]:
        """Unix seconds. One whose update is under way still is asked about again after a while. Raises Unavailable."""
        if self._rollout is None:
            return {}
        for endpoint in endpoints:
            if self._status.get(endpoint, DeviceStatus.UPDATING) not in IN_FLIGHT:
                continue
            if now - self._asked_at.get(endpoint, 0.0) >= LOOK_AGAIN_S:
                self._status[endpoint] = await self._ask(self._rollout, endpoint)
                self._asked_at[endpoint] = now
        return self._status

    async def _ask(self, rollout: str, endpoint: str) -> DeviceStatus:
        try:
            message = await self._js.get_last_msg(Stream.OPERATIONS, subjects.rollout_device(rollout, endpoint))
            event = parse_rollout_event(message.data or b"")
        except NotFoundError:
            return DeviceStatus.WAITING
        except (NatsError, APIError, TimeoutError, InvalidMessage) as error:
            raise Unavailable(f"it is not known what became of {endpoint!r}: {error!r}") from error
        return event.data.status if isinstance(event, RolloutDeviceChanged) else DeviceStatus.WAITING
