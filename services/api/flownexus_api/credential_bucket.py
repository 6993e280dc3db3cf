"""The bucket of credentials: followed as a whole, and changed only on all that is in it.

Each change names the last message of the bucket that it rests on, and is one atomic batch (NATS 2.12, ADR-50): of two
at the same moment one is decided again, and none is in force in part.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from typing import Protocol

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import Header as NatsHeader
from nats.js.api import PubAck
from nats.js.errors import APIError, NotFoundError
from nats.js.kv import KV_DEL, KV_OP

from flownexus_api.credential_decisions import Change
from flownexus_runtime.live_credentials import LiveCredentials
from flownexus_schemas import subjects
from flownexus_schemas.errors import Unavailable
from flownexus_schemas.jetstream import WRONG_LAST_SEQUENCE

MAX_CHANGES = 1000
"""So many messages an atomic batch has at most. NATS ADR-50."""

MAX_RACES = 10
REACH_S = 5.0
"""What was written is heard within this; more, and the bus is in trouble."""

Decide = Callable[[LiveCredentials], Sequence[Change]]
"""What to change, on the credentials as they are. May raise a CallerError."""


class Publish(Protocol):
    """Puts a message on the bus without an acknowledgement. Raises Unavailable."""

    async def __call__(self, subject: str, payload: bytes, headers: dict[str, str]) -> None: ...


_STREAM = f"KV_{subjects.Bucket.CREDENTIALS}"
_AWAY = (NatsError, APIError, TimeoutError)


class CredentialBucket:
    """`live` is what the bucket has, as far as it was heard; `apply` is for who follows it."""

    def __init__(self) -> None:
        self.live = LiveCredentials(None)
        self._moved = asyncio.Event()

    def apply(self, key: str, value: bytes | None, revision: int) -> None:
        """Take over an entry."""
        self.live.apply(key, value, revision)
        self._moved.set()
        self._moved = asyncio.Event()

    async def change(self, js: JetStreamContext, publish: Publish, decide: Decide) -> None:
        """Have in the bucket what `decide` says, all of it or nothing. Raises what that raises, and Unavailable."""
        for _ in range(MAX_RACES):
            last = await self._caught_up(js)
            changes = decide(self.live)
            if not changes:
                return
            acknowledged = await self._batch(js, publish, changes, last)
            if acknowledged is None:
                continue
            # So that the caller, who asks us next, reads what it wrote.
            for number, change in enumerate(changes):
                self.apply(change.id, _value(change) or None, acknowledged.seq - len(changes) + 1 + number)
            return
        raise Unavailable("The credentials change too fast; try again shortly.")

    async def _caught_up(self, js: JetStreamContext) -> int:
        """Once all is known that the bucket has: its last sequence, whatever had it. Raises Unavailable."""
        try:
            last: int = (await js.stream_info(_STREAM)).state.last_seq
            try:
                newest = (await js.get_last_msg(_STREAM, f"$KV.{subjects.Bucket.CREDENTIALS}.>")).seq or 0
            except NotFoundError:
                newest = 0
        except _AWAY as error:
            raise Unavailable("The message bus does not give the credentials; try again shortly.") from error
        try:
            async with asyncio.timeout(REACH_S):
                while self.live.revision < newest:
                    await self._moved.wait()
        except TimeoutError as error:
            raise Unavailable("The credentials were not read from the message bus in time; try again.") from error
        return max(last, newest)

    @staticmethod
    async def _batch(js: JetStreamContext, publish: Publish, changes: Sequence[Change], last: int) -> PubAck | None:
        """One batch; None where the bucket has another last message. Raises Unavailable."""
        batch = secrets.token_hex(8)
        try:
            for number, change in enumerate(changes, 1):
                headers = {NatsHeader.BATCH_ID.value: batch, NatsHeader.BATCH_SEQUENCE.value: str(number)}
                if number == 1:
                    headers[NatsHeader.EXPECTED_LAST_SEQUENCE.value] = str(last)
                if change.credential is None:
                    headers[KV_OP] = KV_DEL
                subject = f"$KV.{subjects.Bucket.CREDENTIALS}.{change.id}"
                if number < len(changes):
                    await publish(subject, _value(change), headers)
                    continue
                headers[NatsHeader.BATCH_COMMIT.value] = "1"
                acknowledged = await js.publish(subject, _value(change), headers=headers)
        except APIError as error:
            if error.err_code == WRONG_LAST_SEQUENCE:
                return None
            raise Unavailable("The message bus does not take the credentials; try again shortly.") from error
        except _AWAY as error:
            raise Unavailable(
                "It is not known whether the message bus has the change; look at the list before trying again."
            ) from error
        if acknowledged.batch_size != len(changes):
            raise Unavailable("The message bus kept the change in part: NATS 2.12 or newer is needed.")
        return acknowledged


def _value(change: Change) -> bytes:
    return b"" if change.credential is None else change.credential.model_dump_json().encode()
