"""The live stream, from the real NATS to a client over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import httpx
import pytest
from httpx_sse import EventSource, ServerSentEvent
from nats.js import JetStreamContext

from flownexus_api import accounts
from flownexus_api.listener import STUCK_AFTER_S, listen
from flownexus_schemas import subjects
from flownexus_schemas.subjects import EventKind, Stream
from harness.embedded import RunningNats
from harness.server_process import ServerProcess
from harness.services import ServiceProcess
from harness.waiting import until

if TYPE_CHECKING:
    from conftest import ServiceFactory

LOG = "io.flownexus.lwm2m.log.v1"


async def publish(js: JetStreamContext, endpoint: str, number: int, kind: EventKind = EventKind.LOG) -> int:
    """A CloudEvent with a number in it; its place in the stream."""
    event = {
        "specversion": "1.0",
        "id": f"{endpoint}-{number}",
        "source": "/gateway/gw-1",
        "subject": endpoint,
        "time": "2026-03-02T12:00:00Z",
        "type": LOG,
        "data": {"level": "info", "text": str(number), "time": "2026-03-02T12:00:00Z"},
    }
    headers = {"Nats-Msg-Id": str(event["id"])}
    return (await js.publish(subjects.event(endpoint, kind), json.dumps(event).encode(), headers=headers)).seq


class Api:
    """A running API and somebody who is logged in."""

    def __init__(self, process: ServiceProcess, token: str) -> None:
        self.process, self.token = process, token

    @contextlib.asynccontextmanager
    async def stream(
        self, query: str = "", last_event_id: int | None = None
    ) -> AsyncIterator[AsyncIterator[ServerSentEvent]]:
        headers = {"Authorization": f"Bearer {self.token}"}
        if last_event_id is not None:
            headers["Last-Event-ID"] = str(last_event_id)
        async with (
            httpx.AsyncClient(timeout=20) as client,
            client.stream("GET", f"{self.process.health_url}/api/v1/stream{query}", headers=headers) as response,
        ):
            assert response.status_code == 200, await response.aread()
            yield (event async for event in EventSource(response).aiter_sse() if event.data)

    async def refusal(self, query: str = "") -> httpx.Response:
        """The answer to a stream that is not given."""
        headers = {"Authorization": f"Bearer {self.token}"}
        async with httpx.AsyncClient(timeout=20) as client:
            return await client.get(f"{self.process.health_url}/api/v1/stream{query}", headers=headers)


@pytest.fixture
def api(service: ServiceFactory, database_url: str, js: JetStreamContext) -> Api:
    return start(service, database_url)


def start(service: ServiceFactory, database_url: str, lifetime_s: int = 900) -> Api:
    process = service("flownexus_api", FLOWNEXUS_TOKEN_LIFETIME_S=lifetime_s)
    password = accounts.add_user(database_url, "vera", "viewer", None)
    form = {"username": "vera", "password": password}
    answer = httpx.post(f"{process.health_url}/api/v1/auth/token", data=form, timeout=20)
    return Api(process, answer.json()["access_token"])


async def numbers(events: AsyncIterator[ServerSentEvent], count: int) -> list[int]:
    found: list[int] = []
    while len(found) < count:
        found.append(int(json.loads((await anext(events)).data)["data"]["text"]))
    return found


async def test_streams_hold_no_connection_to_the_database(api: Api, js: JetStreamContext) -> None:
    headers = {"Authorization": f"Bearer {api.token}"}
    async with contextlib.AsyncExitStack() as streams:
        opened = [await streams.enter_async_context(api.stream()) for _ in range(15)]
        async with httpx.AsyncClient(timeout=20) as client:
            answer = await client.get(f"{api.process.health_url}/api/v1/users/me", headers=headers)
        assert answer.status_code == 200
        await publish(js, "node", 1)
        for events in opened:
            assert await numbers(events, 1) == [1]


async def test_events_come_as_they_happen(api: Api, js: JetStreamContext) -> None:
    await publish(js, "node", 0)
    async with api.stream() as events:
        sequence = await publish(js, "node", 1)
        event = await anext(events)
        assert (event.event, event.id) == ("log", str(sequence))
        assert json.loads(event.data)["subject"] == "node"
        assert json.loads(event.data)["data"]["text"] == "1"


async def test_a_stream_resumes_after_the_last_event_seen(api: Api, js: JetStreamContext) -> None:
    sequences = [await publish(js, "node", number) for number in range(250)]
    async with api.stream(last_event_id=sequences[9]) as events:
        assert await numbers(events, 240) == list(range(10, 250))
        await publish(js, "node", 250)
        assert await numbers(events, 1) == [250]


async def test_an_id_beyond_the_stream_means_from_now_on(api: Api, js: JetStreamContext) -> None:
    await publish(js, "node", 0)
    async with api.stream(last_event_id=10_000) as events:
        await publish(js, "node", 1)
        assert await numbers(events, 1) == [1]


async def test_a_stream_can_be_of_one_endpoint_and_some_kinds(api: Api, js: JetStreamContext) -> None:
    async with (
        api.stream("?endpoint=a/b") as one,
        api.stream("?kind=updated&kind=registered&kind=updated") as kinds,
        api.stream("?endpoint=a/b&kind=updated") as both,
    ):
        await publish(js, "a", 1, EventKind.REGISTERED)
        await publish(js, "a/b", 2)
        await publish(js, "a/b", 3, EventKind.UPDATED)
        await publish(js, "c", 4, EventKind.UPDATED)
        await publish(js, "a/b", 5, EventKind.UPDATED)
        assert await numbers(one, 3) == [2, 3, 5]
        assert await numbers(kinds, 4) == [1, 3, 4, 5]
        assert await numbers(both, 2) == [3, 5]


async def test_who_leaves_leaves_nothing_behind(api: Api, js: JetStreamContext) -> None:
    async def consumers() -> int:
        return len(await js.consumers_info(Stream.EVENTS))

    async with api.stream() as quiet, api.stream() as busy:
        await publish(js, "node", 1)
        assert await numbers(quiet, 1) == await numbers(busy, 1) == [1]
        assert await consumers() == 2

    async def none_is_left() -> bool:
        return await consumers() == 0

    # Sooner than JetStream drops them by itself.
    gone: bool = await until(none_is_left, timeout_s=15, what="an end of the consumers")
    assert gone


async def test_a_client_that_leaves_while_it_is_behind_is_no_fault_of_ours(api: Api, js: JetStreamContext) -> None:
    for number in range(300):
        await publish(js, "x" * 200, number)
    for _ in range(5):
        async with api.stream(last_event_id=0) as events:
            assert await numbers(events, 1) == [0]

    async def none_is_left() -> bool:
        return not await js.consumers_info(Stream.EVENTS)

    gone: bool = await until(none_is_left, timeout_s=15, what="an end of the consumers")
    assert gone
    assert "Traceback" not in api.process.log_text()


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="only Linux has the option")
def test_a_connection_knows_when_its_peer_is_stuck() -> None:
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == STUCK_AFTER_S * 1000


async def test_nothing_is_missed_or_repeated_over_a_restart_of_nats(
    api: Api, js: JetStreamContext, nats_server: RunningNats
) -> None:
    async with api.stream() as events:
        for number in range(5):
            await publish(js, "node", number)
        assert await numbers(events, 5) == [0, 1, 2, 3, 4]
        kill_and_start(nats_server)
        for number in range(5, 10):
            await publish_again(js, number)
        assert await numbers(events, 5) == [5, 6, 7, 8, 9]


def kill_and_start(server: ServerProcess) -> None:
    server.kill()
    server.start()


async def publish_again(js: JetStreamContext, number: int) -> None:
    """Publish until it is stored: the client of the test reconnects too."""
    deadline = time.monotonic() + 20
    while True:
        try:
            await publish(js, "node", number)
        except Exception:
            assert time.monotonic() < deadline
        else:
            return


async def test_a_stream_ends_soon_after_its_login_was_ended(api: Api) -> None:
    async with api.stream() as events:
        async with httpx.AsyncClient(base_url=api.process.health_url, timeout=20) as client:
            ended = await client.post("/api/v1/auth/logout", headers={"Authorization": f"Bearer {api.token}"})
        assert ended.status_code == 200
        async with asyncio.timeout(60):
            with pytest.raises(StopAsyncIteration):
                await anext(events)
    assert (await api.refusal()).status_code == 401


async def test_a_stream_ends_with_its_token(service: ServiceFactory, database_url: str, js: JetStreamContext) -> None:
    api = start(service, database_url, lifetime_s=5)
    async with api.stream() as events:
        with pytest.raises(StopAsyncIteration):
            await anext(events)
    assert (await api.refusal()).status_code == 401


async def test_open_streams_do_not_hold_up_a_stop(api: Api) -> None:
    async with api.stream() as events:
        began = time.monotonic()
        api.process.stop()
        assert time.monotonic() - began < 5
        with contextlib.suppress(httpx.RemoteProtocolError), pytest.raises(StopAsyncIteration):
            await anext(events)


@pytest.mark.parametrize("query", ["?kind=exploded", f"?endpoint={'x' * 256}", "?endpoint="])
async def test_a_stream_that_cannot_be_is_422(api: Api, query: str) -> None:
    answer = await api.refusal(query)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


async def test_without_nats_a_stream_is_503(api: Api, nats_server: RunningNats) -> None:
    nats_server.kill()
    answer = await api.refusal()
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
