"""Updates that go wrong at the device: what is tried again, by which way, how often, and what is said at the end."""

from __future__ import annotations

from datetime import timedelta

import pytest

from flownexus_operations.firmware.limits import Limits
from flownexus_schemas.commands import CommandAnswer
from flownexus_schemas.firmware.happenings import Retried
from flownexus_schemas.firmware.object5 import Result
from flownexus_schemas.firmware.update import Step, UpdateStatus
from unit.operations.firmware.world import SILENCE, SIZE, Said_, World, answer

FAILED = UpdateStatus.FAILED


def failing_download(result: int, times: int = 99) -> World:
    """Each of the first downloads ends with this result."""
    left = [times]

    def offer(world: World, step: Step) -> CommandAnswer | None:
        if step is not Step.OFFER or left[0] == 0:
            return None
        left[0] -= 1
        world.becomes(1, 0)
        world.at(50, lambda: world.becomes(0, result))
        return answer()

    return World(respond=offer, delivery=0, protocols=(0, 2))


@pytest.mark.parametrize("result", [Result.NO_FLASH, Result.NO_MEMORY, Result.CONNECTION_LOST])
def test_what_may_pass_is_tried_again_the_same_way_with_growing_pauses(result: Result) -> None:
    world = failing_download(result)
    update = world.run()

    retries = [one for one in world.happenings if isinstance(one, Retried)]
    assert (update.status, update.retries, len(retries)) == (FAILED, 5, 5)
    assert {str(one.way) for one in retries} == {"pull by coap"}
    assert update.results == (result,) * 6
    assert update.last_action.endswith(f"({result}). It was tried 6 times: no more.")
    assert world.steps.count(Step.OFFER) == 6
    assert world.now - retries[0].not_before > timedelta(seconds=60 + 120 + 240 + 480)


@pytest.mark.parametrize("result", [Result.NO_FLASH, Result.NO_MEMORY, Result.CONNECTION_LOST, Result.BAD_CHECKSUM])
def test_the_second_try_can_succeed(result: Result) -> None:
    update = failing_download(result, times=1).run()

    assert (update.status, update.retries, update.results) == (UpdateStatus.SUCCEEDED, 1, (result,))


def test_a_bad_checksum_is_tried_again_once() -> None:
    world = failing_download(Result.BAD_CHECKSUM)
    update = world.run()

    assert (update.status, update.retries, world.steps.count(Step.OFFER)) == (FAILED, 1, 2)
    assert "It said so of 2 downloads." in update.last_action


@pytest.mark.parametrize("result", [Result.UNSUPPORTED_PACKAGE, Result.INVALID_URI, Result.UNSUPPORTED_PROTOCOL])
def test_what_the_way_may_be_to_blame_for_is_tried_another_way(result: Result) -> None:
    world = failing_download(result)
    update = world.run()

    assert (update.status, world.steps.count(Step.OFFER)) == (FAILED, 2)
    assert update.last_action.endswith("No way is left to bring it to the device; tried: pull by coap, pull by http.")
    assert failing_download(result, times=1).run().status is UpdateStatus.SUCCEEDED


@pytest.mark.parametrize("result", [Result.UPDATE_FAILED, Result.CANCELLED, Result.DEFERRED, 77])
def test_what_another_try_would_not_change_ends_it(result: int) -> None:
    world = failing_download(result)
    update = world.run()

    assert (update.status, update.retries, update.results) == (FAILED, 0, (result,))
    assert f"({result})" in update.last_action


def test_a_state_that_is_told_before_its_result_waits_for_it() -> None:
    def offer(world: World, step: Step) -> CommandAnswer | None:
        if step is Step.OFFER:
            world.becomes(1, 0)
            world.at(50, lambda: world.becomes(0))
            world.at(51, lambda: world.becomes(0, Result.UPDATE_FAILED))
            return answer()
        return None

    update = World(respond=offer).run()

    assert update.results == (Result.UPDATE_FAILED,)


def test_a_device_that_lost_the_image_is_sent_it_again() -> None:
    left = [1]

    def offer(world: World, step: Step) -> CommandAnswer | None:
        if step is Step.OFFER and left:
            left.pop()
            world.becomes(1, 0)
            world.at(50, restarts)
            return answer()
        return None

    def restarts() -> None:
        world.state = world.result = 0
        world.registers()

    world = World(respond=offer)
    update = world.run()

    assert (update.status, update.retries, update.results) == (UpdateStatus.SUCCEEDED, 1, ())
    assert world.steps.count(Step.OBSERVE_STATE) >= 2


def test_a_device_that_gets_no_further_is_told_to_drop_it_and_tried_again() -> None:
    def offer(world: World, step: Step) -> CommandAnswer | None:
        if step is Step.OFFER:
            world.becomes(1, 0)
            world.at(60, lambda: world.fetches(1000))
            world.at(100, lambda: world.fetches(1000))
            return answer()
        return None

    world = World(respond=offer, delivery=0)
    update = world.run()

    assert (update.status, update.retries) == (FAILED, 5)
    assert update.last_action == "The device got no further for 10 minutes. It was tried 6 times: no more."
    assert world.steps.count(Step.RESET) == 5
    first = next(one for one in world.happenings if isinstance(one, Retried))
    assert first.not_before < world.now


