"""The parts of the fleet page."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable

from nicegui.element import Element
from nicegui.events import GenericEventArguments

from flownexus_console.api_models import Endpoint, Statistics


class FleetTable(Element, component="fleet_table.js"):
    """Endpoints as a table; as cards on a phone. `on_sort` gets `name` or `-last_seen_at`."""

    def __init__(
        self, sort: str, on_sort: Callable[[str], Awaitable[None]], on_clear: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__()
        self._props.update(rows=[], sort=sort, filtered=False, loading=True, clock=time.time())

        async def sorted_by(event: GenericEventArguments) -> None:
            await on_sort(event.args)

        self.on("sort", sorted_by)
        self.on("clear", on_clear)

    def show(self, endpoints: Iterable[Endpoint], sort: str, filtered: bool) -> None:
        """Draw these rows."""
        rows = [endpoint.model_dump(mode="json") for endpoint in endpoints]
        self._props.update(rows=rows, sort=sort, filtered=filtered, loading=False, clock=time.time())
        self.update()


class FleetCounts(Element, component="fleet_counts.js"):
    """Endpoints by status; a click on one filters by it."""

    def __init__(self, on_choose: Callable[[str], Awaitable[None]]) -> None:
        super().__init__()
        self._props.update(counts=None, readings=None, status="")

        async def chosen(event: GenericEventArguments) -> None:
            await on_choose(event.args)

        self.on("choose", chosen)

    def show(self, statistics: Statistics) -> None:
        """Draw these counts."""
        self._props.update(counts=statistics.endpoints.model_dump(mode="json"), readings=statistics.readings_last_hour)
        self.update()

    def press(self, status: str) -> None:
        """Mark the status that is filtered by; empty for all."""
        self._props.update(status=status)
        self.update()
