"""The parts of the endpoint page."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable

from nicegui.element import Element
from nicegui.events import GenericEventArguments

from flownexus_console.api_models import EndpointDetail, LogLine, Observation, StoredEvent


class EndpointFacts(Element, component="endpoint_facts.js"):
    """Name, presence and what the registration states."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._props.update(name=name, endpoint=None, clock=time.time())

    def show(self, endpoint: EndpointDetail) -> None:
        """Draw these facts."""
        self._props.update(endpoint=endpoint.model_dump(mode="json"), clock=time.time())
        self.update()


class ObjectList(Element, component="object_list.js"):
    """Objects with their resources and live values; a click on a number calls `on_choose` with its path."""

    def __init__(self, on_choose: Callable[[str], Awaitable[None]]) -> None:
        super().__init__()
        self._props.update(objects=None, selected="", clock=time.time())

        async def chosen(event: GenericEventArguments) -> None:
            await on_choose(event.args)

        self.on("choose", chosen)

    def show(self, objects: list[dict[str, object]], selected: str) -> None:
        """Draw these objects; values that changed since are lit up."""
        self._props.update(objects=objects, selected=selected, clock=time.time())
        self.update()


class ObservationList(Element, component="observation_list.js"):
    """What the platform observes on the endpoint, and what the device said to it."""

    def __init__(self) -> None:
        super().__init__()
        self._props.update(observations=None, clock=time.time())

    def show(self, observations: Iterable[Observation]) -> None:
        """Draw these observations."""
        self._props.update(
            observations=[observation.model_dump(mode="json") for observation in observations], clock=time.time()
        )
        self.update()


class EventList(Element, component="event_list.js"):
    """Stored events, newest first, each with its values."""

    def __init__(self) -> None:
        super().__init__()
        self._props.update(stored=None, clock=time.time())

    def show(self, events: Iterable[StoredEvent]) -> None:
        """Draw these events."""
        self._props.update(stored=[event.model_dump(mode="json") for event in events], clock=time.time())
        self.update()


class LogList(Element, component="log_list.js"):
    """Lines of the device's own log, newest first. `searched`: only those that match are there."""

    def __init__(self) -> None:
        super().__init__()
        self._props.update(lines=None, searched=False, clock=time.time())

    def show(self, lines: Iterable[LogLine], searched: bool) -> None:
        """Draw these lines."""
        self._props.update(lines=[line.model_dump(mode="json") for line in lines], searched=searched, clock=time.time())
        self.update()
