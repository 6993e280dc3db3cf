"""Sessions in their KV bucket, sealed: a device goes on after a restart of its gateway, or at another gateway.

A number of a record is the nonce of its protection and must never be used twice. So numbers are reserved ahead: the
entry says up to where its holder may go, and is written over the one before by compare and set. Whoever takes a session
over begins where the entry ends, and has a new end kept before the first record; what was reserved is left out.

Nor is a record of the device taken twice: the former holder lets go first, and keeps what came to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import Error as JetStreamError
from pydantic import ValidationError

from flownexus_gateway import metrics
from flownexus_gateway.transport.dtls.association import MAX_WAITING, Association
from flownexus_gateway.transport.dtls.associations import Associations
from flownexus_gateway.transport.dtls.records import Record
from flownexus_gateway.transport.dtls.session_bucket import Overtaken, SessionBucket
from flownexus_gateway.transport.dtls.session_handover import LetGo, SessionHandover
from flownexus_gateway.transport.dtls.stored_session import SessionSecrets, StoredSession, secrets_of, session_of
from flownexus_gateway.transport.peer import Peer
from flownexus_runtime.sealing import NotOpened, Sealer
from flownexus_schemas.errors import Unavailable

log = structlog.get_logger(__name__)

PURPOSE = "dtls sessions"
RESERVED = 256
"""Numbers that a session has ahead; more are asked for when half of them are used."""

INTERVAL_S = 2.0
"""What came from a device is kept within this time, so that after a crash little of it could be brought again."""

RETRY_S = 0.5
AT_ONCE = 64

ATTEMPTS = 3
"""To take over a session that several gateways want, as when datagrams of a device come to all of them."""

MAX_LOOKUPS = 64
"""Connection ids that nobody here knows and that are looked up at a time; above it there is silence."""

PeerAt = Callable[[str, int], Peer]
"""Makes the path to a stored address."""


class SessionStore:
    """Of one gateway. `load` once at the start, `run` while it serves, `flush` at the end."""

    def __init__(
        self,
        js: JetStreamContext,
        sealer: Sealer,
        associations: Associations,
        peer_at: PeerAt,
        handover: SessionHandover,
    ) -> None:
        self._bucket, self._sealer, self._associations = SessionBucket(js), sealer, associations
        self._peer_at, self._handover, self._gateway_id = peer_at, handover, handover.gateway_id
        handover.let_go = self.let_go
        self._changed: dict[str, Association] = {}
        self._saving: dict[str, asyncio.Event] = {}
        self._gone: set[str] = set()
        self._taken_before_loaded: set[str] | None = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._looked_up: dict[bytes, list[Callable[[], None]]] = {}

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
            self._saving[association.id] = asyncio.Event()
            self._start(self._save(association))

    def ended(self, association: Association) -> None:
        """It must not come back."""
        self._changed.pop(association.id, None)
        if association.id in self._saving:
            self._gone.add(association.id)
        else:
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
        found = 0
        async for key, stored, revision in self._bucket.all():
            if stored.gateway != self._gateway_id or key in (self._taken_before_loaded or ()):
                continue
            association = self._association(key, stored, revision)
            if association is not None and self._associations.restore(association, time.time()) is not None:
                found += 1
        self._taken_before_loaded = None
        return found

    def look_up(self, record: Record, receive: Callable[[], None]) -> None:
        """A record came with a connection id that nobody here knows: `receive` it again, once it is found."""
        waiting = self._looked_up.get(record.cid)
        if waiting is not None:
            if len(waiting) < MAX_WAITING:
                waiting.append(receive)
        elif len(self._looked_up) < MAX_LOOKUPS:
            self._looked_up[record.cid] = [receive]
            self._start(self._find(record))

    async def let_go(self, key: str, sequence: int) -> LetGo:
        """Another gateway has a record of this session, with this number. What came here is kept before it may go on.
        Raises Unavailable.
        """
        association = self._associations.of_cid(bytes.fromhex(key))
        if association is None:
            if self._taken_before_loaded is not None:
                self._taken_before_loaded.add(key)
            return LetGo.NOT_HELD
        if not association.session.window.may_be_new(sequence):
            return LetGo.CAME_HERE
        association.is_leaving = True
        while (saving := self._saving.get(key)) is not None:
            await saving.wait()
        self._changed.pop(key, None)
        self._saving[key] = asyncio.Event()
        answer = LetGo.DONE
        try:
            await self._write(association)
        except Overtaken:
            answer = LetGo.NOT_HELD
        finally:
            association.is_leaving = False
            await self._saved(association)
            postponed, association.postponed = association.postponed, []
            for receive in postponed:
                asyncio.get_running_loop().call_soon(receive)
        self._associations.end(association, "another gateway has it", is_gone=False)
        return answer

    async def run(self) -> None:
        """Keep what changed, for ever."""
        while True:
            await asyncio.sleep(INTERVAL_S)
            await self.flush()

    async def flush(self) -> None:
        """Keep all that changed, now."""
        idle = [association for association in self._changed.values() if association.id not in self._saving]
        for association in idle:
            del self._changed[association.id]
        self._saving.update((association.id, asyncio.Event()) for association in idle)
        for begin in range(0, len(idle), AT_ONCE):
            await asyncio.gather(*map(self._save, idle[begin : begin + AT_ONCE]))

    async def stop(self) -> None:
        """Keep what is left, and do no more."""
        await self.flush()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1.0)

    async def _save(self, association: Association) -> None:
        try:
            await self._write(association)
        except Overtaken:
            await self._after_overtaken(association)
        except Unavailable as error:
            log.warning("dtls.session_not_kept", endpoint=association.endpoint, reason=str(error))
            self._changed[association.id] = association
        else:
            association.send_waiting()
        finally:
            await self._saved(association)

    async def _saved(self, association: Association) -> None:
        """It may be kept again; or it ended meanwhile."""
        self._saving.pop(association.id).set()
        if association.id in self._gone:
            self._gone.discard(association.id)
            await self._delete(association)

    async def _write(self, association: Association) -> None:
        """Keep it as it is, with more numbers, which may be used then. Raises Overtaken, Unavailable."""
        session = association.session
        limit = max(session.write_limit, session.next_write + RESERVED)
        sealed = self._sealer.seal(secrets_of(association, limit).model_dump_json().encode(), association.id.encode())
        entry = StoredSession(gateway=self._gateway_id, sealed=sealed)
        association.revision = await self._bucket.put(association.id, entry, association.revision)
        session.write_limit = limit

    async def _after_overtaken(self, association: Association) -> None:
        """Another gateway took the session over; or it was us, and the answer to that was lost."""
        try:
            stored, revision = await self._bucket.last(association.id)
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
            await self._bucket.delete(association.id, association.revision)
        except Overtaken:
            return
        except Unavailable as error:
            # It ends with the bucket's own time, and before that where its credential counts no more.
            log.warning("dtls.session_not_forgotten", endpoint=association.endpoint, reason=str(error))

    async def _find(self, record: Record) -> None:
        found: Association | str = "unavailable"
        try:
            found = await self._take_over(record)
        except Overtaken:
            found = "taken-elsewhere"
        except Unavailable as error:
            log.debug("dtls.session_not_read", reason=str(error))
        finally:
            waiting = self._looked_up.pop(record.cid)
        if not isinstance(found, Association):
            metrics.DISCARDED_RECORDS.labels(found).inc(len(waiting))
            return
        for receive in waiting:
            receive()

    async def _take_over(self, record: Record) -> Association | str:
        """The session of a record, held here from now on; or why the record is dropped. Raises Unavailable, and
        Overtaken where others are faster again and again.
        """
        for _ in range(ATTEMPTS - 1):
            with contextlib.suppress(Overtaken):
                return await self._try_to_take_over(record)
        return await self._try_to_take_over(record)

    async def _try_to_take_over(self, record: Record) -> Association | str:
        key = record.cid.hex()
        stored, revision = await self._bucket.last(key)
        association = self._association(key, stored, revision)
        if association is None or stored is None:
            return "unknown"
        if not association.session.is_new(record):
            return "not-authentic"
        if stored.gateway != self._gateway_id:
            answer = await self._handover.ask(stored.gateway, key, record.sequence)
            if answer is LetGo.CAME_HERE:
                return "not-authentic"
            if answer is LetGo.DONE:
                association = self._association(key, *await self._bucket.last(key))
                if association is None:
                    return "unknown"
        # Only one of several can write over the entry that all of them read, and that one takes the record.
        await self._write(association)
        return self._associations.restore(association, time.time()) or "unknown"

    def _association(self, key: str, stored: StoredSession | None, revision: int) -> Association | None:
        """An association of what is stored, which has no numbers to write with."""
        opened = None if stored is None else self._open(key, stored)
        if opened is None:
            return None
        session, identity = session_of(opened)
        association = Association(session, identity, self._peer_at(opened.host, opened.port), opened.heard_at)
        association.id, association.revision = key, revision
        return association

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
