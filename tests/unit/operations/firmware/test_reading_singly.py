"""A device that refuses the read of 5/0 is asked for its resources one by one."""

from __future__ import annotations

from itertools import pairwise

import pytest

from flownexus_schemas.firmware.happenings import CancelAsked
from flownexus_schemas.firmware.object5 import Result
from flownexus_schemas.firmware.update import Method, Step, UpdateStatus
from unit.operations.firmware.world import QUEUED, SILENCE, Said_, World, answer

FAILED, SUCCEEDED = UpdateStatus.FAILED, UpdateStatus.SUCCEEDED
ALL = [Step.READ_STATE, Step.READ_RESULT, Step.READ_PACKAGE_VERSION, Step.READ_PROTOCOLS, Step.READ_DELIVERY]
STANDING = ALL[:2]


def refusing(code: str = "4.05", **others: Said_) -> World:
    """`read_state="4.04"`: what it says to that."""

    def respond(world: World, step: Step) -> Said_ | None:
        if step is Step.READ:
            return answer(code)
        said = others.get(step.name.lower())
        return answer(said) if isinstance(said, str) and said != SILENCE else said

    return World(respond=respond)


@pytest.mark.parametrize("code", ["4.04", "4.05", "4.06", "5.00"])
@pytest.mark.parametrize("method", [Method.PULL, Method.PUSH])
def test_it_is_updated_as_any_other(code: str, method: Method) -> None:
    world = refusing(code)
    world.update = QUEUED.model_copy(update={"method": method})
    update = world.run()

    assert (update.status, update.result, update.version_after, update.installs) == (SUCCEEDED, 1, "2.0", 1)
    assert world.steps[:6] == [Step.READ, *ALL]
    assert world.steps.count(Step.READ) == 1, "it is asked for the whole once"
    assert {after for step, after in pairwise(world.steps) if step is Step.READ_STATE} == {Step.READ_RESULT}


def test_what_it_says_of_itself_is_known_then() -> None:
    world = refusing()
    world.delivery, world.protocols, world.package = 0, (2,), "1.0"
    update = world.run_until(lambda update: update.status is UpdateStatus.TRANSFERRING)

    assert (update.device.delivery, update.device.protocols, update.device.package_version) == (0, (2,), "1.0")
    assert str(update.way) == "pull by http"


def test_an_image_of_before_is_dropped() -> None:
    world = refusing()
    world.state = 2
    update = world.run()

    assert (update.status, world.steps.count(Step.RESET)) == (SUCCEEDED, 1)


@pytest.mark.parametrize("step", ["read_result", "read_package_version", "read_protocols", "read_delivery"])
def test_what_it_does_not_have_besides_its_state_is_no_hindrance(step: str) -> None:
    """A result is told by notification too."""
    update = refusing(**{step: "4.04"}).run()

    assert (update.status, update.version_after) == (SUCCEEDED, "2.0"), update.last_action


def test_without_any_result_it_has_failed_and_it_is_said_that_it_runs_the_version() -> None:
    world = refusing(read_result="4.04", observe_result="4.05")
    world.told_to_observe = False

    assert world.run().last_action == "The device runs 2.0, and does not say that it updated (5/0/5 is 0)."


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("4.04", "The device has no Firmware Update object (5/0): it cannot be updated."),
        ("4.01", "The device refused the read of 5/0/3: 4.01."),
    ],
)
def test_without_its_state_it_cannot_be_updated(code: str, says: str) -> None:
    update = refusing("4.05", read_state=code).run()

    assert (update.status, update.last_action) == (FAILED, says)


def test_one_that_falls_silent_meanwhile_has_failed() -> None:
    update = refusing(read_result=SILENCE).run()

    assert update.last_action == "The device left 3 requests in a row without an answer."


def test_a_new_version_that_refuses_what_the_old_one_answered_is_read_singly_from_then_on() -> None:
    def respond(world: World, step: Step) -> Said_ | None:
        return answer("4.05") if step is Step.READ and world.version == "2.0" else None

    world = World(respond=respond)
    update = world.run()

    assert (update.status, update.result) == (SUCCEEDED, Result.SUCCESS)
    assert [step for step in world.steps if step in ALL] == ALL[:3]


def test_taken_back_it_is_asked_for_its_state_alone() -> None:
    world = refusing()
    world.run_until(lambda update: update.begun_at is not None)
    world.apply(CancelAsked("admin"))
    before = len(world.steps)
    update = world.run()

    assert update.status is UpdateStatus.CANCELLED
    assert [step for step in world.steps[before:] if step in ALL] == STANDING
