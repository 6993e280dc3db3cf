"""Firmware images in the object store of NATS: put whole, read in any part.

A chunk of an image is a message of the object store's stream. Which they are is asked for once an image; a chunk that
thousands of devices read is fetched once, and as many are kept as MAX_CACHED_BYTES holds.
"""

from __future__ import annotations

import asyncio
import io
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, cast

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import APIError, ObjectDeletedError, ObjectNotFoundError

from flownexus_schemas.errors import NotFound, Unavailable
from flownexus_schemas.subjects import FIRMWARE

STREAM = f"OBJ_{FIRMWARE}"
MAX_CACHED_BYTES = 16 << 20
MAX_KNOWN_IMAGES = 1000
_BATCH = 256
_SIZE = "Nats-Msg-Size"
_AWAY = (NatsError, APIError, TimeoutError)


@dataclass(frozen=True, slots=True)
class _Chunks:
    """Where an image is: the offset and the stream sequence of each chunk."""

    nuid: str
    size: int
    offsets: tuple[int, ...]
    sequences: tuple[int, ...]


class FirmwareImages:
    """Of one process. `jetstream` gives the context, or raises Unavailable."""

    def __init__(self, jetstream: Callable[[], JetStreamContext]) -> None:
        self._jetstream = jetstream
        self._known: OrderedDict[str, _Chunks] = OrderedDict()
        self._chunks: OrderedDict[int, bytes] = OrderedDict()
        self._cached = 0
        self._fetching: dict[int, asyncio.Future[bytes]] = {}

    async def put(self, image: str, content: IO[bytes]) -> None:
        """Store an image under a new id, from where the file stands. Raises Unavailable, with nothing stored."""
        try:
            store = await self._jetstream().object_store(FIRMWARE)
            await store.put(image, cast("io.BufferedIOBase", content))
        except _AWAY as error:
            raise Unavailable("the image could not be kept in NATS; try again shortly") from error

    async def delete(self, image: str) -> None:
        """Take an image away; nothing where it is not there. Raises Unavailable."""
        self._known.pop(image, None)
        try:
            store = await self._jetstream().object_store(FIRMWARE)
            await store.delete(image)
        except (ObjectNotFoundError, ObjectDeletedError):
            return
        except _AWAY as error:
            raise Unavailable("the image could not be removed from NATS; try again shortly") from error

    async def size(self, image: str) -> int:
        """Bytes of an image. Raises NotFound, Unavailable."""
        return (await self._where(image)).size

    async def read(self, image: str, offset: int, length: int) -> bytes:
        """Bytes of an image, fewer than `length` at its end. Raises NotFound, Unavailable."""
        where = await self._where(image)
        end = min(offset + length, where.size)
        parts: list[bytes] = []
        number = bisect_right(where.offsets, offset) - 1
        while offset < end:
            chunk = await self._chunk(where.sequences[number])
            start = offset - where.offsets[number]
            part = chunk[start : start + end - offset]
            if not part:
                raise Unavailable("the image is shorter in NATS than it was")
            parts.append(part)
            offset += len(part)
            number += 1
        return b"".join(parts)

    async def _where(self, image: str) -> _Chunks:
        known = self._known.get(image)
        if known is not None:
            self._known.move_to_end(image)
            return known
        js = self._jetstream()
        try:
            info = await (await js.object_store(FIRMWARE)).get_info(image)
            found = await _find_chunks(js, info.nuid or "", info.size or 0)
        except (ObjectNotFoundError, ObjectDeletedError) as error:
            raise NotFound(f"There is no firmware {image!r}.") from error
        except _AWAY as error:
            raise Unavailable("the image could not be read from NATS; try again shortly") from error
        self._known[image] = found
        if len(self._known) > MAX_KNOWN_IMAGES:
            self._known.popitem(last=False)
        return found

    async def _chunk(self, sequence: int) -> bytes:
        if (kept := self._chunks.get(sequence)) is not None:
            self._chunks.move_to_end(sequence)
            return kept
        fetching = self._fetching.get(sequence)
        if fetching is None:
            fetching = self._fetching[sequence] = asyncio.ensure_future(self._fetch(sequence))
            fetching.add_done_callback(lambda _: self._fetching.pop(sequence, None))
        # Who gives up waiting takes it from nobody else.
        return await asyncio.shield(fetching)

    async def _fetch(self, sequence: int) -> bytes:
        try:
            message = await self._jetstream().get_msg(STREAM, sequence)
        except _AWAY as error:
            raise Unavailable("a part of the image could not be read from NATS; try again shortly") from error
        data = message.data or b""
        self._chunks[sequence] = data
        self._cached += len(data)
        while self._cached > MAX_CACHED_BYTES and len(self._chunks) > 1:
            self._cached -= len(self._chunks.popitem(last=False)[1])
        return data


async def _find_chunks(js: JetStreamContext, nuid: str, size: int) -> _Chunks:
    """Raises what NATS raises, and Unavailable where they are not as long as the image together."""
    config = ConsumerConfig(
        filter_subject=f"$O.{FIRMWARE}.C.{nuid}",
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.NONE,
        headers_only=True,
        mem_storage=True,
        num_replicas=1,
        inactive_threshold=30,
    )
    offsets: list[int] = []
    sequences: list[int] = []
    total = 0
    consumer = await js.add_consumer(STREAM, config)
    subscription = await js.pull_subscribe_bind(consumer=consumer.name, stream=STREAM)
    try:
        left = consumer.num_pending or 0
        while left > 0:
            for message in await subscription.fetch(min(left, _BATCH), timeout=5):
                offsets.append(total)
                sequences.append(message.metadata.sequence.stream)
                total += int((message.headers or {}).get(_SIZE, 0))
                left -= 1
    finally:
        await subscription.unsubscribe()
        await js.delete_consumer(STREAM, consumer.name)
    if total != size:
        raise Unavailable(f"NATS has {total} bytes of an image of {size}")
    return _Chunks(nuid, size, tuple(offsets), tuple(sequences))
