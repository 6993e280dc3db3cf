"""The KV bucket of sessions: entries written over the one that their writer knows, and no other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import structlog
from nats.errors import Error as NatsError
from nats.js import JetStreamContext, api
from nats.js.errors import APIError, NotFoundError
from nats.js.errors import Error as JetStreamError
from nats.js.kv import KV_DEL, KV_OP
from pydantic import ValidationError

from flownexus_gateway.transport.dtls.stored_session import StoredSession
from flownexus_schemas.errors import Unavailable
from flownexus_schemas.subjects import Bucket

log = structlog.get_logger(__name__)

_STREAM = f"KV_{Bucket.DTLS_SESSIONS}"
_WRONG_LAST_SEQUENCE = frozenset({10071, 10164})


class Overtaken(Exception):
    """The entry is not the one that its writer knew."""


class SessionBucket:
    """Entries by the key of their session. Each method but `all` raises Unavailable."""

    def __init__(self, js: JetStreamContext) -> None:
        self._js = js

    async def all(self) -> AsyncIterator[tuple[str, StoredSession, int]]:
        """Each key with its entry and revision. Raises errors of NATS as they are."""
        bucket = await self._js.key_value(Bucket.DTLS_SESSIONS)
        watcher: Any = await bucket.watchall(ignore_deletes=True)
        try:
            async for entry in watcher:
                if entry is None:
                    break
                stored = _read(entry.key, entry.value or b"")
                if stored is not None:
                    yield entry.key, stored, entry.revision or 0
        finally:
            await watcher.stop()

    async def last(self, key: str) -> tuple[StoredSession | None, int]:
        """The entry, with its revision."""
        try:
            message = await self._js.get_last_msg(_STREAM, _subject(key), direct=False)
        except NotFoundError:
            return None, 0
        except (NatsError, JetStreamError, TimeoutError) as error:
            raise Unavailable(repr(error)) from error
        is_mark = (message.headers or {}).get(KV_OP) is not None
        return None if is_mark else _read(key, message.data or b""), message.seq or 0

    async def put(self, key: str, entry: StoredSession, revision: int) -> int:
        """Write it over that revision, 0 for none; the new one. Raises Overtaken."""
        return await self._publish(key, entry.model_dump_json().encode(), {}, revision)

    async def delete(self, key: str, revision: int) -> None:
        """Raises Overtaken."""
        await self._publish(key, b"", {KV_OP: KV_DEL}, revision)

    async def _publish(self, key: str, value: bytes, headers: dict[str, str], last: int) -> int:
        expected = {api.Header.EXPECTED_LAST_SUBJECT_SEQUENCE.value: str(last)}
        try:
            return (await self._js.publish(_subject(key), value, headers={**headers, **expected})).seq
        except APIError as error:
            if error.err_code in _WRONG_LAST_SEQUENCE:
                raise Overtaken from error
            raise Unavailable(repr(error)) from error
        except (NatsError, JetStreamError, TimeoutError) as error:
            raise Unavailable(repr(error)) from error


def _subject(key: str) -> str:
    return f"$KV.{Bucket.DTLS_SESSIONS}.{key}"


def _read(key: str, value: bytes) -> StoredSession | None:
    try:
        return StoredSession.model_validate_json(value)
    except ValidationError as error:
        log.error("dtls.session_unreadable", key=key, reason=str(error))
        return None
