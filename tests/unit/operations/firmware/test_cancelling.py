"""An update that is taken back, at each point: the device drops what it has, or it is too late, and that is said."""

from __future__ import annotations

from datetime import timedelta

import pytest

from flownexus_schemas.commands import CommandAnswer
from flownexus_schemas.errors import Conflict
from flownexus_schemas.firmware.happenings import CancelAsked
from flownexus_schemas.firmware.lifecycle import TRANSITIONS, apply
from flownexus_schemas.firmware.update import FirmwareUpdate, Step, UpdateStatus
from flownexus_schemas.operations.operation import OperationStatus
from unit.operations.firmware.world import QUEUED, SILENCE, START, WITHDRAWN, Said_, World, answer

CANCELLED = UpdateStatus.CANCELLED


def cancelled_at(world: World, is_there: object) -> FirmwareUpdate:
    """Taken back as soon as it is there."""
    world.run_until(is_there)  # type: ignore[arg-type]
    world.apply(CancelAsked("admin"))
    return world.run()


def test_what_has_not_begun_is_cancelled_at_once() -> None:
    world = World()
    world.apply(CancelAsked("admin"))

    assert (world.update.status, world.run().status, world.steps) == (CANCELLED, CANCELLED, [])


@pytest.mark.parametrize("step", [Step.READ, Step.READ_VERSION])
def test_before_anything_was_sent_the_device_is_told_nothing(step: Step) -> None:
    world = World(respond=lambda _, __: WITHDRAWN if world.steps[-1] is step else None)
    update = cancelled_at(world, lambda update: update.step is step)

    assert update.last_action == "Taken back by admin before the device had anything of it."
    assert Step.RESET not in world.steps
    assert world.operation is not None
    assert world.operation.status is OperationStatus.CANCELLED


def test_a_link_that_waits_for_the_device_is_taken_back() -> None:
    world = World(respond=lambda _, step: WITHDRAWN if step is Step.OFFER else None)
    update = cancelled_at(world, lambda update: update.step is Step.OFFER)

    assert update.status is CANCELLED
    assert world.steps[-3:] == [Step.OFFER, Step.RESET, Step.READ]


@pytest.mark.parametrize("delivery", [0, 1])
def test_a_device_that_downloads_drops_it(delivery: int) -> None:
    world = World(delivery=delivery)
    update = cancelled_at(world, lambda update: update.status is UpdateStatus.TRANSFERRING and update.transferred > 0)

    assert (update.status, world.state) == (CANCELLED, 0)
    assert update.last_action == "Taken back by admin; the device has nothing of the image any more."
    assert Step.INSTALL not in world.steps


def test_a_device_that_drops_it_only_when_it_is_whole_is_followed() -> None:
    def reset(world: World, step: Step) -> CommandAnswer | None:
        return answer() if step is Step.RESET and world.state == 1 else None

    world = World(respond=reset)
    update = cancelled_at(world, lambda update: update.state == 1)

    assert (update.status, world.state, world.steps.count(Step.RESET)) == (CANCELLED, 0, 2)


@pytest.mark.parametrize(("state", "said"), [(1, "goes on downloading"), (2, "keeps the image")])
def test_a_device_that_drops_nothing_is_not_told_to_install(state: int, said: str) -> None:
    def respond(world: World, step: Step) -> CommandAnswer | None:
        if step is Step.OFFER:
            world.becomes(1)
            return answer()
        return answer() if step is Step.RESET else None

    world = World(respond=respond)
    world.run_until(lambda update: update.state == 1)
    world.apply(CancelAsked("admin"))
    world.becomes(state)
    update = world.run()

    assert update.status is CANCELLED
    assert said in update.last_action
    assert Step.INSTALL not in world.steps


def test_what_waits_for_its_window_is_dropped() -> None:
    world = World()
    update = cancelled_at(world, lambda update: update.status is UpdateStatus.DOWNLOADED)

    assert (update.status, world.state, update.installs) == (CANCELLED, 0, 0)


def test_a_command_to_install_that_waits_for_the_device_is_taken_back() -> None:
    world = World(respond=lambda _, step: WITHDRAWN if step is Step.INSTALL else None)
    update = cancelled_at(world, lambda update: update.status is UpdateStatus.INSTALLING)

    assert (update.status, world.state) == (CANCELLED, 0)


@pytest.mark.parametrize("silent", [True, False])
def test_a_command_to_install_that_is_on_its_way_is_not_and_the_update_goes_on(silent: bool) -> None:
    def install(world: World, step: Step) -> Said_ | None:
        if step is not Step.INSTALL:
            return None
        world.apply(CancelAsked("admin"))
        good = world.good(step)
        return SILENCE if silent else good

    world = World(respond=install)
    # It is with the gateway: nobody can take it back.
    world.run_until(lambda update: update.status is UpdateStatus.INSTALLING)
    assert world.operation is not None
    world.operation = world.operation.model_copy(update={"status": OperationStatus.SENDING})
    update = world.run()

    assert (update.status, update.version_after, update.cancelled_by) == (UpdateStatus.SUCCEEDED, "2.0", None)
    assert Step.RESET not in world.steps


def test_once_the_device_installs_it_is_refused() -> None:
    world = World()
    world.run_until(lambda update: update.taken)
    with pytest.raises(Conflict, match="installs the image already"):
        apply(world.update, CancelAsked("admin"), world.now)


def test_a_device_that_is_not_heard_ends_it_after_a_day() -> None:
    world = World(respond=lambda _, step: WITHDRAWN if step is Step.RESET else None)
    update = cancelled_at(world, lambda update: update.state == 1)

    assert update.last_action == "Taken back by admin; the device was not heard, and is told nothing more."
    assert timedelta(days=1) < world.now - START < timedelta(days=1, hours=1)


@pytest.mark.parametrize("said", [SILENCE, answer("4.05"), answer("4.04")])
def test_a_device_that_does_not_do_it_ends_it(said: Said_) -> None:
    world = World(respond=lambda _, step: said if step in {Step.RESET, Step.READ} and _is_cancelled(world) else None)
    update = cancelled_at(world, lambda update: update.status is UpdateStatus.DOWNLOADED)

    assert update.status is CANCELLED
    assert world.steps.count(Step.RESET) <= 3


def _is_cancelled(world: World) -> bool:
    return world.update.cancelled_by is not None


@pytest.mark.parametrize("status", [status for status, happening in TRANSITIONS if happening is CancelAsked])
def test_wherever_it_can_be_taken_back_it_ends(status: UpdateStatus) -> None:
    world = World()
    world.run_until(lambda update: update.status is status)
    world.apply(CancelAsked("admin"))

    assert world.run().status in {CANCELLED, UpdateStatus.SUCCEEDED}


def test_an_update_that_expires_before_the_device_is_heard_is_not_begun() -> None:
    expires = QUEUED.model_copy(update={"expires_at": START + timedelta(hours=1)})
    world = World(update=expires, respond=lambda _, __: WITHDRAWN)
    update = world.run()

    assert (update.status, update.last_action) == (
        UpdateStatus.FAILED,
        "Its time was over before the device listened.",
    )
    assert World(update=expires, now=START + timedelta(hours=2)).run().status is UpdateStatus.FAILED
    assert World(update=expires).run().status is UpdateStatus.SUCCEEDED
