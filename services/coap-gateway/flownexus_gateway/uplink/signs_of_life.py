"""Signs of life that no other event tells of: answers to requests, downloads of firmware."""

from __future__ import annotations

import asyncio

from flownexus_gateway.publisher import Publisher
from flownexus_gateway.registrations.identifiers import digest
from flownexus_gateway.registrations.live import LiveRegistration
from flownexus_schemas.cloudevent import utc
from flownexus_schemas.events import EndpointHeard, HeardBy, Hearing

SPARSE_S = 10.0
"""One event in this time at most; in a quarter of the awake window where that is shorter."""

OTHERS_S = 0.5
"""For so long the event that tells of the same may take: the values of an answer to a read are reported."""


class SignsOfLife:
    """Publishes `heard`, where nothing else was published of the device lately."""

    def __init__(self, publisher: Publisher, source: str) -> None:
        self._publisher, self._source = publisher, source

    def heard(self, live: LiveRegistration, by: HeardBy, now: float) -> None:
        """Something came from it. Unix seconds."""
        live.showed_life(now)
        if _is_untold(live):
            asyncio.get_running_loop().call_later(OTHERS_S, self._tell, live, by)

    def _tell(self, live: LiveRegistration, by: HeardBy) -> None:
        if not _is_untold(live):
            return
        live.told_at = live.heard_at
        event = EndpointHeard(
            id=digest("heard", live.id, round(live.heard_at * 1000)),
            source=self._source,
            subject=live.endpoint,
            time=utc(live.heard_at),
            data=Hearing(by=by),
        )
        self._publisher.publish_event(event, _ignore)


def _is_untold(live: LiveRegistration) -> bool:
    return live.heard_at - live.told_at > min(SPARSE_S, live.registration.awake_window_s / 4)


def _ignore(_: bool) -> None:
    return None
