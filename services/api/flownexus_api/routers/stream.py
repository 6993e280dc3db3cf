"""What happens, as it happens: server-sent events."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from flownexus_api.access import Viewer
from flownexus_api.documented import answers
from flownexus_api.event_stream import EventStream, LastEventId, Place, event_stream
from flownexus_api.examples import STREAM
from flownexus_api.following import Followed, start_position
from flownexus_api.parts import PartsDep
from flownexus_schemas import subjects
from flownexus_schemas.subjects import EventKind, Stream

router = APIRouter(prefix="/stream", tags=["stream"])

RESPONSES = answers(401, 422, 503) | {200: {"content": {"text/event-stream": {"example": STREAM}}}}


def _filters(
    endpoint: Annotated[str | None, Query(description="Only this endpoint.", max_length=255)] = None,
    kind: Annotated[list[EventKind] | None, Query(description="Only these kinds; repeat it for several.")] = None,
) -> list[str]:
    kinds = sorted(set(kind or ()))
    if endpoint is not None:
        return [subjects.event(endpoint, one) for one in kinds] or [subjects.events_of(endpoint)]
    return [subjects.events_of_kind(one) for one in kinds] or [subjects.ALL_EVENTS]


async def _start(_: Viewer, parts: PartsDep, last_event_id: LastEventId = None) -> int:
    return await start_position(parts.bus, last_event_id)


@router.get("", response_class=EventStream, responses=RESPONSES)
async def get_stream(
    parts: PartsDep,
    filters: Annotated[list[str], Depends(_filters)],
    after: Annotated[int, Depends(_start)],
    ends_at: Place,
) -> EventStream:
    """Every event from now on: its kind as `event`, its place in the stream as `id`, the CloudEvent as `data`.

    A comment comes each 15 s in which nothing else does. The stream ends with the access token: get a new one and
    resume with `Last-Event-ID`, and nothing is missed. A slow client gets events later, never fewer.
    """
    return event_stream(parts, Stream.EVENTS, filters, _kind, after=after, ends_at=ends_at)


def _kind(followed: Followed) -> str:
    return followed.last_token
