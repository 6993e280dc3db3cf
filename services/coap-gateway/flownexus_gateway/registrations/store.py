"""Registrations in their KV bucket, which every gateway reads and writes.

An entry is written only over the one that its writer knows (compare and set): of two gateways that write at the same
moment one learns that it was overtaken, reads what the other wrote, and decides anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog
from nats.errors import Error as NatsError
from nats.js import JetStreamContext, api
from nats.js.errors import APIError, NotFoundError
from nats.js.errors import Error as JetStreamError
from nats.js.kv import KV_DEL, KV_OP, KV_PURGE
from pydantic import ValidationError

from flownexus_gateway.registrations.live import LiveRegistration
from flownexus_gateway.registrations.table import RegistrationTable
from flownexus_gateway.transport.sockets import Sockets
from flownexus_schemas import subjects
from flownexus_schemas.errors import InvalidName, Unavailable
from flownexus_schemas.registrations import StoredRegistration
from flownexus_schemas.subjects import Bucket

log = structlog.get_logger(__name__)

OnLost = Callable[[LiveRegistration], None]
"""Told that a registration is held elsewhere from now on, or no longer anywhere."""

_STREAM = f"KV_{Bucket.REGISTRATIONS}"
_WRONG_LAST_SEQUENCE = frozenset({10071, 10164})
"""JSStreamWrongLastSequenceErrF and JSStreamWrongLastSequenceConstantErr of nats-server."""


CATCH_UP_S = 2.0
"""The watch is milliseconds behind, more only after a reconnection."""


class Overtaken(Exception):
    """The entry is another one than the writer knows."""


class RegistrationStore:
    """Writes entries, and applies those of other gateways to the table."""

    def __init__(self, js: JetStreamContext, table: RegistrationTable, sockets: Sockets, gateway_id: str) -> None:
        self._js, self._table, self._sockets, self._gateway_id = js, table, sockets, gateway_id
        self._under_way: dict[str, bytes] = {}
        self._own_loaded = False
        self._applied, self._progress = 0, asyncio.Event()
        self._catching_up = asyncio.Lock()
        self._caught_up_at = 0.0
        self.on_lost: OnLost = _nothing

    def loaded(self) -> None:
        """From now on our own entries in the bucket are echoes of what we wrote."""
        self._own_loaded = True

    async def put(self, stored: StoredRegistration, last: int) -> int:
        """Write an entry over the one of revision `last`, 0 where there is none; its own revision.

        Raises Overtaken, Unavailable.
        """
        key, value = subjects.endpoint_key(stored.endpoint), stored.model_dump_json().encode()
        # The watch may bring it back before the PubAck does.
        self._under_way[key] = value
        try:
            return await self._publish(key, value, {}, last)
        finally:
            del self._under_way[key]

    async def delete(self, endpoint: str, last: int) -> int:
        """Put a mark in place of the entry of revision `last`; its revision. Raises Overtaken, Unavailable."""
        return await self._publish(subjects.endpoint_key(endpoint), b"", {KV_OP: KV_DEL}, last)

    async def refresh(self, endpoint: str) -> StoredRegistration | None:
        """Read what is stored now, and apply it as the watch will. Raises Unavailable."""
        stored, revision = await self.read(endpoint)
        live = self._table.of_endpoint(endpoint)
        if stored is None and live is not None and revision < live.revision:
            # The bucket was lost and made anew: it is filled from what is in memory.
            live.revision = revision
        else:
            self._take(endpoint, stored, revision)
        return stored

    async def catch_up(self) -> None:
        """Wait until the table has all that other gateways have stored by now. Raises Unavailable."""
        asked_at = asyncio.get_running_loop().time()
        async with self._catching_up:
            if self._caught_up_at >= asked_at:
                return
            begun_at = asyncio.get_running_loop().time()
            try:
                async with asyncio.timeout(CATCH_UP_S):
                    last = (await self._js.stream_info(_STREAM)).state.last_seq
                    while self._applied < last:
                        self._progress.clear()
                        await self._progress.wait()
            except (NatsError, JetStreamError, TimeoutError) as error:
                raise Unavailable(f"what other gateways stored is not known: {error!r}") from error
            self._caught_up_at = begun_at

    async def read(self, endpoint: str) -> tuple[StoredRegistration | None, int]:
        """What is stored now, with its revision: that of the mark where it was deleted, 0 where nothing ever was.

        Raises Unavailable.
        """
        subject = _subject(subjects.endpoint_key(endpoint))
        try:
            # From the leader of the stream: another server may not have it yet.
            message = await self._js.get_last_msg(_STREAM, subject, direct=False)
        except NotFoundError:
            return None, 0
        except (NatsError, JetStreamError, TimeoutError) as error:
            raise Unavailable(f"the registration was not read: {error!r}") from error
        if (message.headers or {}).get(KV_OP) in {KV_DEL, KV_PURGE}:
            return None, message.seq or 0
        try:
            return StoredRegistration.model_validate_json(message.data or b""), message.seq or 0
        except ValidationError as error:
            log.error("registration.unreadable", key=subject, revision=message.seq, error=str(error))
            return None, message.seq or 0

    def apply(self, key: str, value: bytes | None, revision: int) -> None:
        """Take over an entry: any at the start, later those of other gateways."""
        self._applied = max(self._applied, revision)
        self._progress.set()
        if value is not None and self._under_way.get(key) == value:
            return
        try:
            endpoint = subjects.endpoint_of_key(key)
            stored = StoredRegistration.model_validate_json(value) if value is not None else None
        except (InvalidName, ValidationError) as error:
            log.error("registration.unreadable", key=key, revision=revision, error=str(error))
            return
        self._take(endpoint, stored, revision)

    def _take(self, endpoint: str, stored: StoredRegistration | None, revision: int) -> None:
        live = self._table.of_endpoint(endpoint)
        if live is not None and revision <= live.revision:
            return
        if stored is None:
            if live is not None:
                self._table.remove(live)
                self.on_lost(live)
            self._table.ended(endpoint, revision)
        elif live is None or live.id != stored.registration.registration_id:
            self._add(stored, revision)
            if live is not None:
                self.on_lost(live)
        elif live.is_claimed and not live.peer.is_elsewhere:
            live.claim(stored, revision)
            self._table.set_tokens(live)
        elif self._own_loaded and stored.registration.gateway == live.registration.gateway == self._gateway_id:
            # What we wrote and got no answer to; what is in memory is newer.
            live.revision = revision
        else:
            self._follow(live, stored, revision)

    def _add(self, stored: StoredRegistration, revision: int) -> None:
        live = LiveRegistration(stored, self._sockets.peer_of(stored), revision)
        live.seen_after_answer = stored.is_observed
        self._table.put(live)

    def _follow(self, live: LiveRegistration, stored: StoredRegistration, revision: int) -> None:
        was_here, former = live.registration.gateway == self._gateway_id, live.peer.registration_key
        live.follow(stored, self._sockets.peer_of(stored), revision)
        self._table.moved(live, former)
        self._table.set_tokens(live)
        if was_here and stored.registration.gateway != self._gateway_id:
            log.info("registration.left", endpoint=live.endpoint, gateway=stored.registration.gateway)
            self.on_lost(live)

    async def _publish(self, key: str, value: bytes, headers: dict[str, str], last: int) -> int:
        expected = {api.Header.EXPECTED_LAST_SUBJECT_SEQUENCE.value: str(last)}
        try:
            return (await self._js.publish(_subject(key), value, headers={**headers, **expected})).seq
        except APIError as error:
            if error.err_code in _WRONG_LAST_SEQUENCE:
                raise Overtaken from error
            raise Unavailable(f"the registration was not stored: {error!r}") from error
        except (NatsError, JetStreamError, TimeoutError) as error:
            raise Unavailable(f"the registration was not stored: {error!r}") from error


def _subject(key: str) -> str:
    return f"$KV.{Bucket.REGISTRATIONS}.{key}"


def _nothing(_: LiveRegistration) -> None:
    return None
