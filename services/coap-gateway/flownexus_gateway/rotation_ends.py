"""The end of a rotation: once a device has used its next credential, the former one counts no more.

Only a gateway sees that, so a gateway writes it into the bucket, over the entry that it knows (compare and set). It is
in force at every gateway then, and stays so over restarts. What could not be written is tried again.
"""

from __future__ import annotations

import asyncio
import time

import structlog
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import Header as NatsHeader
from nats.js.errors import Error as JetStreamError

from flownexus_runtime.live_credentials import AnyCredential, LiveCredentials
from flownexus_schemas.credentials import CredentialState
from flownexus_schemas.subjects import Bucket

log = structlog.get_logger(__name__)

RETRY_S = 2.0

_COUNT = frozenset({CredentialState.ACTIVE, CredentialState.PENDING})


class RotationEnds:
    """`used` may be called at any time and as often as is convenient; `run` writes."""

    def __init__(self, js: JetStreamContext, credentials: LiveCredentials) -> None:
        self._js, self._credentials = js, credentials
        self._used: set[str] = set()
        self._wake = asyncio.Event()

    def used(self, credential_id: str) -> None:
        """A device has authenticated by this credential."""
        if self._due(credential_id):
            self._used.add(credential_id)
            self._wake.set()

    async def run(self) -> None:
        """End what is due, for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            used, self._used = self._used, set()
            for credential_id in used:
                for former in self._due(credential_id):
                    if not await self._end(former, credential_id):
                        self._used.add(credential_id)
            if self._used:
                await asyncio.sleep(RETRY_S)
                self._wake.set()

    def _due(self, credential_id: str) -> list[AnyCredential]:
        now = time.time()
        return [former for former in self._credentials.until_used(credential_id) if former.state(now) in _COUNT]

    async def _end(self, former: AnyCredential, used: str) -> bool:
        """Whether it is kept. Not where NATS is away, or something else was written over the former one."""
        value = former.model_copy(update={"expires_at": time.time()}).model_dump_json().encode()
        last = {NatsHeader.EXPECTED_LAST_SUBJECT_SEQUENCE.value: str(self._credentials.revision_of(former.id))}
        try:
            kept = await self._js.publish(f"$KV.{Bucket.CREDENTIALS}.{former.id}", value, headers=last)
        except (NatsError, JetStreamError, TimeoutError) as error:
            log.warning("credential.end_postponed", credential=former.id, endpoint=former.endpoint, reason=repr(error))
            return False
        log.info("credential.ended", credential=former.id, endpoint=former.endpoint, used=used)
        self._credentials.apply(former.id, value, kept.seq)
        return True
