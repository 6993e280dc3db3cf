"""The lives of a rollout and of its devices, as their transition tables have them, and their messages."""

from __future__ import annotations

from typing import get_args

import pytest

from flownexus_schemas.errors import InvalidMessage
from flownexus_schemas.rollouts import device_lifecycle, lifecycle
from flownexus_schemas.rollouts.device import DeviceStatus, Recall, RolloutDevice, update_id
from flownexus_schemas.rollouts.device_lifecycle import (
    DeviceHappening,
    InvalidDeviceTransition,
    apply_to_device,
)
from flownexus_schemas.rollouts.lifecycle import Happening, InvalidTransition, apply
from flownexus_schemas.rollouts.messages import (
    TYPE_OF,
    TYPE_OF_DEVICE,
    RolloutChanged,
    RolloutDeviceChanged,
    RolloutPlanned,
    parse_rollout_event,
)
from flownexus_schemas.rollouts.rollout import RolloutGroup, RolloutStatus
from unit.rollouts.worlds import IMAGE, NOW, plan, rollout

OF_ROLLOUT: tuple[Happening, ...] = (
    lifecycle.GroupBegun(1, "2 devices"),
    lifecycle.GatePaused(1, "enough"),
    lifecycle.Paused("olga"),
    lifecycle.Resumed("olga"),
    lifecycle.Halted("3 failed"),
    lifecycle.Stopped("olga"),
    lifecycle.Settled(),
    lifecycle.Finished("2 succeeded"),
)
OF_DEVICE: tuple[DeviceHappening, ...] = (
    device_lifecycle.Begun(),
    device_lifecycle.Postponed("busy"),
    device_lifecycle.PassedOver("nothing to do"),
    device_lifecycle.Recalled(Recall.HALT, "the rollout halted"),
    device_lifecycle.Updated(NOW, "1.0"),
    device_lifecycle.UpdateFailed("no"),
    device_lifecycle.UpdateCancelled("taken back"),
    device_lifecycle.TakenBack(),
    device_lifecycle.GivenUp("too long"),
    device_lifecycle.Proven("well"),
    device_lifecycle.WentQuiet("silence"),
    device_lifecycle.HeardAgain(),
    device_lifecycle.Rebooted("again and again"),
)
DEVICE = RolloutDevice(rollout="r1", endpoint="device-1", group=1, image=IMAGE)


@pytest.mark.parametrize("status", RolloutStatus)
@pytest.mark.parametrize("happening", OF_ROLLOUT, ids=lambda happening: type(happening).__name__)
def test_a_rollout_goes_where_the_table_says_and_nowhere_else(status: RolloutStatus, happening: Happening) -> None:
    one = rollout(RolloutGroup(size=2), status=status)
    target = lifecycle.TRANSITIONS.get((status, type(happening)))
    if target is None:
        with pytest.raises(InvalidTransition, match=f"The rollout is {status}: it cannot be"):
            apply(one, happening, NOW)
    else:
        assert apply(one, happening, NOW).status is target


@pytest.mark.parametrize("status", DeviceStatus)
@pytest.mark.parametrize("happening", OF_DEVICE, ids=lambda happening: type(happening).__name__)
def test_a_device_goes_where_the_table_says_and_nowhere_else(status: DeviceStatus, happening: DeviceHappening) -> None:
    one = DEVICE.model_copy(update={"status": status})
    target = device_lifecycle.TRANSITIONS.get((status, type(happening)))
    if target is None:
        with pytest.raises(InvalidDeviceTransition, match=status):
            apply_to_device(one, happening, NOW)
    else:
        assert apply_to_device(one, happening, NOW).status is target


def test_every_happening_has_its_example_and_its_message() -> None:
    assert {type(one) for one in OF_ROLLOUT} == set(get_args(Happening)) == set(TYPE_OF)
    assert {type(one) for one in OF_DEVICE} == set(get_args(DeviceHappening)) == set(TYPE_OF_DEVICE)


def test_what_is_over_changes_no_more() -> None:
    over = apply(rollout(RolloutGroup(size=2)), lifecycle.Stopped("olga"), NOW)
    settled = apply(over, lifecycle.Settled(), NOW)
    assert settled.last_action == "Stopped by olga. Updates under way are taken back."
    with pytest.raises(InvalidTransition):
        apply(settled, lifecycle.Settled(), NOW)


def test_a_group_begins_once() -> None:
    begun = apply(rollout(RolloutGroup(size=2)), lifecycle.GroupBegun(1, "2 devices"), NOW)
    assert begun.groups[0].begun_at == NOW
    with pytest.raises(InvalidTransition, match="Group 1 has begun already"):
        apply(begun, lifecycle.GroupBegun(1, "2 devices"), NOW)


def test_each_attempt_is_an_update_of_its_own_and_asking_again_is_the_same_one() -> None:
    names = {update_id(name, endpoint, attempt) for name in "ab" for endpoint in "cd" for attempt in (1, 2)}
    assert len(names) == 8
    begun = apply_to_device(DEVICE, device_lifecycle.Begun(), NOW)
    assert (
        begun.update == update_id("r1", "device-1", 1) == apply_to_device(DEVICE, device_lifecycle.Begun(), NOW).update
    )


def test_messages_are_read_as_they_were_written() -> None:
    envelope = {"id": "1", "source": "/operations/ops", "time": NOW}
    for event in (
        RolloutPlanned(**envelope, subject="r1", data=plan([2, 1])),
        *(
            RolloutChanged(**envelope, subject="r1", type=kind, data=rollout(RolloutGroup(size=2)))
            for kind in TYPE_OF.values()
        ),
        *(RolloutDeviceChanged(**envelope, subject="d", type=kind, data=DEVICE) for kind in TYPE_OF_DEVICE.values()),
    ):
        assert parse_rollout_event(event.model_dump_json().encode()) == event
    with pytest.raises(InvalidMessage, match="not a rollout event"):
        parse_rollout_event(b'{"type": "io.flownexus.rollout.planned.v1"}')
