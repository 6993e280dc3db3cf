"""Updates that go well, by every way, and what a device is asked for on it."""

from __future__ import annotations

import pytest

from flownexus_schemas.commands import CommandAnswer
from flownexus_schemas.firmware.update import Method, Scheme, Step, UpdateStatus
from unit.operations.firmware.world import QUEUED, SIZE, World, answer

PREPARED = [Step.READ, Step.READ_VERSION]
OBSERVED = [Step.OBSERVE_STATE, Step.OBSERVE_RESULT]


def test_a_pull_asks_for_what_is_needed_and_nothing_else() -> None:
    world = World()
    update = world.run()

    assert (update.status, update.version_before, update.version_after) == (UpdateStatus.SUCCEEDED, "1.0", "2.0")
    assert update.last_action == "The device runs 2.0, and says success."
    assert world.steps == [*PREPARED, *OBSERVED, Step.OFFER, Step.INSTALL, Step.READ, Step.READ_VERSION]
    assert (update.transferred, update.installs, update.retries) == (SIZE, 1, 0)


def test_a_push_goes_on_slice_by_slice() -> None:
    world = World(delivery=1)
    update = world.run()

    assert update.status is UpdateStatus.SUCCEEDED
    assert world.steps.count(Step.PUSH) == 4
    assert str(update.way) == "push"
    assert Step.OFFER not in world.steps


@pytest.mark.parametrize(
    ("delivery", "protocols", "secure", "way"),
    [
        (0, (), False, "pull by coap"),
        (0, (), True, "pull by coaps"),
        (0, (1, 0), False, "pull by coap"),
        (0, (0, 1), True, "pull by coaps"),
        (0, (0,), True, "pull by coap"),
        (0, (2,), False, "pull by http"),
        (0, (2, 3), False, "pull by https"),
        (2, (4, 5), False, "push"),
        (2, (1,), False, "push"),
        (2, (0,), False, "pull by coap"),
        (None, (), False, "pull by coap"),
        (1, (0,), False, "push"),
    ],
)
def test_the_way_is_what_the_device_says_of_itself(
    delivery: int | None, protocols: tuple[int, ...], secure: bool, way: str
) -> None:
    world = World(delivery=delivery, protocols=protocols, secure=secure)
    world.registers()
    update = world.run()

    assert (str(update.way), update.status) == (way, UpdateStatus.SUCCEEDED)


@pytest.mark.parametrize(
    ("asked", "way"),
    [
        ({"method": Method.PUSH}, "push"),
        ({"method": Method.PULL}, "pull by coap"),
        ({"scheme": Scheme.HTTP}, "pull by http"),
    ],
)
def test_what_was_asked_for_goes_before_what_is_best(asked: dict[str, object], way: str) -> None:
    world = World(update=QUEUED.model_copy(update=asked), protocols=(0, 2))

    assert str(world.run().way) == way


@pytest.mark.parametrize(
    ("asked", "delivery", "protocols", "why"),
    [
        ({"method": Method.PULL}, 1, (), "push only"),
        ({"scheme": Scheme.COAP}, 1, (), "push only"),
        ({"method": Method.PUSH}, 0, (), "pull only"),
        ({"scheme": Scheme.HTTPS}, 2, (0, 2), "does not fetch images by https: it speaks coap, http"),
        ({"scheme": Scheme.COAPS}, 2, (1,), "did not come by DTLS"),
        ({}, 0, (4,), "does not fetch images by a protocol that is served here: it speaks none of coap"),
    ],
)
def test_what_the_device_cannot_do_fails_before_anything_is_sent(
    asked: dict[str, object], delivery: int, protocols: tuple[int, ...], why: str
) -> None:
    world = World(update=QUEUED.model_copy(update=asked), delivery=delivery, protocols=protocols)
    update = world.run()

    assert update.status is UpdateStatus.FAILED
    assert why in update.last_action
    assert world.steps == PREPARED


def test_a_device_that_runs_it_already_is_sent_nothing() -> None:
    world = World(version="2.0")
    update = world.run()

    assert (update.status, world.steps) == (UpdateStatus.SUCCEEDED, PREPARED)
    assert update.last_action == "The device runs 2.0 already: nothing was sent."


def test_an_image_of_the_wanted_version_that_is_only_downloaded_is_not_taken_for_running() -> None:
    world = World(package="2.0")
    update = world.run()

    assert update.status is UpdateStatus.SUCCEEDED
    assert Step.INSTALL in world.steps


def test_a_device_without_a_version_of_its_own_is_judged_by_that_of_the_package() -> None:
    world = World(version=None, package="1.0")
    world.respond = lambda world, step: _package(world) if step is Step.INSTALL else None
    update = world.run()

    assert (update.status, update.version_before, update.version_after) == (UpdateStatus.SUCCEEDED, "1.0", "2.0")


def _package(world: World) -> None:
    world.new_version, world.package = "", "2.0"


def test_a_device_that_never_registers_again_but_says_success_succeeds() -> None:
    assert World(registers_again=False).run().status is UpdateStatus.SUCCEEDED


def test_a_device_that_tells_nothing_by_itself_is_read() -> None:
    world = World(told_to_observe=False, registers_again=False)
    update = world.run()

    assert update.status is UpdateStatus.SUCCEEDED
    assert 4 <= world.steps.count(Step.READ) <= 8


def test_a_device_that_cannot_be_observed_is_read() -> None:
    world = World(told_to_observe=False)
    world.respond = lambda _, step: answer("4.05") if step in OBSERVED else None

    assert world.run().status is UpdateStatus.SUCCEEDED


def test_a_device_that_registers_before_it_reports_is_waited_for() -> None:
    def install(world: World, step: Step) -> CommandAnswer | None:
        if step is not Step.INSTALL:
            return None
        world.state = 3
        world.at(20, world.registers)
        world.at(300, reports)
        return answer()

    def reports() -> None:
        world.state, world.result, world.version = 0, 1, "2.0"

    world = World(respond=install)
    update = world.run()

    assert update.status is UpdateStatus.SUCCEEDED


def test_a_device_that_installs_by_itself_is_followed() -> None:
    def offer(world: World, step: Step) -> CommandAnswer | None:
        if step is not Step.OFFER:
            return None
        world.becomes(1)
        world.at(100, lambda: world.becomes(3))
        world.at(150, world.comes_back)
        return answer()

    world = World(respond=offer)
    update = world.run()

    assert (update.status, update.installs) == (UpdateStatus.SUCCEEDED, 1)
    assert Step.INSTALL not in world.steps
