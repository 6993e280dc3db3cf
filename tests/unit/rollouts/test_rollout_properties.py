"""What holds whatever devices and people do: a rollout against random updates, registrations and commands."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from flownexus_operations.rollouts.decision import AskUpdate, DeviceStep, RolloutStep, Step
from flownexus_operations.rollouts.watching import Signs
from flownexus_schemas.firmware.update import UpdateStatus
from flownexus_schemas.rollouts.device import DeviceStatus
from flownexus_schemas.rollouts.device_lifecycle import Begun
from flownexus_schemas.rollouts.lifecycle import (
    GroupBegun,
    Halted,
    InvalidTransition,
    Paused,
    Resumed,
    Settled,
    Stopped,
)
from flownexus_schemas.rollouts.rollout import AfterGroup, OnHalt, RolloutGroup, RolloutStatus, Watch
from unit.rollouts.worlds import World

Device = DeviceStatus
ENDS = (UpdateStatus.SUCCEEDED, UpdateStatus.FAILED, UpdateStatus.CANCELLED)
OUT = {Device.CANCELLED, Device.LEFT_OUT}
BAD = {Device.FAILED, Device.QUIET, Device.REBOOTING}
PEOPLE = (Paused("olga"), Resumed("olga"), Stopped("olga"))

groups = st.lists(
    st.builds(
        RolloutGroup,
        size=st.integers(1, 8),
        succeeded_percent=st.sampled_from([0, 33.3, 50, 90, 100]),
        failed_percent=st.sampled_from([0, 10, 50, 100]),
        then=st.sampled_from([AfterGroup.NEXT, AfterGroup.NEXT, AfterGroup.PAUSE]),
    ),
    min_size=1,
    max_size=4,
)
settings_of_rollouts = st.fixed_dictionaries(
    {
        "in_flight": st.integers(1, 6),
        "watch": st.builds(Watch, seconds=st.sampled_from([0, 100]), more_registrations=st.sampled_from([None, 0, 1])),
        "on_halt": st.sampled_from(list(OnHalt)),
        "give_up_after_s": st.sampled_from([None, 300]),
    }
)


def counted(world: World, group: int) -> tuple[int, int, int]:
    """Base, succeeded and failed devices of a group, counted here and not by the code under test."""
    until = world.rollout.accepted_until
    devices = [world.device(one.endpoint) for one in world.standing.plan.groups[group - 1]]
    kept = [one for one in devices if one.status not in OUT]
    bad = [one for one in kept if one.status in BAD]
    aside = [one for one in bad if until is not None and one.ended_at is not None and one.ended_at <= until]
    succeeded = sum(one.status is Device.SUCCEEDED for one in kept)
    return len(kept) - len(aside), succeeded, len(bad) - len(aside)


def check(world: World, step: Step) -> None:
    """Before a step is carried out."""
    rollout = world.rollout
    match step:
        case DeviceStep(endpoint=endpoint, happening=Begun()):
            assert rollout.status is RolloutStatus.RUNNING
            assert rollout.groups[world.device(endpoint).group - 1].begun_at is not None
        case RolloutStep(happening=GroupBegun(group=group)) if group > 1:
            before = rollout.groups[group - 2]
            base, succeeded, _ = counted(world, group - 1)
            assert before.begun_at is not None
            assert succeeded >= math.ceil(before.succeeded_percent * base / 100 - 1e-9)
            assert before.then is AfterGroup.NEXT or before.paused_after_at is not None
        case AskUpdate(endpoint=endpoint):
            assert rollout.status in {RolloutStatus.RUNNING, RolloutStatus.PAUSED}
            assert world.device(endpoint).status is Device.UPDATING


def settled(world: World) -> None:
    """Carry out what is decided until nothing is; what must hold is held all the way."""
    for _ in range(500):
        steps = world.decided()
        if not steps:
            break
        for step in steps:
            check(world, step)
            world.carry_out(step)
            assert len(world.begun()) <= world.rollout.in_flight
    else:
        raise AssertionError(f"it never rests: {steps}")
    for number, group in world.standing.groups:
        base, _, bad = counted(world, number)
        if group.begun_at is not None and bad > group.failed_percent * base / 100 + 1e-9:
            assert world.rollout.status not in {RolloutStatus.RUNNING, RolloutStatus.PAUSED}


def act(world: World, draw: Callable[[st.SearchStrategy[int]], int]) -> None:
    """Something happens: time, an update, a device, a person."""
    match draw(st.integers(0, 9)):
        case 0 | 1 | 2 | 3:
            asked = [name for name in world.begun() if world.updates[world.device(name).update or ""].is_open]
            if asked:
                endpoint = asked[draw(st.integers(0, len(asked) - 1))]
                world.change(endpoint, ENDS[draw(st.integers(0, 2))])
        case 4 | 5:
            world.later(draw(st.integers(1, 120)))
        case 6 | 7:
            watched = world.those(Device.WATCHED, Device.QUIET)
            if watched:
                endpoint = watched[draw(st.integers(0, len(watched) - 1))]
                world.heard(endpoint, registered=bool(draw(st.integers(0, 1))))
        case 8:
            everyone = list(world.standing.devices)
            world.busy = set(everyone[: draw(st.integers(0, len(everyone)))])
        case _:
            try:
                world.happen(PEOPLE[draw(st.integers(0, 2))])
            except InvalidTransition:
                return


@settings(max_examples=100)
@given(st.data(), groups, settings_of_rollouts, st.integers(0, 40))
def test_no_group_begins_too_early_no_more_is_under_way_than_allowed_and_what_halted_begins_nothing(
    data: st.DataObject, given_groups: list[RolloutGroup], changes: dict[str, object], acts: int
) -> None:
    world = World.of(*given_groups, changes=changes)
    _sign(world)
    settled(world)
    for _ in range(acts):
        act(world, data.draw)
        _sign(world)
        settled(world)
    _come_to_an_end(world)


def _sign(world: World) -> None:
    """Everybody was heard at least once."""
    for endpoint in world.standing.devices:
        world.signs.setdefault(endpoint, Signs(world.now, 60))


def _come_to_an_end(world: World) -> None:
    """Where every update ends, time goes on and nobody is in the way, there is an end, or a reason to wait."""
    world.busy = set()
    for _ in range(300):
        for endpoint in world.begun():
            if world.updates[world.device(endpoint).update or ""].is_open:
                world.change(endpoint, UpdateStatus.SUCCEEDED)
        world.now += timedelta(seconds=20)
        for endpoint in world.standing.devices:
            world.heard(endpoint)
        settled(world)
        if not world.rollout.is_open or world.rollout.status in {RolloutStatus.PAUSED, RolloutStatus.HALTED}:
            break
    assert world.rollout.status is not RolloutStatus.RUNNING
    if world.rollout.status is RolloutStatus.STOPPED:
        assert isinstance(world.happened[-1], Settled)
    if world.rollout.status is RolloutStatus.HALTED:
        assert any(isinstance(one, Halted) for one in world.happened)
        assert not any(isinstance(step, DeviceStep) and isinstance(step.happening, Begun) for step in world.decided())
