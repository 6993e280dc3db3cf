"""A device, its operations and a clock, so that decisions about an update are followed to their end without any I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from flownexus_operations.firmware.decision import decide
from flownexus_operations.firmware.facts import Facts, Registered, Said, Wait, Withdraw
from flownexus_operations.firmware.limits import Limits
from flownexus_schemas.commands import AnsweredValue, CommandAnswer, ReadResource
from flownexus_schemas.firmware.happenings import Happening
from flownexus_schemas.firmware.lifecycle import apply
from flownexus_schemas.firmware.update import FirmwareUpdate, Step
from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.operations.operation import Attempt, Operation, OperationStatus

START = datetime(2026, 11, 27, 12, tzinfo=UTC)
SIZE = 100_000
QUEUED = FirmwareUpdate(
    id="u1",
    endpoint="device-1",
    firmware="0123456789abcdef",
    name="app",
    version="2.0",
    size=SIZE,
    sha256="00",
    requested_at=START,
)
SILENCE, WITHDRAWN = "silence", "withdrawn"
Said_ = CommandAnswer | str
Respond = Callable[["World", Step], Said_ | None]
"""What the device makes of a step; None for what a good device does."""


def answer(code: str = "2.04", transferred: int | None = None, **values: object) -> CommandAnswer:
    """`state=1` is 5/0/3, and so on."""
    paths = {
        "state": "5/0/3", "result": "5/0/5", "package": "5/0/7", "delivery": "5/0/9", "version": "3/0/3",
    }  # fmt: skip
    told = [
        AnsweredValue(
            path=paths[name],
            type=DataType.INTEGER if isinstance(value, int) else DataType.STRING,
            value=value,
            time=START,
        )
        for name, value in values.items()
        if value is not None
    ]
    return CommandAnswer(code=code, values=tuple(told), transferred=transferred)


@dataclass
class World:
    """`respond` may answer in place of the device; what the device does by itself later is in `later`."""

    update: FirmwareUpdate = QUEUED
    respond: Respond = lambda world, step: None
    limits: Limits = field(default_factory=Limits)
    now: datetime = START
    state: int = 0
    result: int = 0
    version: str | None = "1.0"
    package: str | None = None
    new_version: str = "2.0"
    delivery: int | None = 2
    protocols: tuple[int, ...] = ()
    secure: bool = False
    registers_again: bool = True
    told_to_observe: bool = True
    slice_bytes: int = 30_000
    steps: list[Step] = field(default_factory=list)
    happenings: list[Happening] = field(default_factory=list)
    operation: Operation | None = None
    registered: Registered | None = field(default_factory=lambda: Registered(1, False, START))
    said_state: Said | None = None
    said_result: Said | None = None
    served: Said | None = None
    since: datetime = START
    later: list[tuple[datetime, Callable[[], None]]] = field(default_factory=list)

    # --- what the device does by itself

    def at(self, seconds: float, what: Callable[[], None]) -> None:
        """Something happens in so many seconds."""
        self.later.append((self.now + timedelta(seconds=seconds), what))

    def becomes(self, state: int, result: int | None = None) -> None:
        """The device is in another state, and says so where it is observed."""
        self.state = state
        if result is not None and result != self.result:
            self.result = result
            if self.told_to_observe:
                self.said_result = Said(result, self.now)
        if self.told_to_observe:
            self.said_state = Said(state, self.now)

    def fetches(self, upto: int) -> None:
        """Somebody served it so much."""
        self.served = Said(upto, self.now)

    def registers(self) -> None:
        """It registers again."""
        generation = 1 if self.registered is None else self.registered.generation + 1
        self.registered = Registered(generation, self.secure, self.now)

    def wakes(self) -> None:
        """It updates its registration."""
        assert self.registered is not None
        self.registered = replace(self.registered, heard_at=self.now)

    def good(self, step: Step) -> CommandAnswer:
        """What a device does that does all as the specification has it."""
        match step:
            case Step.READ:
                return self.read()
            case Step.READ_VERSION:
                return answer("2.05", version=self.version) if self.version else answer("4.04")
            case Step.READ_STATE:
                return answer("2.05", state=self.state)
            case Step.READ_RESULT:
                return answer("2.05", result=self.result)
            case Step.READ_PACKAGE_VERSION:
                return answer("2.05", package=self.package) if self.package else answer("4.04")
            case Step.READ_DELIVERY:
                return answer("2.05", delivery=self.delivery)
            case Step.READ_PROTOCOLS:
                return answer("2.05").model_copy(update={"values": self.spoken()}) if self.protocols else answer("4.04")
            case Step.OBSERVE_STATE:
                return answer("2.05", state=self.state)
            case Step.OBSERVE_RESULT:
                return answer("2.05", result=self.result)
            case Step.OFFER:
                self.becomes(1, 0)
                self.at(60, lambda: self.fetches(SIZE // 2))
                self.at(120, lambda: self.fetches(SIZE))
                self.at(121, lambda: self.becomes(2))
                return answer()
            case Step.PUSH:
                self.becomes(1, 0)
                has = min(self.update.transferred + self.slice_bytes, SIZE)
                if has == SIZE:
                    self.becomes(2)
                return answer("2.31" if has < SIZE else "2.04", transferred=has)
            case Step.INSTALL:
                self.becomes(3)
                self.at(30, self.comes_back)
                return answer()
            case Step.RESET:
                self.becomes(0, 0)
                return answer()

    def read(self) -> CommandAnswer:
        """5/0 as it is."""
        whole = answer("2.05", state=self.state, result=self.result, package=self.package, delivery=self.delivery)
        return whole.model_copy(update={"values": whole.values + self.spoken()})

    def spoken(self) -> tuple[AnsweredValue, ...]:
        """5/0/8."""
        return tuple(
            AnsweredValue(path=f"5/0/8/{number}", type=DataType.INTEGER, value=value, time=START)
            for number, value in enumerate(self.protocols)
        )

    def comes_back(self) -> None:
        """With the new version."""
        self.version, self.state, self.result = self.new_version, 0, 1
        if self.registers_again:
            self.registers()
        else:
            self.becomes(0, 1)

    # --- the clock and the engine

    @property
    def facts(self) -> Facts:
        return Facts(
            since=self.since,
            operation=self.operation,
            registered=self.registered,
            state=self.said_state,
            result=self.said_result,
            served=self.served,
        )

    def apply(self, happening: Happening) -> None:
        """As the engine does: append, then ask for the operation."""
        before = self.update.operation
        self.update = apply(self.update, happening, self.now)
        self.happenings.append(happening)
        if self.update.operation in {None, before}:
            return
        assert self.update.step is not None
        self.steps.append(self.update.step)
        self.operation = Operation(
            id=str(self.update.operation),
            endpoint="device-1",
            command=ReadResource(endpoint="device-1", path="5/0"),
            requested_at=self.now,
        )
        self.at(1, lambda step=self.update.step, name=self.operation.id: self._answer(name, step))  # type: ignore[misc]

    def _answer(self, name: str, step: Step) -> None:
        if self.operation is None or self.operation.id != name or not self.operation.is_open:
            return
        said = self.respond(self, step) or self.good(step)
        if said == WITHDRAWN:  # it stays queued
            return
        attempt = Attempt(number=1, sender="a", gateway="g", started_at=self.now, ends_at=self.now)
        changes = {"attempts": 1, "attempt": attempt, "finished_at": self.now}
        if isinstance(said, CommandAnswer):
            status = OperationStatus.CONFIRMED if said.code[0] == "2" else OperationStatus.FAILED
            changes |= {"status": status, "answer": said}
        else:
            changes |= {"status": OperationStatus.FAILED, "unanswered": True}
        self.operation = self.operation.model_copy(update=changes)

    def step(self) -> bool:
        """One decision; False where there is nothing more to be done."""
        decision = decide(self.update, self.facts, self.limits, self.now)
        if isinstance(decision, Wait):
            return self._let_time_pass(decision.until)
        if isinstance(decision, Withdraw):
            assert self.operation is not None
            assert self.operation.status is OperationStatus.QUEUED
            self.operation = self.operation.model_copy(update={"status": OperationStatus.CANCELLED})
        else:
            self.apply(decision)
        return self.update.is_open

    def _let_time_pass(self, until: datetime | None) -> bool:
        times = [when for when, _ in self.later] + ([] if until is None else [until])
        if not times:
            return False
        # What the device says is heard a moment after.
        self.now = max(min(times), self.now) + timedelta(milliseconds=1)
        due = [one for one in self.later if one[0] <= self.now]
        self.later = [one for one in self.later if one[0] > self.now]
        for _, what in sorted(due, key=lambda one: one[0]):
            what()
        return True

    def run(self, most: int = 3000) -> FirmwareUpdate:
        """To the end, or to where nothing happens any more."""
        for _ in range(most):
            if not self.step():
                return self.update
        raise AssertionError(f"no end after {most} decisions: {self.update}")

    def run_until(self, is_there: Callable[[FirmwareUpdate], bool], most: int = 3000) -> FirmwareUpdate:
        """To the first moment at which it is so."""
        for _ in range(most):
            if is_there(self.update):
                return self.update
            assert self.step(), f"it ended before: {self.update}"
        raise AssertionError(f"not there after {most} decisions: {self.update}")
