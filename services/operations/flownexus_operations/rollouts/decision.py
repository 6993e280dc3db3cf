"""What is to be done about a rollout now. Pure: from how it stands, how its updates and devices are, and the time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from flownexus_operations.rollouts.halting import reason_to_halt
from flownexus_operations.rollouts.standing import Standing
from flownexus_operations.rollouts.watching import Signs, verdict
from flownexus_schemas.firmware.happenings import CancelAsked
from flownexus_schemas.firmware.lifecycle import InvalidTransition, apply
from flownexus_schemas.firmware.update import FirmwareUpdate, UpdateStatus
from flownexus_schemas.rollouts.device import IN_FLIGHT, UPDATED, DeviceStatus, Recall, RolloutDevice
from flownexus_schemas.rollouts.device_lifecycle import (
    Begun,
    DeviceHappening,
    GivenUp,
    PassedOver,
    Postponed,
    Recalled,
    TakenBack,
    UpdateCancelled,
    Updated,
    UpdateFailed,
)
from flownexus_schemas.rollouts.lifecycle import Finished, GatePaused, GroupBegun, Halted, Happening, Settled
from flownexus_schemas.rollouts.rollout import AfterGroup, OnHalt, RolloutStatus


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known beside the rollout's own messages. What is not in it is not known yet, and not decided on.

    `updates`: by their id, None where there surely is none. `signs`: of updated devices, by name. `busy`: devices whose
    update cannot be asked for now. `origins`: how devices stand in the rollout that this one takes back.
    """

    updates: Mapping[str, FirmwareUpdate | None] = field(default_factory=dict)
    signs: Mapping[str, Signs] = field(default_factory=dict)
    busy: Collection[str] = ()
    origins: Mapping[str, DeviceStatus] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeviceStep:
    """Something happens to a device."""

    endpoint: str
    happening: DeviceHappening


@dataclass(frozen=True, slots=True)
class RolloutStep:
    """Something happens to the rollout."""

    happening: Happening


@dataclass(frozen=True, slots=True)
class AskUpdate:
    """The update of a device is to be asked for."""

    endpoint: str


@dataclass(frozen=True, slots=True)
class AskCancel:
    """The update of a device is to be taken back."""

    endpoint: str


Step = DeviceStep | RolloutStep | AskUpdate | AskCancel

_GOING_ON = frozenset({RolloutStatus.RUNNING, RolloutStatus.PAUSED})


def decide(standing: Standing, facts: Facts, now: datetime) -> Sequence[Step]:
    """The next steps, in their order; empty where there is nothing to do before something else happens.

    What became of devices comes first and alone: everything else is decided on what is known of them.
    """
    if not standing.rollout.is_open:
        return []
    if outcomes := list(_outcomes(standing, facts, now)):
        return outcomes
    if step := _of_rollout(standing, now):
        return [step]
    steps: list[Step] = list(_asked(standing, facts))
    steps.extend(_recalls(standing, facts, now))
    steps.extend(_begun(standing, facts, now))
    return steps


def _outcomes(standing: Standing, facts: Facts, now: datetime) -> Iterator[DeviceStep]:
    watch = standing.rollout.watch
    before = standing.registrations
    for endpoint, device in standing.active.items():
        happening: DeviceHappening | None = None
        if device.status in IN_FLIGHT and device.update is not None and device.update in facts.updates:
            happening = _of_update(standing.rollout.status, device, facts.updates[device.update])
        elif device.status in {DeviceStatus.WATCHED, DeviceStatus.QUIET} and endpoint in facts.signs:
            happening = verdict(device, before[endpoint], watch, facts.signs[endpoint], now)
        if happening is not None:
            yield DeviceStep(endpoint, happening)


def _of_update(status: RolloutStatus, device: RolloutDevice, update: FirmwareUpdate | None) -> DeviceHappening | None:
    """What became of the update of a device; None while it is under way or still to be asked for."""
    if update is None:
        begun = device.status is DeviceStatus.UPDATING and status in _GOING_ON
        return None if begun else _unasked(status, device)
    match update.status:
        case UpdateStatus.SUCCEEDED:
            assert update.finished_at is not None
            return Updated(update.finished_at, update.version_before)
        case UpdateStatus.FAILED:
            return UpdateFailed(f"Its update failed: {update.last_action}")
        case UpdateStatus.CANCELLED:
            return _of_cancelled(status, device, update)
    if device.recall is Recall.TIME and not _can_be_taken_back(update):
        # It is being taken back, or the device installs: the rollout waits for neither.
        return GivenUp(f"{device.last_action} {update.last_action}")
    return None


def _unasked(status: RolloutStatus, device: RolloutDevice) -> DeviceHappening:
    """It was recalled, or the rollout ended, before its update was asked for."""
    if device.recall is Recall.TIME:
        return GivenUp("Its update took too long to be asked for.")
    if status is RolloutStatus.STOPPED and device.status is DeviceStatus.RECALLED:
        return UpdateCancelled("The rollout was stopped before its update was asked for.")
    return Postponed("Its update was not asked for, as the rollout does not go on; it waits.")


