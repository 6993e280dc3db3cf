"""Sessions in their KV bucket, sealed: a device goes on after a restart of its gateway, or at another gateway.

A number of a record is the nonce of its protection and must never be used twice. So numbers are reserved ahead: the
entry says up to where its holder may go, and is written over the one before by compare and set. Whoever takes a session
over begins where the entry ends, and has a new end kept before the first record; what was reserved is left out.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from nats.errors import Error as NatsError
from nats.js import JetStreamContext, api
from nats.js.errors import APIError, NotFoundError
from nats.js.errors import Error as JetStreamError
from nats.js.kv import KV_DEL, KV_OP
from pydantic import ValidationError

from flownexus_gateway import metrics
from flownexus_gateway.transport.dtls.association import Association
from flownexus_gateway.transport.dtls.associations import Associations
from flownexus_gateway.transport.dtls.stored_session import SessionSecrets, StoredSession, secrets_of, session_of
from flownexus_gateway.transport.peer import Peer
from flownexus_runtime.sealing import NotOpened, Sealer
from flownexus_schemas.errors import Unavailable
from flownexus_schemas.subjects import Bucket

log = structlog.get_logger(__name__)

PURPOSE = "dtls sessions"
RESERVED = 256
"""Numbers that a session has ahead; more are asked for when half of them are used."""

INTERVAL_S = 2.0
"""What came from a device is kept within this time, so that after a crash little of it could be brought again."""

RETRY_S = 0.5
AT_ONCE = 64

MAX_LOOKUPS = 64
"""Connection ids that nobody here knows and that are looked up at a time; above it there is silence."""

_STREAM = f"KV_{Bucket.DTLS_SESSIONS}"
_WRONG_LAST_SEQUENCE = frozenset({10071, 10164})

PeerAt = Callable[[str, int], Peer]
"""Makes the path to a stored address."""


class _Overtaken(Exception):
    """Another gateway has the session."""


class SessionStore:
    """Of one gateway. `load` once at the start, `run` while it serves, `flush` at the end."""

    def __init__(
        self, js: JetStreamContext, sealer: Sealer, associations: Associations, peer_at: PeerAt, gateway_id: str
    ) -> None:
        self._js, self._sealer, self._associations = js, sealer, associations
        self._peer_at, self._gateway_id = peer_at, gateway_id
        self._changed: dict[str, Association] = {}
        self._saving: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._looked_up: set[bytes] = set()

    def begin(self, association: Association) -> None:
        """A new association: nothing of it is stored, so its first numbers are its own whatever happens."""
        cid = association.session.keys.read_cid
        association.id = (cid or secrets.token_bytes(8)).hex()
        association.session.write_limit = association.session.next_write + RESERVED
        self.soon(association)

    def changed(self, association: Association) -> None:
        """Something came from it: that is kept soon."""
        self._changed[association.id] = association

    def soon(self, association: Association) -> None:
        """Keep it now, with more numbers."""
        if association.id not in self._saving:
            self._saving.add(association.id)
            self._start(self._save(association))

    def ended(self, association: Association) -> None:
        """It must not come back."""
        self._changed.pop(association.id, None)
        if association.id not in self._saving:
            self._start(self._delete(association))

    async def load(self) -> int:
        """Take up the sessions that this gateway held when it stopped; how many. Waits for NATS as long as it takes."""
        while True:
            try:
                return await self._load()
            except (NatsError, JetStreamError, TimeoutError) as error:
                log.warning("dtls.sessions_not_readable", error=repr(error))
            await asyncio.sleep(RETRY_S)

    async def _load(self) -> int:
        bucket = await self._js.key_value(Bucket.DTLS_SESSIONS)
        watcher: Any = await bucket.watchall(ignore_deletes=True)
        found = 0
        try:
            async for entry in watcher:
                if entry is None:
                    break
                stored = _read(entry.key, entry.value or b"")
                if stored is not None and stored.gateway == self._gateway_id:
                    found += self._take_up(entry.key, stored, entry.revision or 0) is not None
        finally:
            await watcher.stop()
        return found

    def look_up(self, cid: bytes, receive: Callable[[], None]) -> None:
        """A record came with a connection id that nobody here knows: `receive` it again, once it is found."""
        if len(self._looked_up) < MAX_LOOKUPS and cid not in self._looked_up:
            self._looked_up.add(cid)
            self._start(self._find(cid, receive))

    async def run(self) -> None:
        """Keep what changed, for ever."""
        while True:
            await asyncio.sleep(INTERVAL_S)
            await self.flush()

    async def flush(self) -> None:
        """Keep all that changed, now."""
        changed, self._changed = self._changed, {}
        idle = [association for association in changed.values() if association.id not in self._saving]
        self._saving.update(association.id for association in idle)
        for begin in range(0, len(idle), AT_ONCE):
            await asyncio.gather(*map(self._save, idle[begin : begin + AT_ONCE]))

    async def stop(self) -> None:
        """Keep what is left, and do no more."""
        await self.flush()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1.0)

    async def _save(self, association: Association) -> None:
        session = association.session
        limit = max(session.write_limit, session.next_write + RESERVED)
        try:
            sealed = self._sealer.seal(
                secrets_of(association, limit).model_dump_json().encode(), association.id.encode()
            )
            value = StoredSession(gateway=self._gateway_id, sealed=sealed).model_dump_json().encode()
            association.revision = await self._publish(association.id, value, {}, association.revision)
        except _Overtaken:
            await self._after_overtaken(association)
        except Unavailable as error:
            log.warning("dtls.session_not_kept", endpoint=association.endpoint, reason=str(error))
            self._changed[association.id] = association
        else:
            session.write_limit = limit
            association.send_waiting()
        finally:
            self._saving.discard(association.id)
        if association.ended:
            await self._delete(association)

    async def _after_overtaken(self, association: Association) -> None:
        """Another gateway took the session over; or it was us, and the answer to that was lost."""
        try:
            stored, revision = await self._stored(association.id)
        except Unavailable:
            self._changed[association.id] = association
            return
        if stored is None or stored.gateway != self._gateway_id:
            self._associations.end(association, "another gateway has it", is_gone=False)
            return
        opened = self._open(association.id, stored)
        if opened is None:
            return
        association.revision, session = revision, association.session
        # Whatever was written with numbers below this, none of it is written again.
        session.next_write = session.write_limit = max(session.next_write, opened.write_limit)
        self._changed[association.id] = association

    async def _delete(self, association: Association) -> None:
        try:
            await self._publish(association.id, b"", {KV_OP: KV_DEL}, association.revision)
        except _Overtaken:
            return
        except Unavailable as error:
            # It ends with the bucket's own time, and before that where its credential counts no more.
            log.warning("dtls.session_not_forgotten", endpoint=association.endpoint, reason=str(error))

    async def _stored(self, key: str) -> tuple[StoredSession | None, int]:
        """The entry, with its revision. Raises Unavailable."""
        try:
            message = await self._js.get_last_msg(_STREAM, _subject(key), direct=False)
        except NotFoundError:
            return None, 0
        except (NatsError, JetStreamError, TimeoutError) as error:
            raise Unavailable(repr(error)) from error
        is_mark = (message.headers or {}).get(KV_OP) is not None
        return None if is_mark else _read(key, message.data or b""), message.seq or 0

    async def _find(self, cid: bytes, receive: Callable[[], None]) -> None:
        try:
            stored, revision = await self._stored(cid.hex())
            if stored is None:
                metrics.DISCARDED_RECORDS.labels("unknown").inc()
            elif self._take_up(cid.hex(), stored, revision) is not None:
                receive()
        except Unavailable as error:
            log.debug("dtls.session_not_read", reason=str(error))
        finally:
            self._looked_up.discard(cid)

    def _take_up(self, key: str, stored: StoredSession, revision: int) -> Association | None:
        """An association of what is stored, unless it counts no more."""
        opened = self._open(key, stored)
        if opened is None:
            return None
        session, identity = session_of(opened)
        association = Association(session, identity, self._peer_at(opened.host, opened.port), opened.heard_at)
        return self._associations.restore(association, key, revision, time.time())

    def _open(self, key: str, stored: StoredSession) -> SessionSecrets | None:
        try:
            return SessionSecrets.model_validate_json(self._sealer.open(stored.sealed, key.encode()))
        except (NotOpened, ValidationError) as error:
            log.error("dtls.session_unreadable", key=key, reason=str(error))
            return None

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _publish(self, key: str, value: bytes, headers: dict[str, str], last: int) -> int:
        expected = {api.Header.EXPECTED_LAST_SUBJECT_SEQUENCE.value: str(last)}
        try:
            return (await self._js.publish(_subject(key), value, headers={**headers, **expected})).seq
        except APIError as error:
            if error.err_code in _WRONG_LAST_SEQUENCE:
                raise _Overtaken from error
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
