"""Events as they happen, for as long as a page is open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import structlog

from flownexus_console.api_client import ApiClient
from flownexus_console.errors import ApiAway, ApiRefused
from flownexus_console.session import Session
from flownexus_schemas.errors import InvalidMessage
from flownexus_schemas.events import Event, parse_event

log = structlog.get_logger(__name__)

RETRY_S = (0.5, 1.0, 2.0, 5.0)


async def follow(
    api: ApiClient, session: Session, chosen: Mapping[str, str | list[str]], on_event: Callable[[Event], None]
) -> None:
    """Call `on_event` for each event chosen by `endpoint` and `kind`; resumes after an interruption where it left off.

    Runs until cancelled. Raises SignedOut.
    """

    def told(data: str) -> None:
        try:
            event = parse_event(data.encode())
        except InvalidMessage as error:
            log.warning("stream.event_unknown", reason=str(error))
        else:
            on_event(event)

    await _follow(api, session, "", chosen, told)


async def follow_work(
    api: ApiClient, session: Session, of: str, chosen: Mapping[str, str | list[str]], on_change: Callable[[], None]
) -> None:
    """The same for what happens to `/operations`, `/firmware-updates` or `/rollouts`: that something did."""
    await _follow(api, session, of, chosen, lambda _: on_change())


async def _follow(
    api: ApiClient, session: Session, of: str, chosen: Mapping[str, str | list[str]], told: Callable[[str], None]
) -> None:
    attempt = 0
    last_event_id: str | None = None
    while True:
        try:
            async for event_id, data in api.stream(session.token, chosen, last_event_id, of):
                attempt = 0
                last_event_id = event_id or last_event_id
                if data:
                    told(data)
        except (ApiAway, ApiRefused) as error:
            log.info("stream.interrupted", reason=str(error))
        await asyncio.sleep(RETRY_S[min(attempt, len(RETRY_S) - 1)])
        attempt += 1


class Pulse:
    """Says when to read again: soon after something happened, at the latest after `every_s`; never more often
    than each `rest_s`. Seconds.
    """

    def __init__(self, every_s: float, rest_s: float) -> None:
        self._every_s = every_s
        self._rest_s = rest_s
        self._happened = asyncio.Event()

    def happened(self) -> None:
        """Something happened that makes what is shown stale."""
        self._happened.set()

    async def wait(self) -> None:
        """Until it is time to read again."""
        await asyncio.sleep(self._rest_s)
        try:
            async with asyncio.timeout(self._every_s):
                await self._happened.wait()
        except TimeoutError:
            return
        finally:
            self._happened.clear()
