"""Setting up JetStream: once, again, over what an older version or an operator left."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import nats
import pytest
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, StorageType
from nats.js.errors import APIError, KeyNotFoundError

from flownexus_schemas import jetstream, subjects
from flownexus_schemas.profiles import DEFAULT_KEY, DEFAULT_PROFILE, ObservationProfile
from flownexus_schemas.subjects import Bucket, EventKind, Stream
from harness.embedded import RunningNats


async def profile(js: JetStreamContext) -> ObservationProfile:
    entry = await (await js.key_value(Bucket.OBSERVATION_PROFILES)).get(DEFAULT_KEY)
    assert entry.value is not None
    return ObservationProfile.model_validate_json(entry.value)


async def test_streams_and_buckets_are_there(js: JetStreamContext) -> None:
    for stream in Stream:
        config = (await js.stream_info(stream)).config
        assert (config.storage, config.duplicate_window) == (StorageType.FILE, 120)
        assert not config.max_age
    for bucket in Bucket:
        assert (await (await js.key_value(bucket)).status()).bucket == bucket
    assert await profile(js) == DEFAULT_PROFILE


async def test_events_and_operations_are_never_pushed_out_by_newer_ones(js: JetStreamContext) -> None:
    kept = {stream: (await js.stream_info(stream)).config.discard for stream in Stream}
    assert kept == {
        Stream.EVENTS: DiscardPolicy.NEW,
        Stream.OPERATIONS: DiscardPolicy.NEW,
        Stream.DEAD_LETTERS: DiscardPolicy.OLD,
    }


async def test_every_subject_has_its_stream(js: JetStreamContext) -> None:
    published = {
        subjects.event("urn:imei:1", EventKind.LOG): Stream.EVENTS,
        subjects.operation("urn:imei:1", "1"): Stream.OPERATIONS,
        subjects.firmware("urn:imei:1", "1"): Stream.OPERATIONS,
        subjects.dead_letter("ingest"): Stream.DEAD_LETTERS,
    }
    assert {subject: (await js.publish(subject, b"x")).stream for subject in published} == published


@pytest.mark.parametrize("endpoint", ["a.b", "*", ">", "a b", "tab\t", "ä", "_kv_a", "x" * 255, "." * 255])
async def test_any_endpoint_name_is_a_subject_and_a_key(js: JetStreamContext, endpoint: str) -> None:
    acknowledged = await js.publish(subjects.event(endpoint, EventKind.LOG), b"x")
    stored = await js.get_msg(Stream.EVENTS, acknowledged.seq)
    assert stored.subject is not None
    assert subjects.endpoint_of_subject(stored.subject) == endpoint
    bucket = await js.key_value(Bucket.REGISTRATIONS)
    await bucket.put(subjects.endpoint_key(endpoint), b"x")
    assert [subjects.endpoint_of_key(key) for key in await bucket.keys()] == [endpoint]


async def test_repeated_id_is_stored_once(js: JetStreamContext) -> None:
    subject = subjects.event("a", EventKind.LOG)
    first, second = [await js.publish(subject, b"x", headers={"Nats-Msg-Id": "gw-1-7"}) for _ in range(2)]
    assert (first.duplicate, second.duplicate) == (None, True)
    assert (await js.stream_info(Stream.EVENTS)).state.messages == 1


async def test_second_time_changes_nothing(js: JetStreamContext) -> None:
    await js.publish(subjects.event("a", EventKind.LOG), b"x")
    await (await js.key_value(Bucket.REGISTRATIONS)).put("a", b"y")
    before = [(await js.stream_info(stream)).config for stream in Stream]
    await jetstream.provision(js)
    assert [(await js.stream_info(stream)).config for stream in Stream] == before
    assert (await js.stream_info(Stream.EVENTS)).state.messages == 1
    assert (await (await js.key_value(Bucket.REGISTRATIONS)).get("a")).value == b"y"


async def test_stream_of_an_older_version_is_brought_up_to_date_with_its_messages(js: JetStreamContext) -> None:
    await js.publish(subjects.event("a", EventKind.LOG), b"x")
    (config,) = [config for config in jetstream.stream_configs() if config.name == Stream.EVENTS]
    await js.update_stream(replace(config, duplicate_window=60, discard=DiscardPolicy.OLD))
    await jetstream.provision(js)
    info = await js.stream_info(Stream.EVENTS)
    assert (info.config.duplicate_window, info.config.discard) == (120, DiscardPolicy.NEW)
    assert info.state.messages == 1


async def test_limits_that_an_operator_set_stay(js: JetStreamContext) -> None:
    config = (await js.stream_info(Stream.EVENTS)).config
    await js.update_stream(config.evolve(max_age=86400.0, max_bytes=1 << 30, description="kept for a day"))
    await jetstream.provision(js)
    kept = (await js.stream_info(Stream.EVENTS)).config
    assert (kept.max_age, kept.max_bytes, kept.description) == (86400.0, 1 << 30, "kept for a day")


async def test_profile_that_an_operator_changed_stays(js: JetStreamContext) -> None:
    changed = ObservationProfile(read_once=("3/0/13",), awake_window_s=20)
    await (await js.key_value(Bucket.OBSERVATION_PROFILES)).put(DEFAULT_KEY, changed.model_dump_json().encode())
    await jetstream.provision(js)
    assert await profile(js) == changed


async def test_profile_that_is_gone_comes_back(js: JetStreamContext) -> None:
    bucket = await js.key_value(Bucket.OBSERVATION_PROFILES)
    await bucket.delete(DEFAULT_KEY)
    with pytest.raises(KeyNotFoundError):
        await bucket.get(DEFAULT_KEY)
    await jetstream.provision(js)
    assert await profile(js) == DEFAULT_PROFILE


async def test_all_of_it_survives_a_killed_server(js: JetStreamContext, nats_server: RunningNats) -> None:
    await js.publish(subjects.event("a", EventKind.LOG), b"x")
    nats_server.kill()
    nats_server.start()
    client = await nats.connect(nats_server.url)
    try:
        again = client.jetstream()
        await jetstream.provision(again)
        assert (await again.stream_info(Stream.EVENTS)).state.messages == 1
        assert await profile(again) == DEFAULT_PROFILE
    finally:
        await client.close()


async def test_two_at_once_both_succeed(nats_server: RunningNats) -> None:
    """Replicas that start together may each run the set-up."""
    clients = [await nats.connect(nats_server.url) for _ in range(4)]
    try:
        await asyncio.gather(*(jetstream.provision(client.jetstream()) for client in clients))
        assert await profile(clients[0].jetstream()) == DEFAULT_PROFILE
    finally:
        for client in clients:
            await client.close()


async def test_more_replicas_than_servers_is_refused_by_nats(nats_server: RunningNats) -> None:
    client = await nats.connect(nats_server.url)
    try:
        with pytest.raises(APIError):
            await jetstream.provision(client.jetstream(), replicas=3)
    finally:
        await client.close()
