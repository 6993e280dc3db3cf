"""Credentials as the api stores them: keys sealed, one entry each."""

from __future__ import annotations

import time

from nats.js import JetStreamContext
from pydantic import SecretStr

from flownexus_runtime.sealing import CREDENTIALS, Sealer
from flownexus_schemas.credentials import PskCredential, X509Credential, key_binding
from flownexus_schemas.subjects import Bucket
from harness.secure_device import KEY
from harness.services import ServiceProcess
from harness.waiting import until
from integration.gateway.gateway_metrics import metric

CREDENTIALS_KEY = "a key of the tests and of nobody else"


class CredentialBucket:
    """Each change is waited for until the gateway has it."""

    def __init__(self, js: JetStreamContext, gateway: ServiceProcess) -> None:
        self._js, self._gateway = js, gateway

    async def psk(
        self, endpoint: str, *, identity: str | None = None, key: bytes = KEY, id_: str | None = None
    ) -> PskCredential:
        """A key for an endpoint; identity and id have its name unless others are given."""
        id_, identity = id_ or endpoint, identity or endpoint
        sealed = Sealer(SecretStr(CREDENTIALS_KEY), CREDENTIALS).seal(key, key_binding(id_, endpoint, identity))
        credential = PskCredential(
            id=id_, endpoint=endpoint, identity=identity, sealed_key=sealed, created_at=time.time()
        )
        await self.put(credential)
        return credential

    async def x509(self, endpoint: str, subject: str, id_: str | None = None) -> X509Credential:
        """A subject of a certificate for an endpoint."""
        credential = X509Credential(id=id_ or endpoint, endpoint=endpoint, subject=subject, created_at=time.time())
        await self.put(credential)
        return credential

    async def revoke(self, credential: PskCredential | X509Credential) -> None:
        await self.put(credential.model_copy(update={"revoked_at": time.time()}))

    async def put(self, credential: PskCredential | X509Credential) -> None:
        bucket = await self._js.key_value(Bucket.CREDENTIALS)
        revision = await bucket.put(credential.id, credential.model_dump_json().encode())
        await until(lambda: metric(self._gateway, "flownexus_gateway_credentials_revision") >= revision)
