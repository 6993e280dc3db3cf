"""Pre-shared keys that devices are issued at their bootstraps, each for one account, kept as all credentials are.

A device that asks again before it registered with its key is given that one again: it may have lost it, or its answer.
Once it has registered with it, it gets another one at its next bootstrap. The key before stays good until then.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import NamedTuple

import structlog
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import Error as JetStreamError
from nats.js.errors import KeyWrongLastSequenceError
from nats.js.kv import KeyValue

from flownexus_gateway.registrations.live import LiveRegistration
from flownexus_gateway.registrations.registrar import OnRegistered
from flownexus_runtime.live_credentials import LiveCredentials
from flownexus_runtime.sealing import NotOpened, Sealer
from flownexus_schemas.credentials import CredentialState, PskCredential, key_binding, stored_credential
from flownexus_schemas.errors import Unavailable
from flownexus_schemas.subjects import Bucket

log = structlog.get_logger(__name__)

KEY_BYTES = 16
"""Zephyr keeps no more unless it is built for certificates."""

ID_BYTES = 8
"""Random bytes of an id, which is the identity too: it is sent in the clear, and tells nobody the endpoint's name."""

PSK = "psk:"
"""Before a PSK identity, where it is shown beside names of certificates."""

ATTEMPTS = 5

IdentityOf = Callable[[str], str | None]
"""What a registered endpoint authenticated with."""


class Issued(NamedTuple):
    """A credential, and its key in the clear."""

    credential: PskCredential
    key: bytes


class IssuedKeys:
    """Of all gateways: what one issued, the others know from the bucket."""

    def __init__(
        self, js: JetStreamContext, sealer: Sealer | None, credentials: LiveCredentials, registered_by: IdentityOf
    ) -> None:
        self._js, self._sealer, self._credentials, self._registered_by = js, sealer, credentials, registered_by
        self._tasks: set[asyncio.Task[None]] = set()

    async def issue(self, endpoint: str, short_server_id: int, shown: str | None, now: float) -> Issued:
        """The key for an account of an endpoint. `shown`: what the device authenticated with at the bootstrap server,
        which stays good. Raises NotOpened, Unavailable.
        """
        if self._sealer is None:
            raise NotOpened("FLOWNEXUS_CREDENTIALS_KEY is not set")
        former = self._issued_to(endpoint, short_server_id, now)
        if former and former[0].used_at is None and self._registered_by(endpoint) != PSK + former[0].identity:
            issued = Issued(former[0], self._credentials.key(former[0]))
        else:
            issued = await self._new(endpoint, short_server_id, now)
        id_ = issued.credential.id
        for one in self._followed(endpoint, former, shown, now):
            if id_ not in {one.id, one.until_used}:
                await self._change(one.id, {"until_used": id_})
        return issued

    async def _new(self, endpoint: str, short_server_id: int, now: float) -> Issued:
        assert self._sealer is not None
        id_, key = f"bs-{secrets.token_hex(ID_BYTES)}", secrets.token_bytes(KEY_BYTES)
        credential = PskCredential(
            id=id_,
            endpoint=endpoint,
            created_at=now,
            identity=id_,
            sealed_key=self._sealer.seal(key, key_binding(id_, endpoint, id_)),
            issued_for=short_server_id,
        )
        await self._create(credential)
        log.info("bootstrap.key_issued", endpoint=endpoint, credential=id_)
        return Issued(credential, key)

    def noting(self, begin: OnRegistered) -> OnRegistered:
        """`begin`, and a note at the key where an endpoint registered with one that was issued."""

        def registered(live: LiveRegistration) -> None:
            begin(live)
            identity = live.registration.identity or ""
            for one in self._credentials.of_identity(identity.removeprefix(PSK)):
                if one.endpoint == live.endpoint and one.issued_for is not None and one.used_at is None:
                    task = asyncio.create_task(self._note(one, time.time()))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)

        return registered

    async def stop(self) -> None:
        """What is not noted yet is at the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _note(self, credential: PskCredential, now: float) -> None:
        try:
            await self._change(credential.id, {"used_at": now})
        except Unavailable as error:
            # At the next bootstrap the device is given the same key once more.
            log.warning("bootstrap.use_not_noted", credential=credential.id, reason=str(error))

    def _issued_to(self, endpoint: str, short_server_id: int, now: float) -> list[PskCredential]:
        """Those that count for an account, the newest first."""
        found = [
            one
            for one in self._credentials.of_endpoint(endpoint)
            if isinstance(one, PskCredential)
            and one.issued_for == short_server_id
            and one.state(now) is CredentialState.ACTIVE
        ]
        return sorted(found, key=lambda one: -one.created_at)

    def _followed(
        self, endpoint: str, former: list[PskCredential], shown: str | None, now: float
    ) -> list[PskCredential]:
        """The keys that a new one follows: those issued before, and the one that the device is registered with."""
        registered_by = self._registered_by(endpoint) or ""
        given = [
            one
            for one in self._credentials.of_identity(registered_by.removeprefix(PSK))
            if one.endpoint == endpoint and one.state(now) is CredentialState.ACTIVE and one.issued_for is None
        ]
        return [one for one in (*former, *given) if PSK + one.identity != shown]

    async def _create(self, credential: PskCredential) -> None:
        value = credential.model_dump_json().encode()
        bucket = await self._bucket()
        try:
            revision = await bucket.create(credential.id, value)
        except (NatsError, JetStreamError, TimeoutError) as error:
            raise Unavailable(f"the key was not kept: {error!r}") from error
        self._credentials.apply(credential.id, value, revision)

    async def _change(self, credential_id: str, changes: dict[str, object]) -> None:
        """Change what is stored, whatever others change at the same time. Raises Unavailable."""
        bucket = await self._bucket()
        for _ in range(ATTEMPTS):
            try:
                entry = await bucket.get(credential_id)
                credential = stored_credential.validate_json(entry.value or b"").model_copy(update=changes)
                value = credential.model_dump_json().encode()
                revision = await bucket.update(credential_id, value, entry.revision)
            except KeyWrongLastSequenceError:
                continue
            except (NatsError, JetStreamError, TimeoutError) as error:
                raise Unavailable(f"the credential was not changed: {error!r}") from error
            self._credentials.apply(credential_id, value, revision)
            return
        raise Unavailable(f"others change the credential {credential_id} again and again")

    async def _bucket(self) -> KeyValue:
        try:
            return await self._js.key_value(Bucket.CREDENTIALS)
        except (NatsError, JetStreamError, TimeoutError) as error:
            raise Unavailable(f"credentials cannot be kept now: {error!r}") from error
