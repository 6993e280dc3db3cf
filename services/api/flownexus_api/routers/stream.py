"""What happens, as it happens: server-sent events."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from starlette.responses import StreamingResponse

from flownexus_api.access import Viewer
from flownexus_api.documented import answers
from flownexus_api.examples import STREAM
from flownexus_api.following import follow, start_position
from flownexus_api.parts import Parts, PartsDep
from flownexus_schemas import subjects
from flownexus_schemas.errors import Unavailable
from flownexus_schemas.subjects import EventKind

router = APIRouter(prefix="/stream", tags=["stream"])

RETRY_MS = 2000
KEEP_ALIVE_S = 13.0
"""Seconds of silence before a comment; with the 2 s of a wait for a message, each 15 s."""

RESPONSES = answers(401, 422, 503) | {200: {"content": {"text/event-stream": {"example": STREAM}}}}


class EventStream(StreamingResponse):
    """Server-sent events. Not FastAPI's own: that logs a fault for each client that leaves while it is behind."""

    media_type = "text/event-stream"


async def _place(who: Viewer, parts: PartsDep) -> AsyncIterator[float]:
    """A place among the streams, and the time it ends with the token, Unix seconds."""
    if parts.streams.locked():
        raise Unavailable("Too many streams are open; try again later.")
    async with parts.streams:
        yield who.expires_at.timestamp()


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


@router.get("", response_class=EventStream, responses=RESPONSES)
async def get_stream(
    parts: PartsDep,
    filters: Annotated[list[str], Depends(_filters)],
    after: Annotated[int, Depends(_start)],
    ends_at: Annotated[float, Depends(_place)],
) -> EventStream:
    """Every event from now on: its kind as `event`, its place in the stream as `id`, the CloudEvent as `data`.

    A comment comes each 15 s in which nothing else does. The stream ends with the access token: get a new one and
    resume with `Last-Event-ID`, and nothing is missed. A slow client gets events later, never fewer.
    """
    return EventStream(_lines(parts, filters, after, ends_at), headers={"X-Accel-Buffering": "no"})


async def _lines(parts: Parts, filters: list[str], after: int, ends_at: float) -> AsyncIterator[bytes]:
    yield format_sse_event(comment=f"after {after}", id=str(after), retry=RETRY_MS)
    sent_at = time.monotonic()
    async with contextlib.aclosing(follow(parts.bus, filters, after)) as messages:
        async for followed in messages:
            now = time.monotonic()
            if followed is not None:
                data = followed.payload.decode("utf-8", "replace")
                yield format_sse_event(data_str=data, event=followed.kind, id=str(followed.sequence))
                sent_at = now
            elif now - sent_at >= KEEP_ALIVE_S:
                yield KEEPALIVE_COMMENT
                sent_at = now
            if time.time() >= ends_at or parts.stopping.is_set():
                return
