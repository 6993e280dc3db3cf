"""Devices that were due and were not heard: told as events, from which their rows follow as from any other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import NamedTuple

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from psycopg import AsyncConnection
from psycopg.rows import class_row

from flownexus_ingest import metrics
from flownexus_ingest.presence import Presence
from flownexus_schemas import subjects
from flownexus_schemas.events import EndpointOverdue, Overdue, subject_of

log = structlog.get_logger(__name__)

SOURCE = "/ingest"
AT_A_TIME = 500
ALIVE_S = 1.0

# Silent in every way for as long as it takes to be missed, and not told of since it was last heard.
_FIND = """
select name, registration_id, gateway, last_seen_at, expected_at, expected_by,
    extract(epoch from overdue_at - began_at)::double precision as silence_s
from endpoint join endpoint_wake_ups on endpoint_id = endpoint.id
where registered and expires_at > now() and last_seen_at + (overdue_at - began_at) <= now()
    and (overdue_since is null or overdue_since <= last_seen_at)
order by overdue_at limit 5000
"""
_GATEWAYS = "select distinct gateway from endpoint where registered and gateway is not null"
_COUNT = "select count(*) from endpoint_status where overdue"


class Missed(NamedTuple):
    """An endpoint that was due; `silence_s`: for so long it is silent at least."""

    name: str
    registration_id: str
    gateway: str
    last_seen_at: datetime
    expected_at: datetime
    expected_by: datetime
    silence_s: float


class OverdueWatch:
    """Looks again and again. `longest_grace_s`: a gateway that was away has been back for so long, or for as long as
    the device is silent, before the device is missed: after an outage of ours devices come back in their own time.
    """

    def __init__(self, longest_grace_s: float) -> None:
        self._longest_grace_s = longest_grace_s
        self._presence = Presence()

    async def look(
        self,
        client: Client,
        js: JetStreamContext,
        connect: Callable[[], Awaitable[AsyncConnection]],
        caught_up: Callable[[], Awaitable[bool]],
    ) -> None:
        """Once. `caught_up` tells whether all that was heard until now is in the tables.

        Raises psycopg.Error, nats.errors.Error.
        """
        async with await connect() as connection:
            gateways = [gateway for (gateway,) in await (await connection.execute(_GATEWAYS)).fetchall()]
            self._presence.seen(await _alive(client, gateways), time.monotonic())
            if await caught_up():
                async with connection.cursor(row_factory=class_row(Missed)) as cursor:
                    await cursor.execute(_FIND)
                    await self._tell(js, await cursor.fetchall())
            count = await (await connection.execute(_COUNT)).fetchone()
        metrics.OVERDUE.set(count[0] if count else 0)

    async def _tell(self, js: JetStreamContext, found: Iterable[Missed]) -> None:
        now = time.monotonic()
        missed = [
            one
            for one in found
            if self._presence.there_for(one.gateway, now) >= min(one.silence_s, self._longest_grace_s)
        ]
        for one in missed[:AT_A_TIME]:
            event = EndpointOverdue(
                # The same for every process that looks, and for each time that it is silent.
                id=f"{one.registration_id}-overdue-{round(one.last_seen_at.timestamp() * 1000)}",
                source=SOURCE,
                subject=one.name,
                time=datetime.now(UTC),
                data=Overdue(
                    registration_id=one.registration_id,
                    last_heard_at=one.last_seen_at,
                    expected_at=one.expected_at,
                    expected_by=one.expected_by,
                ),
            )
            await js.publish(subject_of(event), event.model_dump_json().encode(), headers={"Nats-Msg-Id": event.id})
            log.info("endpoint.overdue", endpoint=one.name, last_heard_at=one.last_seen_at.isoformat())


async def _alive(client: Client, gateways: Iterable[str]) -> list[str]:
    async def answers(gateway: str) -> str | None:
        try:
            await client.request(subjects.gateway_alive(gateway), b"", timeout=ALIVE_S)
        except (NatsError, TimeoutError):
            return None
        return gateway

    found = await asyncio.gather(*map(answers, gateways))
    return [gateway for gateway in found if gateway is not None]
