"""Messages of a stream as server-sent events, for as long as the token is good."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Header
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from starlette.responses import StreamingResponse

from flownexus_api.access import READING, Bearer, Viewer, identify
from flownexus_api.database import database_errors
from flownexus_api.following import Followed, follow
from flownexus_api.parts import Parts, PartsDep
from flownexus_schemas.errors import CallerError, Unavailable
from flownexus_schemas.subjects import Stream

RETRY_MS = 2000
KEEP_ALIVE_S = 13.0
"""Seconds of silence before a comment; with the 2 s of a wait for a message, each 15 s."""

CHECK_S = 10.0
"""Seconds after which a stream looks whether its token is still good: it may have been revoked, or renewed."""

NameOf = Callable[[Followed], str | None]
"""The `event` that a message is sent as; None where it is not sent."""


class EventStream(StreamingResponse):
    """Server-sent events. Not FastAPI's own: that logs a fault for each client that leaves while it is behind."""

    media_type = "text/event-stream"


class Lease:
    """How long somebody may go on reading a stream."""

    def __init__(self, parts: Parts, token: str | None, expires_at: datetime) -> None:
        self._parts, self._token = parts, token
        self._expires_at = expires_at.timestamp()
        self._checked_at = time.monotonic()

    async def is_over(self) -> bool:
        """Whether the token has expired, or was found revoked or its owner disabled."""
        if time.time() < self._expires_at and time.monotonic() - self._checked_at < CHECK_S:
            return False
        self._checked_at = time.monotonic()
        try:
            with database_errors():
                async with self._parts.engine.begin() as database:
                    who = await identify(self._parts, database, self._token, None)
            READING.check(who)
        except CallerError:
            return True
        except Unavailable:
            # Nobody can revoke anything meanwhile.
            return time.time() >= self._expires_at
        self._expires_at = who.expires_at.timestamp()
        return False


async def _place(who: Viewer, parts: PartsDep, token: Bearer = None) -> AsyncIterator[Lease]:
    if parts.streams.locked():
        raise Unavailable("Too many streams are open; try again later.")
    async with parts.streams:
        yield Lease(parts, token, who.expires_at)


Place = Annotated[Lease, Depends(_place)]
"""A place among the streams, for as long as the token is good."""

LastEventId = Annotated[
    int | None, Header(ge=0, le=2**63 - 1, description="Resume after this event, an `id` of the stream.")
]


def event_stream(
    parts: Parts,
    stream: Stream,
    filters: Sequence[str],
    name_of: NameOf,
    *,
    after: int,
    ends_at: Lease,
) -> EventStream:
    """What follows `after` in the stream and matches a filter, each message with its sequence as `id`."""
    return EventStream(
        _lines(parts, stream, filters, name_of, after=after, ends_at=ends_at), headers={"X-Accel-Buffering": "no"}
    )


async def _lines(
    parts: Parts, stream: Stream, filters: Sequence[str], name_of: NameOf, *, after: int, ends_at: Lease
) -> AsyncIterator[bytes]:
    yield format_sse_event(comment=f"after {after}", id=str(after), retry=RETRY_MS)
    sent_at = time.monotonic()
    async with contextlib.aclosing(follow(parts.bus, filters, after, stream)) as messages:
        async for followed in messages:
            now = time.monotonic()
            name = None if followed is None else name_of(followed)
            if followed is not None and name is not None:
                data = followed.payload.decode("utf-8", "replace")
                yield format_sse_event(data_str=data, event=name, id=str(followed.sequence))
                sent_at = now
            elif now - sent_at >= KEEP_ALIVE_S:
                yield KEEPALIVE_COMMENT
                sent_at = now
            if parts.stopping.is_set() or await ends_at.is_over():
                return
