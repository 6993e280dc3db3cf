"""Users of the bus on a real NATS server: each does what is its own, and nothing of the others'."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import nats
import pytest
from nats.aio.client import Client
from nats.errors import NoRespondersError
from nats.js import JetStreamContext
from nats.js.errors import BucketNotFoundError, ServiceUnavailableError

from flownexus_schemas import subjects
from flownexus_schemas.bus_users import PERMISSIONS, BusUser, inbox_prefix
from flownexus_schemas.subjects import EventKind, Stream
from harness.embedded import RunningNats
from harness.waiting import until

SERVICES = (BusUser.GATEWAY, BusUser.INGEST, BusUser.OPERATIONS, BusUser.API, BusUser.INTEGRATOR)


class Watched:
    """A client of one user, and what the server refused it."""

    def __init__(self) -> None:
        self.client = Client()
        self.refused: list[str] = []

    async def on_error(self, error: Exception) -> None:
        self.refused.append(str(error).lower())

    async def is_refused(self, subject: str) -> bool:
        """Whether the server refused it, by the time that it has answered all that was sent."""
        await self.client.flush()
        # The refusal is written before the answer to the flush; its callback runs in the loop's next turns.
        return bool(
            await until(lambda: any(f'"{subject.lower()}"' in one for one in self.refused), 5, f"refusal of {subject}")
        )


@asynccontextmanager
async def connected(server: RunningNats, user: BusUser) -> AsyncIterator[Watched]:
    watched = Watched()
    await watched.client.connect(
        server.url_of(user), inbox_prefix=inbox_prefix(user), error_cb=watched.on_error, allow_reconnect=False
    )
    try:
        yield watched
    finally:
        await watched.client.close()


def covers(pattern: str, subject: str) -> bool:
    """Whether everything that `subject` (itself with wildcards) stands for is in `pattern`."""
    have, want = pattern.split("."), subject.split(".")
    for mine, theirs in itertools.zip_longest(have, want):
        if mine == ">":
            return theirs is not None
        if mine is None or theirs is None or theirs == ">" or mine not in {"*", theirs}:
            return False
    return True


def example(pattern: str) -> str:
    """A subject that it stands for."""
    return ".".join("x" if token in {"*", ">"} else token for token in pattern.split("."))


def of_others(user: BusUser, kind: str) -> list[str]:
    """A subject for each permission that another service has and this user has not."""
    own = getattr(PERMISSIONS[user], kind)
    theirs = {example(one) for other in SERVICES if other is not user for one in getattr(PERMISSIONS[other], kind)}
    return sorted(one for one in theirs if not any(covers(pattern, one) for pattern in own))


@pytest.mark.parametrize("user", SERVICES)
async def test_no_user_publishes_what_is_for_another_alone(
    js: JetStreamContext, nats_server: RunningNats, user: BusUser
) -> None:
    foreign = of_others(user, "publish")
    assert foreign
    async with connected(nats_server, user) as watched:
        for subject in foreign:
            await watched.client.publish(subject, b"")
        for subject in foreign:
            assert await watched.is_refused(subject)


@pytest.mark.parametrize("user", SERVICES)
async def test_no_user_subscribes_to_what_is_for_another_alone(
    js: JetStreamContext, nats_server: RunningNats, user: BusUser
) -> None:
    foreign = of_others(user, "subscribe")
    assert foreign
    async with connected(nats_server, user) as watched:
        for subject in (*foreign, ">", "_INBOX.>"):
            await watched.client.subscribe(subject)
        for subject in (*foreign, ">", "_INBOX.>"):
            assert await watched.is_refused(subject)


async def test_an_integrator_hears_events_and_can_do_nothing_else(
    js: JetStreamContext, nats_server: RunningNats
) -> None:
    async with connected(nats_server, BusUser.INTEGRATOR) as watched:
        heard = await watched.client.subscribe(subjects.ALL_EVENTS)
        await watched.client.flush()
        event = subjects.event("device-1", EventKind.REPORTED)
        await js.publish(event, b"{}")
        assert (await heard.next_msg(timeout=5)).subject == event
        for subject in (event, subjects.gateway_request("gw-1"), f"$JS.API.STREAM.INFO.{Stream.EVENTS}", "anything"):
            await watched.client.publish(subject, b"")
            assert await watched.is_refused(subject)
    assert (await js.stream_info(Stream.EVENTS)).state.messages == 1


@pytest.mark.parametrize("bucket", subjects.Bucket)
async def test_a_service_reads_the_buckets_that_are_its_own_and_no_other(
    js: JetStreamContext, nats_server: RunningNats, bucket: subjects.Bucket
) -> None:
    readers = {user for user in SERVICES if f"$JS.API.STREAM.INFO.KV_{bucket}" in PERMISSIONS[user].publish}
    assert readers, "a bucket that nobody reads"
    for user in SERVICES:
        async with connected(nats_server, user) as watched:
            try:
                await watched.client.jetstream(timeout=0.5).key_value(bucket)
            except (TimeoutError, nats.errors.TimeoutError, NoRespondersError, ServiceUnavailableError):
                assert user not in readers
            except BucketNotFoundError:
                pytest.fail(f"{bucket} is not provisioned")
            else:
                assert user in readers


@pytest.mark.parametrize("login", [{}, {"user": "gateway", "pass": "wrong"}, {"user": "nobody", "pass": ""}])
async def test_without_the_password_nobody_gets_in(
    js: JetStreamContext, nats_server: RunningNats, login: dict[str, str]
) -> None:
    address = urlsplit(nats_server.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        assert (await reader.readline()).startswith(b"INFO ")
        writer.write(f"CONNECT {json.dumps({'verbose': False, **login})}\r\nPING\r\n".encode())
        async with asyncio.timeout(10):
            assert (await reader.readline()).startswith(b"-ERR 'Authorization Violation'")
    finally:
        writer.close()
        await writer.wait_closed()
