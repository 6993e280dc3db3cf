"""Whatever a device answers, reports and does, in whatever order, whoever restarts meanwhile: every update ends."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flownexus_operations.firmware.limits import Limits
from flownexus_schemas.errors import Conflict
from flownexus_schemas.firmware.happenings import CancelAsked
from flownexus_schemas.firmware.update import FirmwareUpdate, Method, Step, UpdateStatus
from flownexus_schemas.firmware.window import Install, MaintenanceWindow
from flownexus_schemas.operations.operation import OperationStatus
from unit.operations.firmware.world import QUEUED, SILENCE, SIZE, START, WITHDRAWN, Said_, World, answer

STATES, RESULTS = st.integers(0, 3), st.integers(0, 11)
CODES = st.sampled_from(["4.00", "4.04", "4.05", "4.08", "4.13", "5.00", "5.03"])
INSTALLS = st.sampled_from(
    [Install(), Install(window=MaintenanceWindow(start=time(22), end=time(2))), Install(not_before=START)]
)


class Chaos:
    """A device that does anything, and a world in which anything happens meanwhile."""

    def __init__(self, data: Any) -> None:
        self.draw = data.draw
        self.world = World(
            update=QUEUED.model_copy(
                update={"method": self.draw(st.sampled_from(list(Method))), "install": self.draw(INSTALLS)}
            ),
            respond=self.respond,
            limits=Limits(max_retries=2, max_installs=2),
            delivery=self.draw(st.sampled_from([None, 0, 1, 2, 9])),
            told_to_observe=self.draw(st.booleans()),
        )

    def respond(self, world: World, step: Step) -> Said_ | None:
        """Half of what it is asked for it does well, so that it comes as far as any other."""
        match self.draw(st.integers(0, 9)):
            case 0:
                return SILENCE
            case 1:
                return answer(self.draw(CODES))
            case 2:
                return answer("2.05", state=self.draw(STATES), result=self.draw(RESULTS))
            case 3 if step is Step.PUSH:
                return answer(self.draw(st.sampled_from(["2.31", "2.04"])), transferred=self.draw(st.integers(0, SIZE)))
            case 4:
                world.at(self.draw(st.integers(1, 5000)), self.ends_unsent)
                return WITHDRAWN
        return None

    def ends_unsent(self) -> None:
        """The operation was sent late, taken back by a person, or came to its time."""
        operation = self.world.operation
        if operation is None or not operation.is_open:
            return
        status = self.draw(st.sampled_from([OperationStatus.CANCELLED, OperationStatus.EXPIRED]))
        self.world.operation = operation.model_copy(update={"status": status})

    def happens(self) -> None:
        """Something that nobody asked for."""
        world = self.world
        match self.draw(st.integers(0, 7)):
            case 0:
                world.becomes(self.draw(STATES), self.draw(RESULTS))
            case 1:
                world.registers()
            case 2 if world.registered is not None:
                world.wakes()
            case 3:
                world.registered = None
            case 4:
                world.fetches(self.draw(st.integers(0, 2 * SIZE)))
            case 5:
                world.since = world.now
            case 6:
                world.version = self.draw(st.sampled_from(["1.0", "2.0", None]))
            case 7 if self.draw(st.integers(0, 20)) == 0:
                self.cancel()

    def cancel(self) -> None:
        try:
            self.world.apply(CancelAsked("admin"))
        except Conflict:
            assert self.world.update.status is not UpdateStatus.QUEUED


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_it_ends(data: st.DataObject) -> None:
    chaos = Chaos(data)
    world = chaos.world
    for _ in range(60):
        world.at(data.draw(st.integers(0, 4000)), chaos.happens)
    for number in range(4000):
        open_before = world.update.is_open
        at, seen = world.now, len(world.happenings)
        if not world.step():
            break
        assert world.now > at or len(world.happenings) > seen or world.operation is not None
        assert FirmwareUpdate.model_validate_json(world.update.model_dump_json()) == world.update
        assert open_before
        assert world.update.waiting_for or not world.update.is_open
        assert number < 3999, world.update
    while world.update.is_open and world.operation is not None and world.operation.is_open:
        # It waits for a device that is not heard any more: taken back, it ends all the same.
        chaos.cancel()
        world.now += timedelta(days=2)
        for _ in range(20):
            if not world.step():
                break
        world.operation = world.operation.model_copy(update={"status": OperationStatus.CANCELLED})
        world.run()

    assert not world.update.is_open
    assert world.update.retries <= 3
    assert world.update.installs <= 3


def test_the_same_case_is_decided_the_same() -> None:
    one, other = World(), World()
    one.run()
    other.run()

    assert one.happenings == other.happenings
