"""The parts of pages that show what is to be done to devices."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from nicegui.element import Element
from nicegui.events import GenericEventArguments

from flownexus_console.work_models import Operation, OperationStep, Rollout, RolloutDetail, Standing, Update

Act = Callable[[str], Awaitable[None]]
"""Told the id or path of what somebody clicked on."""


class _Clicked(Element):
    """An element whose events say on what somebody clicked."""

    def on_click(self, event: str, act: Act) -> None:
        async def clicked(arguments: GenericEventArguments) -> None:
            await act(str(arguments.args))

        self.on(event, clicked)


class Wanted(NamedTuple):
    """What a form was sent with: the button, the kind of request, and what was typed."""

    deed: str
    kind: str
    path: str
    value: str


class RequestForm(Element, component="request_form.js"):
    """Asks for a path and a value. `kinds` of requests to choose from; `deeds`: a button each, by what it is called."""

    def __init__(
        self, name: str, kinds: Sequence[str], deeds: Mapping[str, str], on_send: Callable[[Wanted], Awaitable[None]]
    ) -> None:
        super().__init__()
        self._props.update(id=name, kinds=list(kinds), deeds=[[*deed] for deed in deeds.items()], paths=[])

        async def sent(arguments: GenericEventArguments) -> None:
            given = arguments.args
            await on_send(Wanted(*(str(given[field]) for field in Wanted._fields)))

        self.on("send", sent)

    def offer(self, paths: Iterable[tuple[str, str]]) -> None:
        """Paths that may be meant, with their names."""
        self._props.update(paths=[[*path] for path in paths])
        self.update()


class OperationList(_Clicked, component="operation_list.js"):
    """Operations, newest first, each with what became of it; `on_open` is told which one is looked at."""

    def __init__(self, operates: bool, on_cancel: Act, on_open: Act) -> None:
        super().__init__()
        self._props.update(operations=None, steps={}, operates=operates, clock=time.time())
        self.on_click("cancel", on_cancel)
        self.on_click("open", on_open)

    def show(self, operations: Iterable[Operation], steps: Mapping[str, Iterable[OperationStep]]) -> None:
        """Draw these operations, and the histories of those that were opened."""
        self._props.update(
            operations=[one.model_dump(mode="json") for one in operations],
            steps={name: [step.model_dump(mode="json") for step in known] for name, known in steps.items()},
            clock=time.time(),
        )
        self.update()


class DesiredList(_Clicked, component="desired_list.js"):
    """Desired values and how they stand."""

    def __init__(self, operates: bool, on_remove: Act) -> None:
        super().__init__()
        self._props.update(standing=None, operates=operates, clock=time.time())
        self.on_click("remove", on_remove)

    def show(self, standing: Iterable[Standing]) -> None:
        """Draw these values."""
        self._props.update(standing=[one.model_dump(mode="json") for one in standing], clock=time.time())
        self.update()


class UpdateList(_Clicked, component="update_list.js"):
    """Firmware updates, each with its sentence."""

    def __init__(self, operates: bool, on_cancel: Act) -> None:
        super().__init__()
        self._props.update(updates=None, operates=operates, clock=time.time())
        self.on_click("cancel", on_cancel)

    def show(self, updates: Iterable[Update]) -> None:
        """Draw these updates."""
        self._props.update(updates=[one.model_dump(mode="json") for one in updates], clock=time.time())
        self.update()


class RolloutList(Element, component="rollout_list.js"):
    """Rollouts, newest first."""

    def __init__(self) -> None:
        super().__init__()
        self._props.update(rollouts=None, clock=time.time())

    def show(self, rollouts: Iterable[Rollout]) -> None:
        """Draw these rollouts."""
        self._props.update(rollouts=[one.model_dump(mode="json") for one in rollouts], clock=time.time())
        self.update()


class RolloutFacts(Element, component="rollout_facts.js"):
    """One rollout with its groups and its history."""

    def __init__(self) -> None:
        super().__init__()
        self._props.update(rollout=None, clock=time.time())

    def show(self, rollout: RolloutDetail) -> None:
        """Draw this rollout."""
        self._props.update(rollout=rollout.model_dump(mode="json"), clock=time.time())
        self.update()
