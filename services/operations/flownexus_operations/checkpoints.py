"""Where a start begins: which messages of the stream say what is open, up to a position. What has ended is not read.

It is an extract of the stream, kept by whichever replica read far enough since the last one, and never needed: without
one that fits, the last message of each subject is read.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterable
from datetime import datetime
from typing import Literal

import structlog
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg
from nats.js.errors import Error as JetStreamError
from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError, NotFoundError
from nats.js.kv import KeyValue
from pydantic import AwareDatetime, Field, ValidationError

from flownexus_operations import metrics
from flownexus_schemas import subjects
from flownexus_schemas.cloudevent import Frozen
from flownexus_schemas.errors import Unavailable
from flownexus_schemas.subjects import Bucket, Stream

log = structlog.get_logger(__name__)

EVERY = 5000
"""Messages of the stream between two checkpoints, and so about the most that a start reads beside what is open."""

MAX_BYTES = 900_000
"""Of a checkpoint, as NATS takes 1 MiB: some 500,000 operations that are open at a time."""

_AWAY = (NatsError, JetStreamError, OSError, TimeoutError)


class Checkpoint(Frozen):
    """`gaps` between the sequences of the messages that say what was open at `position`, the first one counted from 0.

    Some may be of later messages, and some of what has ended since: those after `position` are read in any case.
    """

    version: Literal[1] = 1
    stream_created: AwareDatetime
    position: int = Field(ge=1, description="Sequence up to which everything counts.")
    position_time: AwareDatetime = Field(description="Of the message there: another one is of another stream.")
    gaps: tuple[int, ...]

    @property
    def sequences(self) -> list[int]:
        """In their order."""
        return list(itertools.accumulate(self.gaps))


def checkpoint(
    sequences: Iterable[int], position: int, position_time: datetime, stream_created: datetime
) -> Checkpoint:
    """One of these sequences, in any order."""
    ordered = sorted(set(sequences))
    gaps = (after - before for before, after in itertools.pairwise([0, *ordered]))
    return Checkpoint(stream_created=stream_created, position=position, position_time=position_time, gaps=tuple(gaps))


def encode(one: Checkpoint) -> bytes:
    """As it is kept."""
    return zlib.compress(one.model_dump_json().encode())


def decode(payload: bytes) -> Checkpoint | None:
    """The inverse; None where it cannot be read."""
    try:
        return Checkpoint.model_validate_json(zlib.decompress(payload))
    except (zlib.error, ValidationError):
        return None


class Checkpoints:
    """The one of LWM2M_OPERATIONS, shared by all replicas."""

    def __init__(self, js: JetStreamContext) -> None:
        self._js = js

    async def fitting(self, stream_created: datetime | None) -> Checkpoint | None:
        """The one that was kept, where it is of the stream as it is now. Raises Unavailable."""
        try:
            entry = await self._entry(await self._js.key_value(Bucket.CHECKPOINTS))
            found = None if entry is None else decode(entry.value or b"")
            if found is None or found.stream_created != stream_created:
                return None
            message = await self._message(found.position)
        except _AWAY as error:
            raise Unavailable(f"the checkpoint is not known: {error!r}") from error
        return found if message is not None and message.time == found.position_time else None

    async def keep(self, sequences: Iterable[int], position: int, stream_created: datetime) -> int:
        """Keep one of these sequences at `position`, unless another replica has one about as far; the position of the
        one that is kept then. Raises Unavailable.
        """
        try:
            bucket = await self._js.key_value(Bucket.CHECKPOINTS)
            entry = await self._entry(bucket)
            known = None if entry is None else decode(entry.value or b"")
            if known is not None and known.stream_created == stream_created and known.position > position - EVERY // 2:
                return known.position
            message = await self._message(position)
            if message is None or message.time is None:
                return position  # it was removed: another time
            payload = encode(checkpoint(sequences, position, message.time, stream_created))
            if len(payload) > MAX_BYTES:
                log.warning("checkpoint.too_large", bytes=len(payload), most=MAX_BYTES)
                return position
            if entry is None:
                await bucket.create(subjects.OPERATIONS_CHECKPOINT_KEY, payload)
            else:
                await bucket.update(subjects.OPERATIONS_CHECKPOINT_KEY, payload, entry.revision)
        except KeyWrongLastSequenceError:
            return position  # another replica kept its own meanwhile, which will do
        except _AWAY as error:
            raise Unavailable(f"the checkpoint is not kept: {error!r}") from error
        metrics.CHECKPOINT.set(position)
        log.debug("checkpoint.kept", position=position, bytes=len(payload))
        return position

    async def message(self, sequence: int) -> RawStreamMsg | None:
        """A message that a checkpoint names; None where it was removed. Raises Unavailable."""
        try:
            return await self._message(sequence)
        except _AWAY as error:
            raise Unavailable(f"the stream cannot be read: {error!r}") from error

    async def _message(self, sequence: int) -> RawStreamMsg | None:
        # Not `direct`: a follower that lags would not have it, and what is open would be missed.
        try:
            return await self._js.get_msg(Stream.OPERATIONS, sequence)
        except NotFoundError:
            return None

    @staticmethod
    async def _entry(bucket: KeyValue) -> KeyValue.Entry | None:
        try:
            return await bucket.get(subjects.OPERATIONS_CHECKPOINT_KEY)
        except KeyNotFoundError:
            return None
