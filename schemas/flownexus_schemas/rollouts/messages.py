"""Messages of LWM2M_OPERATIONS on `lwm2m.rollout.<rollout id>.*`.

`.plan`, once: which devices. `.state`: the rollout as it is after what happened. `.device.<endpoint>`: a device of it
as it is after what happened; one without a message is as it was planned. The last message of a subject is all there is
to know.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from flownexus_schemas.cloudevent import CloudEvent
from flownexus_schemas.errors import InvalidMessage
from flownexus_schemas.rollouts import device_lifecycle as of_device
from flownexus_schemas.rollouts import lifecycle as of_rollout
from flownexus_schemas.rollouts.device import RolloutDevice, RolloutPlan
from flownexus_schemas.rollouts.rollout import Rollout


class RolloutPlanned(CloudEvent):
    """Devices were chosen, and put in groups. `subject` is the rollout."""

    type: Literal["io.flownexus.rollout.planned.v1"] = "io.flownexus.rollout.planned.v1"
    data: RolloutPlan


class RolloutChanged(CloudEvent):
    """Something happened to a rollout: what, says the type. `subject` is the rollout."""

    type: Literal[
        "io.flownexus.rollout.requested.v1",
        "io.flownexus.rollout.group-begun.v1",
        "io.flownexus.rollout.paused.v1",
        "io.flownexus.rollout.resumed.v1",
        "io.flownexus.rollout.halted.v1",
        "io.flownexus.rollout.stopped.v1",
        "io.flownexus.rollout.settled.v1",
        "io.flownexus.rollout.finished.v1",
    ]
    data: Rollout


class RolloutDeviceChanged(CloudEvent):
    """Something happened to a device of a rollout: what, says the type. `subject` is the endpoint."""

    type: Literal[
        "io.flownexus.rollout-device.begun.v1",
        "io.flownexus.rollout-device.postponed.v1",
        "io.flownexus.rollout-device.passed-over.v1",
        "io.flownexus.rollout-device.recalled.v1",
        "io.flownexus.rollout-device.updated.v1",
        "io.flownexus.rollout-device.failed.v1",
        "io.flownexus.rollout-device.cancelled.v1",
        "io.flownexus.rollout-device.taken-back.v1",
        "io.flownexus.rollout-device.succeeded.v1",
        "io.flownexus.rollout-device.quiet.v1",
        "io.flownexus.rollout-device.heard-again.v1",
        "io.flownexus.rollout-device.rebooting.v1",
    ]
    data: RolloutDevice


AnyRolloutEvent = Annotated[RolloutPlanned | RolloutChanged | RolloutDeviceChanged, Field(discriminator="type")]

REQUESTED = "io.flownexus.rollout.requested.v1"

TYPE_OF: dict[type[of_rollout.Happening], str] = {
    of_rollout.GroupBegun: "io.flownexus.rollout.group-begun.v1",
    of_rollout.GatePaused: "io.flownexus.rollout.paused.v1",
    of_rollout.Paused: "io.flownexus.rollout.paused.v1",
    of_rollout.Resumed: "io.flownexus.rollout.resumed.v1",
    of_rollout.Halted: "io.flownexus.rollout.halted.v1",
    of_rollout.Stopped: "io.flownexus.rollout.stopped.v1",
    of_rollout.Settled: "io.flownexus.rollout.settled.v1",
    of_rollout.Finished: "io.flownexus.rollout.finished.v1",
}

TYPE_OF_DEVICE: dict[type[of_device.DeviceHappening], str] = {
    of_device.Begun: "io.flownexus.rollout-device.begun.v1",
    of_device.Postponed: "io.flownexus.rollout-device.postponed.v1",
    of_device.PassedOver: "io.flownexus.rollout-device.passed-over.v1",
    of_device.Recalled: "io.flownexus.rollout-device.recalled.v1",
    of_device.Updated: "io.flownexus.rollout-device.updated.v1",
    of_device.UpdateFailed: "io.flownexus.rollout-device.failed.v1",
    of_device.GivenUp: "io.flownexus.rollout-device.failed.v1",
    of_device.UpdateCancelled: "io.flownexus.rollout-device.cancelled.v1",
    of_device.TakenBack: "io.flownexus.rollout-device.taken-back.v1",
    of_device.Proven: "io.flownexus.rollout-device.succeeded.v1",
    of_device.WentQuiet: "io.flownexus.rollout-device.quiet.v1",
    of_device.HeardAgain: "io.flownexus.rollout-device.heard-again.v1",
    of_device.Rebooted: "io.flownexus.rollout-device.rebooting.v1",
}

_adapter: TypeAdapter[AnyRolloutEvent] = TypeAdapter(AnyRolloutEvent)


def parse_rollout_event(payload: bytes) -> AnyRolloutEvent:
    """Read one message of a rollout. Raises InvalidMessage with the reason."""
    try:
        return _adapter.validate_json(payload)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise InvalidMessage(f"not a rollout event: {where}: {first['msg']}") from error
