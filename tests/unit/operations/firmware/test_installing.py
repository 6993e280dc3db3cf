"""From the image on the device to the version that it runs: windows, loops, wrong versions, devices that stay away."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from flownexus_schemas.commands import CommandAnswer
from flownexus_schemas.firmware.happenings import InstallAsked
from flownexus_schemas.firmware.object5 import Result
from flownexus_schemas.firmware.update import Step, UpdateStatus
from flownexus_schemas.firmware.window import Install, MaintenanceWindow
from flownexus_schemas.operations.operation import OperationStatus
from unit.operations.firmware.world import QUEUED, SILENCE, START, WITHDRAWN, Respond, Said_, World, answer

FAILED, SUCCEEDED = UpdateStatus.FAILED, UpdateStatus.SUCCEEDED
NIGHT = Install(window=MaintenanceWindow(start=time(22), end=time(23)))


def after_install(back: str, state: int, result: int, *, registers: bool = True, seconds: float = 30) -> Respond:
    """A device that takes the command and comes back so."""

    def respond(world: World, step: Step) -> CommandAnswer | None:
        if step is not Step.INSTALL:
            return None

        def comes_back() -> None:
            world.version = back
            if registers:
                world.state, world.result = state, result
                world.registers()
            else:
                world.becomes(state, result)

        world.becomes(3)
        world.at(seconds, comes_back)
        return answer()

    return respond


def asked_at(world: World) -> list[datetime]:
    """When the device was told to install."""
    found: list[datetime] = []
    apply = world.apply

    def spy(happening: object) -> None:
        if isinstance(happening, InstallAsked):
            found.append(world.now)
        apply(happening)  # type: ignore[arg-type]

    world.apply = spy  # type: ignore[method-assign]
    return found


def test_a_device_that_says_success_and_runs_another_version_has_failed() -> None:
    world = World(respond=after_install("1.0", 0, Result.SUCCESS))
    update = world.run()

    assert (update.status, update.version_after, update.installs) == (FAILED, "1.0", 1)
    assert update.last_action == "The device says success and runs 1.0, not 2.0."


def test_a_version_that_is_told_late_is_waited_for() -> None:
    world = World(respond=after_install("1.0", 0, Result.SUCCESS))
    world.at(200, lambda: setattr(world, "version", "2.0"))

    assert world.run().status is SUCCEEDED


def test_success_before_the_restart_is_not_the_end() -> None:
    world = World(respond=after_install("1.0", 0, Result.SUCCESS, registers=False))

    def restarts() -> None:
        world.version = "2.0"
        world.registers()

    world.at(900, restarts)
    update = world.run()

    assert (update.status, update.version_after) == (SUCCEEDED, "2.0")


def test_success_without_any_version_is_a_failure() -> None:
    update = World(version=None, respond=after_install("", 0, Result.SUCCESS)).run()

    assert update.last_action == "The device says success, and neither 5/0/7 nor 3/0/3 says what it runs."


def test_the_wanted_version_without_a_result_is_a_failure_that_says_so() -> None:
    update = World(respond=after_install("2.0", 0, 0)).run()

    assert (update.status, update.version_after) == (FAILED, "2.0")
    assert update.last_action == "The device runs 2.0, and does not say that it updated (5/0/5 is 0)."


def test_a_failed_installation_is_the_end() -> None:
    update = World(respond=after_install("1.0", 0, Result.UPDATE_FAILED)).run()

    assert (update.status, update.results, update.installs) == (FAILED, (8,), 1)
    assert update.last_action == "The device says: the image could not be installed (8)."


def test_a_device_that_comes_back_with_the_image_not_installed_is_told_three_times_at_most() -> None:
    world = World(respond=after_install("1.0", 2, 0))
    update = world.run()

    assert (update.status, update.installs, world.steps.count(Step.INSTALL)) == (FAILED, 3, 3)
    assert update.last_action == (
        "The device came back with 1.0, and the image not installed. It was told to install 3 times: no more."
    )


def test_a_device_that_restarts_into_the_same_update_again_and_again_is_stopped() -> None:
    world = World(respond=after_install("1.0", 0, 0))
    update = world.run()

    assert (update.status, update.installs) == (FAILED, 3)
    assert world.steps.count(Step.OFFER) == 3
    assert update.last_action == (
        "The update did not take: the device came back with 1.0, and no result (5/0/5 is 0). "
        "It was told to install 3 times: no more."
    )


def test_a_device_that_is_back_with_its_old_version_gets_the_image_again_within_a_minute() -> None:
    world = World(respond=after_install("1.0", 0, 0))
    back = world.run_until(lambda update: update.status is UpdateStatus.VERIFYING)
    assert back.moved_at is not None
    tried = world.run_until(lambda update: update.retries == 1)

    assert world.now - back.moved_at < timedelta(minutes=1)
    assert tried.last_action == (
        "The update did not take: the device came back with 1.0, and no result (5/0/5 is 0). "
        "It is tried again by pull by coap."
    )


@pytest.mark.parametrize("told_to_observe", [True, False])
def test_a_result_that_is_said_some_seconds_after_the_registration_counts(told_to_observe: bool) -> None:
    world = World(respond=after_install("1.0", 0, 0), told_to_observe=told_to_observe)
    world.run_until(lambda update: update.status is UpdateStatus.VERIFYING)

    def is_done() -> None:
        world.version = "2.0"
        world.becomes(0, Result.SUCCESS)

    world.at(25, is_done)

    update = world.run()
    assert (update.status, update.installs, update.version_after) == (SUCCEEDED, 1, "2.0")


def test_a_device_that_did_not_register_again_may_still_install() -> None:
    world = World(respond=after_install("1.0", 0, 0, registers=False))
    world.run_until(lambda update: update.status is UpdateStatus.VERIFYING)

    def restarts() -> None:
        world.version, world.result = "2.0", Result.SUCCESS
        world.registers()

    world.at(300, restarts)
    assert (world.run().status, world.update.installs) == (SUCCEEDED, 1)


@pytest.mark.parametrize("code", ["4.05", "5.00"])
def test_a_refused_command_is_given_again_and_not_without_end(code: str) -> None:
    world = World(respond=lambda _, step: answer(code) if step is Step.INSTALL else None)
    update = world.run()

    assert (update.status, world.steps.count(Step.INSTALL)) == (FAILED, 3)
    assert "has the image, and does not install it" in update.last_action


def test_a_command_whose_answer_is_lost_is_not_given_to_a_device_that_installs() -> None:
    def install(world: World, step: Step) -> Said_ | None:
        if step is not Step.INSTALL:
            return None
        world.good(step)
        return SILENCE

    world = World(respond=install)
    update = world.run()

    assert (update.status, world.steps.count(Step.INSTALL)) == (SUCCEEDED, 1)


def test_a_device_that_does_not_come_back_has_failed() -> None:
    def install(world: World, step: Step) -> Said_ | None:
        if step is Step.INSTALL:
            world.registered = None
            return answer()
        return WITHDRAWN if world.registered is None else None

    world = World(respond=install)
    update = world.run()

    assert (update.status, update.last_action) == (FAILED, "The device did not come back within 60 minutes.")
    assert world.operation is not None
    assert world.operation.status is OperationStatus.CANCELLED, "what it was still asked for is taken back"


def test_a_device_that_installs_for_ever_has_failed() -> None:
    def install(world: World, step: Step) -> Said_ | None:
        if step is Step.INSTALL:
            world.becomes(3)
            return answer()
        return None

    assert "did not come back within 60 minutes" in World(respond=install).run().last_action


def test_a_device_that_takes_the_command_and_does_nothing_is_told_again_at_last() -> None:
    world = World(respond=lambda _, step: answer() if step is Step.INSTALL else None)
    update = world.run()

    assert (update.status, update.installs) == (FAILED, 3)
    assert world.now - START > timedelta(hours=3)


def test_an_installation_that_was_put_off_at_the_device_is_asked_for_later() -> None:
    left = [1]

    def install(world: World, step: Step) -> Said_ | None:
        if step is Step.INSTALL and left:
            left.pop()
            world.becomes(2, Result.DEFERRED)
            return answer()
        return None

    world = World(respond=install)
    times = asked_at(world)
    update = world.run()

    assert (update.status, len(times)) == (SUCCEEDED, 2)
    assert times[1] - times[0] > timedelta(hours=1)


def test_it_is_installed_in_its_window() -> None:
    world = World(update=QUEUED.model_copy(update={"install": NIGHT}))
    times = asked_at(world)
    waiting = world.run_until(lambda update: update.status is UpdateStatus.DOWNLOADED)
    assert waiting.waiting_for == "its maintenance window, 22:00 to 23:00 UTC, every day"
    update = world.run()

    assert (update.status, times[0].replace(second=0, microsecond=0)) == (
        SUCCEEDED,
        datetime(2026, 11, 27, 22, tzinfo=UTC),
    )


def test_a_window_that_passes_while_the_device_sleeps_is_followed_by_the_next() -> None:
    left = [1]

    def install(world: World, step: Step) -> Said_ | None:
        if step is Step.INSTALL and left:
            left.pop()
            world.at(3600, expires)
            return WITHDRAWN
        return None

    def expires() -> None:
        assert world.operation is not None
        world.operation = world.operation.model_copy(update={"status": OperationStatus.EXPIRED})

    world = World(update=QUEUED.model_copy(update={"install": NIGHT}), respond=install)
    times = asked_at(world)
    update = world.run()

    assert (update.status, update.installs) == (SUCCEEDED, 1)
    assert [one.day for one in times] == [27, 28]


def test_an_image_that_is_lost_before_its_window_is_brought_again() -> None:
    world = World(update=QUEUED.model_copy(update={"install": NIGHT}))
    world.run_until(lambda update: update.status is UpdateStatus.DOWNLOADED)

    def restarts() -> None:
        world.state = 0
        world.registers()

    world.at(60, restarts)
    update = world.run()

    assert (update.status, update.retries, world.steps.count(Step.OFFER)) == (SUCCEEDED, 1, 2)


def test_not_before_a_moment() -> None:
    begin = START + timedelta(days=3)
    world = World(update=QUEUED.model_copy(update={"install": Install(not_before=begin)}))
    times = asked_at(world)

    assert world.run().status is SUCCEEDED
    assert begin <= times[0] < begin + timedelta(seconds=1)