def test_bytes_that_are_fetched_keep_the_time_limit_away() -> None:
    def offer(world: World, step: Step) -> CommandAnswer | None:
        if step is not Step.OFFER:
            return None
        world.becomes(1, 0)
        for part in range(1, 101):
            world.at(500 * part, lambda part=part: world.fetches(part * SIZE // 100))  # type: ignore[misc]
        world.at(50_001, lambda: world.becomes(2))
        return answer()

    world = World(respond=offer)
    update = world.run()

    assert (update.status, update.retries, update.transferred) == (UpdateStatus.SUCCEEDED, 0, SIZE)
    assert world.steps.count(Step.READ) < 500


def test_a_device_that_fetches_it_anew_again_and_again_is_given_up() -> None:
    def offer(world: World, step: Step) -> CommandAnswer | None:
        if step is not Step.OFFER:
            return None
        world.becomes(1, 0)
        for part in range(100):
            world.at(40 * part, lambda part=part: world.fetches(SIZE // 2 if part % 2 else 512))  # type: ignore[misc]
        return answer()

    update = World(respond=offer, delivery=0).run()

    assert (update.status, update.retries) == (FAILED, 5)
    assert "fetches the image anew" in update.last_action


@pytest.mark.parametrize(
    ("code", "pushes"), [("4.08", 6), ("5.00", 6), ("5.03", 6), ("4.05", 1), ("4.13", 1), ("4.15", 1)]
)
def test_a_part_that_is_refused_begins_anew_where_that_may_help(code: str, pushes: int) -> None:
    world = World(respond=lambda _, step: answer(code) if step is Step.PUSH else None, delivery=1)
    update = world.run()

    assert (update.status, world.steps.count(Step.PUSH)) == (FAILED, pushes)
    assert f"refused a part of the image (5/0/0): {code}." in update.last_action


def test_a_device_that_loses_every_part_of_a_push_is_given_up() -> None:
    def push(world: World, step: Step) -> CommandAnswer | None:
        if step is Step.PUSH:
            world.becomes(1)
            return answer("2.31", transferred=1024)
        return None

    update = World(respond=push, delivery=1).run()

    assert (update.status, update.retries) == (FAILED, 5)
    assert update.last_action == "The device has 1024 of 100000 bytes. It was tried 6 times: no more."


def test_a_link_that_is_refused_is_followed_by_a_push() -> None:
    world = World(respond=lambda _, step: answer("4.00") if step is Step.OFFER else None)
    update = world.run()

    assert (update.status, str(update.way), list(map(str, update.ways_refused))) == (
        UpdateStatus.SUCCEEDED,
        "push",
        ["pull by coap"],
    )


def test_a_link_whose_answer_is_lost_is_not_sent_to_a_device_that_has_it() -> None:
    left = [1]

    def offer(world: World, step: Step) -> Said_ | None:
        if step is Step.OFFER and left:
            left.pop()
            world.good(step)
            return SILENCE
        return None

    world = World(respond=offer)
    update = world.run()

    assert (update.status, world.steps.count(Step.OFFER), world.steps.count(Step.RESET)) == (
        UpdateStatus.SUCCEEDED,
        1,
        0,
    )


def test_a_link_that_did_not_come_is_sent_again_at_once_and_not_without_end() -> None:
    world = World(respond=lambda _, step: SILENCE if step is Step.OFFER else None)
    update = world.run()

    assert (update.status, world.steps.count(Step.OFFER)) == (FAILED, 6)
    assert (
        update.last_action == "The device did not answer the link to the image (5/0/1). It was tried 6 times: no more."
    )


def test_a_device_that_answers_nothing_is_given_up() -> None:
    world = World(respond=lambda _, __: SILENCE)
    update = world.run()

    assert (update.status, update.last_action) == (FAILED, "The device left 3 requests in a row without an answer.")


@pytest.mark.parametrize(
    ("code", "why"), [("4.04", "no Firmware Update object"), ("4.05", "refused the read of 5/0/3: 4.05")]
)
def test_a_device_without_the_object_cannot_be_updated(code: str, why: str) -> None:
    update = World(respond=lambda _, step: answer(code) if step in {Step.READ, Step.READ_STATE} else None).run()

    assert update.status is FAILED
    assert why in update.last_action


def test_another_image_on_the_device_is_dropped_first() -> None:
    world = World(state=2, result=0)
    update = world.run()

    assert update.status is UpdateStatus.SUCCEEDED
    assert world.steps[:3] == [Step.READ, Step.READ_VERSION, Step.RESET]
    assert world.steps.count(Step.RESET) == 1


def test_another_image_that_the_device_keeps_ends_it() -> None:
    world = World(state=2, respond=lambda _, step: answer() if step is Step.RESET else None)
    update = world.run()

    assert (update.status, world.steps.count(Step.RESET)) == (FAILED, 3)
    assert update.last_action == "The device keeps another image, which it was told to drop 3 times."


def test_a_download_that_is_only_dropped_when_it_is_whole_is_waited_for() -> None:
    """Zephyr does nothing about an empty Package URI while it downloads."""

    def reset(world: World, step: Step) -> CommandAnswer | None:
        return answer() if step is Step.RESET and world.state == 1 else None

    world = World(state=1, respond=reset)
    world.at(300, lambda: setattr(world, "state", 2))
    update = world.run()

    assert (update.status, world.steps.count(Step.RESET)) == (UpdateStatus.SUCCEEDED, 2)


def test_an_install_of_another_origin_is_waited_for_but_not_without_end() -> None:
    world = World(state=3)
    world.at(300, lambda: setattr(world, "state", 0))
    assert world.run().status is UpdateStatus.SUCCEEDED

    update = World(state=3).run()
    assert update.last_action.startswith("The device installs another image since 2026-11-27 12:00")


def test_limits_are_those_of_the_settings() -> None:
    world = failing_download(Result.CONNECTION_LOST)
    world.limits = Limits(max_retries=1, retry_wait_s=1)

    assert (world.run().retries, world.steps.count(Step.OFFER)) == (1, 2)
