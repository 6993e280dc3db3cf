"""The bootstrap of one device: which request is next, by what it answered to those before. Sans-IO.

The states and what leads from one to the next are a table. LwM2M Core 1.1.1, 6.1.7.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from aiocoap.numbers.codes import DELETE, GET, POST, PUT, Code

from flownexus_gateway.bootstrap.discovered import Discovered
from flownexus_gateway.bootstrap.writing import Instance, Secret, Write, place, writes
from flownexus_schemas.bootstrap.configuration import BootstrapConfiguration
from flownexus_schemas.lwm2m.content_format import ContentFormat
from flownexus_schemas.lwm2m.object_model import ObjectModels
from flownexus_schemas.lwm2m.path import Path


class State(StrEnum):
    """What the device is asked."""

    DISCOVER = "Bootstrap-Discover"
    DELETE = "Bootstrap-Delete"
    WRITE = "Bootstrap-Write"
    FINISH = "Bootstrap-Finish"
    FINISHED = "finished"
    FAILED = "failed"


class Outcome(StrEnum):
    """What an answer means. `LAST`: done, and there is no more of this kind."""

    DONE = "done"
    LAST = "last"
    DONE_WITHOUT = "done-without"
    OTHER_FORMAT = "other-format"
    REFUSED = "refused"


TRANSITIONS: Mapping[tuple[State, Outcome], State] = {
    (State.DISCOVER, Outcome.DONE): State.DELETE,
    (State.DISCOVER, Outcome.DONE_WITHOUT): State.DELETE,
    (State.DELETE, Outcome.DONE): State.DELETE,
    (State.DELETE, Outcome.DONE_WITHOUT): State.DELETE,
    (State.DELETE, Outcome.LAST): State.WRITE,
    (State.WRITE, Outcome.DONE): State.WRITE,
    (State.WRITE, Outcome.DONE_WITHOUT): State.WRITE,
    (State.WRITE, Outcome.OTHER_FORMAT): State.WRITE,
    (State.WRITE, Outcome.REFUSED): State.FAILED,
    (State.WRITE, Outcome.LAST): State.FINISH,
    (State.FINISH, Outcome.DONE): State.FINISHED,
    (State.FINISH, Outcome.REFUSED): State.FAILED,
}

ENDS = frozenset({State.FINISHED, State.FAILED})

_NOT_FOUND, _NOT_ACCEPTABLE, _UNSUPPORTED_FORMAT = 0x84, 0x86, 0x8F
_OTHER_FORMATS = frozenset({_NOT_ACCEPTABLE, _UNSUPPORTED_FORMAT})


class ToAsk(NamedTuple):
    """One request of the Bootstrap interface."""

    code: Code
    path: tuple[str, ...]
    payload: bytes = b""
    content_format: int | None = None
    accept: int | None = None


class Answered(NamedTuple):
    """What the device answered: a CoAP code, `4.00` as text, its diagnostic where it is an error."""

    code: int
    code_text: str
    payload: bytes = b""
    diagnostic: str | None = None


class Procedure:
    """`request` is what to ask now, `take` takes the answer; over once `state` is one of ENDS.

    `secrets` by short server id; `formats` in the order that they are tried in. `failure` says why it failed, `notes`
    what the device refused that it goes without.
    """

    def __init__(
        self,
        configuration: BootstrapConfiguration,
        secrets: Mapping[int, Secret],
        formats: Sequence[int],
        models: ObjectModels,
    ) -> None:
        self._configuration, self._secrets, self._models = configuration, secrets, models
        self._formats = deque(formats)
        self._deletes = deque(configuration.delete)
        self._instances: deque[Instance] = deque()
        self._writes: deque[Write] = deque()
        self.state = State.DISCOVER
        self.notes: list[str] = []
        self.failure: str | None = None
        self.code: str | None = None

    @property
    def request(self) -> ToAsk:
        """What to ask now. Raises CodecError, InvalidRequest for a configuration that cannot be written."""
        match self.state:
            case State.DISCOVER:
                # Of all, as Leshan's client answers nothing else.
                return ToAsk(GET, (), accept=ContentFormat.LINK_FORMAT)
            case State.DELETE:
                return ToAsk(DELETE, _segments(Path.parse(self._deletes[0])))
            case State.WRITE:
                write = self._writes[0]
                return ToAsk(PUT, _segments(write.path), write.payload, write.content_format)
            case State.FINISH:
                return ToAsk(POST, ("bs",))
        raise AssertionError(f"nothing is asked once it {self.state}")

    @property
    def asked(self) -> str:
        """The request in words: `Bootstrap-Write of /0/1`."""
        match self.state:
            case State.DELETE:
                return f"{self.state} of /{self._deletes[0].removeprefix('/')}"
            case State.WRITE:
                return f"{self.state} of /{self._writes[0].path}"
        return str(self.state)

    def take(self, answer: Answered) -> None:
        """The device's answer to `request`. Raises as `request` does."""
        outcome = self._outcome(answer)
        if outcome is Outcome.DONE_WITHOUT and self.state is not State.DISCOVER and answer.code != _NOT_FOUND:
            self.notes.append(self._refusal(answer))
        if outcome is Outcome.REFUSED:
            self.failure, self.code = self._refusal(answer), answer.code_text
        former, self.state = self.state, TRANSITIONS[self.state, outcome]
        self._move_on(former, outcome, answer)

    def _outcome(self, answer: Answered) -> Outcome:
        is_done = answer.code >> 5 == 2
        match self.state:
            case State.WRITE if answer.code in _OTHER_FORMATS and len(self._formats) > 1:
                return Outcome.OTHER_FORMAT
            case State.WRITE if not is_done and self._instances[0].is_account:
                return Outcome.REFUSED
            case State.FINISH if not is_done:
                return Outcome.REFUSED
        return Outcome.DONE if is_done else Outcome.DONE_WITHOUT

    def _move_on(self, former: State, outcome: Outcome, answer: Answered) -> None:
        """Take away what is done; where there is no more of a kind, the next begins."""
        match former:
            case State.DISCOVER:
                discovered = Discovered.parse(answer.payload) if outcome is Outcome.DONE else Discovered()
                placed = place(self._configuration, self._secrets, discovered, self._models)
                self._instances.extend(placed.instances)
                self.notes.extend(placed.notes)
            case State.DELETE:
                self._deletes.popleft()
            case State.WRITE if outcome is Outcome.OTHER_FORMAT:
                self._formats.popleft()
                self._writes.clear()
            case State.WRITE:
                self._writes.popleft()
                if not self._writes:
                    self._instances.popleft()
        if self.state is State.DELETE and not self._deletes:
            self.state = TRANSITIONS[self.state, Outcome.LAST]
        if self.state is State.WRITE and not self._writes:
            if self._instances:
                self._writes.extend(writes(self._instances[0], self._formats[0]))
            else:
                self.state = TRANSITIONS[self.state, Outcome.LAST]

    def _refusal(self, answer: Answered) -> str:
        reason = f": {answer.diagnostic}" if answer.diagnostic else ""
        return f"it answered {answer.code_text} to {self.asked}{reason}"


def _segments(path: Path) -> tuple[str, ...]:
    return tuple(map(str, path.ids))
