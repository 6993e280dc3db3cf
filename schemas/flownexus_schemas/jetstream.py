"""The streams and buckets as they are set up, and the set-up itself. Run by `flownexus migrate`."""

from __future__ import annotations

import secrets
from contextlib import suppress

from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, KeyValueConfig, ObjectStoreConfig, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import BucketNotFoundError, KeyNotFoundError, KeyWrongLastSequenceError, NotFoundError

from flownexus_schemas import subjects
from flownexus_schemas.profiles import DEFAULT_KEY, DEFAULT_PROFILE
from flownexus_schemas.subjects import Bucket, Stream

DUPLICATE_WINDOW_S = 120
"""Seconds in which a repeated `Nats-Msg-Id` is stored once. CoAP's MAX_TRANSMIT_SPAN is 45 s (RFC 7252, 4.8.2)."""

FIRMWARE_LINKS_KEY_BYTES = 32

WRONG_LAST_SEQUENCE = 10071
"""Error code of JetStream: the subject has another last message than the publisher rests on."""

BUCKET_TTL_S: dict[Bucket, float] = {Bucket.DTLS_SESSIONS: 30 * 86400}
"""Seconds after which an entry that nobody wrote again is gone. A device that sleeps longer makes a new handshake."""

IN_BATCHES = frozenset({Bucket.CREDENTIALS})
"""Buckets that take several entries at a time, all of them or none. NATS 2.12, ADR-50."""

LARGE_MESSAGES_TTL_S = 3600
"""Seconds that the body of a large message is kept at most; a request lives for some minutes."""

LARGE_MESSAGES_BYTES = 1 << 30
"""What all bodies of large messages may take together; above it a request is refused until others are done."""


def _stream(
    name: Stream, bound: list[str], replicas: int, discard: DiscardPolicy, duplicate_window_s: float
) -> StreamConfig:
    return StreamConfig(
        name=name,
        subjects=bound,
        storage=StorageType.FILE,
        retention=RetentionPolicy.LIMITS,
        num_replicas=replicas,
        discard=discard,
        duplicate_window=duplicate_window_s,
        allow_direct=True,
    )


def stream_configs(replicas: int = 1) -> list[StreamConfig]:
    """Events and operations are the source of truth: nothing in them ages out unless an operator says so."""
    kept, window = DiscardPolicy.NEW, DUPLICATE_WINDOW_S
    return [
        _stream(Stream.EVENTS, [subjects.ALL_EVENTS], replicas, kept, window),
        _stream(
            Stream.OPERATIONS,
            [subjects.ALL_OPERATIONS, subjects.ALL_DESIRED, subjects.ALL_FIRMWARE, subjects.ALL_ROLLOUTS],
            replicas,
            kept,
            window,
        ),
        _stream(Stream.DEAD_LETTERS, [subjects.ALL_DEAD_LETTERS], replicas, DiscardPolicy.OLD, window),
    ]


def bucket_configs(replicas: int = 1) -> list[KeyValueConfig]:
    """One value of history each: a bucket says what is, the streams say what was."""
    return [
        KeyValueConfig(
            bucket=bucket, history=1, storage=StorageType.FILE, replicas=replicas, ttl=BUCKET_TTL_S.get(bucket)
        )
        for bucket in Bucket
    ]


def large_messages_config(replicas: int = 1) -> ObjectStoreConfig:
    """The object store for bodies that no message holds."""
    return ObjectStoreConfig(
        bucket=subjects.LARGE_MESSAGES,
        ttl=LARGE_MESSAGES_TTL_S,
        max_bytes=LARGE_MESSAGES_BYTES,
        storage=StorageType.FILE,
        replicas=replicas,
    )


def firmware_config(replicas: int = 1) -> ObjectStoreConfig:
    """The object store for firmware images, which stay until somebody removes them."""
    return ObjectStoreConfig(bucket=subjects.FIRMWARE, storage=StorageType.FILE, replicas=replicas)


async def provision(js: JetStreamContext, replicas: int = 1) -> None:
    """Create streams and buckets, bring existing streams up to date, store a default observation profile if none is.

    Idempotent, and may run at the same time elsewhere. `replicas` is for what is created: limits, replicas and whatever
    else an operator set on an existing stream stay.
    """
    for stream in stream_configs(replicas):
        try:
            existing = await js.stream_info(str(stream.name))
        except NotFoundError:
            await js.add_stream(stream)
        else:
            await js.update_stream(_brought_up_to_date(existing.config, stream))
    for bucket in bucket_configs(replicas):
        try:
            await js.key_value(bucket.bucket)
        except BucketNotFoundError:
            await js.create_key_value(bucket)
    for name in IN_BATCHES:
        config = (await js.stream_info(f"KV_{name}")).config
        if not config.allow_atomic:
            await js.update_stream(config.evolve(allow_atomic=True))
    try:
        await js.object_store(subjects.LARGE_MESSAGES)
    except BucketNotFoundError:
        await js.create_object_store(subjects.LARGE_MESSAGES, large_messages_config(replicas))
    try:
        await js.object_store(subjects.FIRMWARE)
    except BucketNotFoundError:
        await js.create_object_store(subjects.FIRMWARE, firmware_config(replicas))
    keys = await js.key_value(Bucket.KEYS)
    try:
        await keys.get(subjects.FIRMWARE_LINKS_KEY)
    except KeyNotFoundError:
        with suppress(KeyWrongLastSequenceError):
            await keys.create(subjects.FIRMWARE_LINKS_KEY, secrets.token_bytes(FIRMWARE_LINKS_KEY_BYTES))
    profiles = await js.key_value(Bucket.OBSERVATION_PROFILES)
    try:
        await profiles.get(DEFAULT_KEY)
    except KeyNotFoundError:
        # Another one may have stored it between the two calls.
        with suppress(KeyWrongLastSequenceError):
            await profiles.create(DEFAULT_KEY, DEFAULT_PROFILE.model_dump_json().encode())


def _brought_up_to_date(existing: StreamConfig, ours: StreamConfig) -> StreamConfig:
    """The existing stream with those settings that our promises rest on."""
    return existing.evolve(
        subjects=ours.subjects,
        discard=ours.discard,
        duplicate_window=ours.duplicate_window,
        allow_direct=ours.allow_direct,
    )
