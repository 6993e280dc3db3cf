"""What happens, as it happens: server-sent events."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from flownexus_api.access import Viewer
from flownexus_api.documented import answers
from flownexus_api.examples import STREAM
from flownexus_api.following import follow, start_position
from flownexus_api.parts import PartsDep
from flownexus_schemas import subjects
from flownexus_schemas.errors import Unavailable
from flownexus_schemas.subjects import EventKind

router = APIRouter(prefix="/stream", tags=["stream"])

RETRY_MS = 2000
LINGER_S = 5.0
"""Seconds after the end of its token that a client gets to read what is under way before it is cut off."""

RESPONSES = answers(401, 422, 503) | {200: {"content": {"text/event-stream": {"example": STREAM}}}}


async def _place(who: Viewer, parts: PartsDep) -> AsyncIterator[float]:
    """A place among the streams and the time it ends, Unix seconds. A client that does not read is cut off then."""
    if parts.streams.locked():
        raise Unavailable("Too many streams are open; try again later.")
    ends_at = who.expires_at.timestamp()
    task = asyncio.current_task()
    assert task is not None
    cut = asyncio.get_running_loop().call_later(max(0.0, ends_at - time.time()) + LINGER_S, task.cancel)
    async with parts.streams:
        try:
            yield ends_at
        finally:
            cut.cancel()


def _filters(
    endpoint: Annotated[str | None, Query(description="Only this endpoint.", max_length=255)] = None,
    kind: Annotated[list[EventKind] | None, Query(description="Only these kinds; repeat it for several.")] = None,
) -> list[str]:
    kinds = sorted(set(kind or ()))
    if endpoint is not None:
        return [subjects.event(endpoint, one) for one in kinds] or [subjects.events_of(endpoint)]
    return [subjects.events_of_kind(one) for one in kinds] or [subjects.ALL_EVENTS]


async def _start(
    _: Viewer,
    parts: PartsDep,
    last_event_id: Annotated[
        int | None, Header(ge=0, le=2**63 - 1, description="Resume after this event, an `id` of the stream.")
    ] = None,
) -> int:
    return await start_position(parts.bus, last_event_id)


@router.get("", response_class=EventSourceResponse, responses=RESPONSES)
async def get_stream(
    parts: PartsDep,
    filters: Annotated[list[str], Depends(_filters)],
    after: Annotated[int, Depends(_start)],
    ends_at: Annotated[float, Depends(_place)],
) -> AsyncIterator[ServerSentEvent]:
    """Every event from now on: its kind as `event`, its place in the stream as `id`, the CloudEvent as `data`.

    A comment comes each 15 s in which nothing else does. The stream ends with the access token: get a new one and
    resume with `Last-Event-ID`, and nothing is missed. A slow client gets events later, never fewer.
    """
    yield ServerSentEvent(comment=f"after {after}", id=str(after), retry=RETRY_MS)
    async with contextlib.aclosing(follow(parts.bus, filters, after)) as messages:
        async for followed in messages:
            if followed is not None:
                data = followed.payload.decode("utf-8", "replace")
                yield ServerSentEvent(raw_data=data, event=followed.kind, id=str(followed.sequence))
            if time.time() >= ends_at or parts.stopping.is_set():
                return