def _of_cancelled(status: RolloutStatus, device: RolloutDevice, update: FirmwareUpdate) -> DeviceHappening:
    if device.status is DeviceStatus.RECALLED:
        if device.recall is Recall.TIME:
            return GivenUp(f"{device.last_action} {update.last_action}")
        if device.recall is Recall.HALT and status is not RolloutStatus.STOPPED:
            return TakenBack()
    return UpdateCancelled(update.last_action)


def _of_rollout(standing: Standing, now: datetime) -> RolloutStep | None:
    """What happens to the rollout itself, one thing at a time."""
    rollout = standing.rollout
    if rollout.status in _GOING_ON and (reason := reason_to_halt(standing)) is not None:
        return RolloutStep(Halted(reason))
    if rollout.status is RolloutStatus.STOPPED and standing.is_settled:
        return RolloutStep(Settled())
    if rollout.status is not RolloutStatus.RUNNING or (rollout.starts_at is not None and now < rollout.starts_at):
        return None
    following = next((number for number, group in standing.groups if group.begun_at is None), None)
    if following is None:
        return RolloutStep(Finished(_summary(standing))) if _is_over(standing) else None
    if following == 1:
        return RolloutStep(GroupBegun(1, f"{standing.rollout.groups[0].size} devices"))
    group, tally = rollout.groups[following - 2], standing.tally(following - 1)
    if not tally.is_through(group):
        return None
    reason = f"{tally.succeeded} of {tally.base} of group {following - 1} succeeded, {tally.needed(group)} are enough"
    if group.then is AfterGroup.PAUSE and group.paused_after_at is None:
        return RolloutStep(GatePaused(following - 1, reason))
    return RolloutStep(GroupBegun(following, reason))


def _is_over(standing: Standing) -> bool:
    return standing.is_settled and standing.count(DeviceStatus.WAITING) == 0


def _asked(standing: Standing, facts: Facts) -> Iterator[Step]:
    """Updates that are to be asked for, or taken back, and that nobody did so far."""
    for endpoint, device in standing.active.items():
        if device.status not in IN_FLIGHT or device.update is None or device.update not in facts.updates:
            continue
        update = facts.updates[device.update]
        if update is None:
            yield AskUpdate(endpoint)
        elif device.status is DeviceStatus.RECALLED and _can_be_taken_back(update):
            yield AskCancel(endpoint)


def _can_be_taken_back(update: FirmwareUpdate) -> bool:
    """Not once the device installs, nor where that is under way already."""
    try:
        apply(update, CancelAsked(""), update.requested_at)
    except InvalidTransition:
        return False
    return True


def _recalls(standing: Standing, facts: Facts, now: datetime) -> Iterator[DeviceStep]:
    rollout = standing.rollout
    for endpoint, device in standing.active.items():
        if device.status is not DeviceStatus.UPDATING or device.update not in facts.updates:
            continue
        if rollout.status is RolloutStatus.STOPPED:
            yield DeviceStep(endpoint, Recalled(Recall.STOP, "the rollout was stopped"))
        elif rollout.status is RolloutStatus.HALTED and rollout.on_halt is OnHalt.RECALL:
            yield DeviceStep(endpoint, Recalled(Recall.HALT, "the rollout halted"))
        elif _takes_too_long(device, rollout.give_up_after_s, now):
            yield DeviceStep(endpoint, Recalled(Recall.TIME, f"it took more than {rollout.give_up_after_s} s"))


def _takes_too_long(device: RolloutDevice, give_up_after_s: int | None, now: datetime) -> bool:
    if give_up_after_s is None or device.begun_at is None:
        return False
    return now >= device.begun_at + timedelta(seconds=give_up_after_s)


def _begun(standing: Standing, facts: Facts, now: datetime) -> Iterator[DeviceStep]:
    """Devices whose turn it is: of groups that have begun, in the order of the plan, as many as may be under way."""
    rollout = standing.rollout
    if rollout.status is not RolloutStatus.RUNNING or (rollout.starts_at is not None and now < rollout.starts_at):
        return
    free = rollout.in_flight - standing.in_flight
    for number, group in standing.groups:
        if group.begun_at is None:
            return
        for planned in standing.plan.groups[number - 1]:
            endpoint = planned.endpoint
            if standing.devices[endpoint].status is not DeviceStatus.WAITING or endpoint in facts.busy:
                continue
            if planned.origin_under_way and (reason := _not_yet(facts.origins.get(endpoint))) is not None:
                if isinstance(reason, PassedOver):
                    yield DeviceStep(endpoint, reason)
                continue
            if free <= 0:
                return
            free -= 1
            yield DeviceStep(endpoint, Begun())


def _not_yet(origin: DeviceStatus | None) -> PassedOver | str | None:
    """Why a device is not to be brought back to what it had: its update is still taken back, or never came to it."""
    if origin is None or origin in IN_FLIGHT:
        return "what becomes of its update is not known yet"
    return None if origin in UPDATED else PassedOver("Its update was taken back before it was installed.")


def _summary(standing: Standing) -> str:
    counted = {status: standing.count(status) for status in DeviceStatus}
    return ", ".join(f"{count} {status.lower().replace('_', ' ')}" for status, count in counted.items() if count)
