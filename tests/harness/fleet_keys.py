"""Keys for the devices of a fleet: in a file for the simulator, and as credentials of a running system."""

from __future__ import annotations

import asyncio
import secrets
import time
from pathlib import Path

import nats
from pydantic import SecretStr

from flownexus_runtime.sealing import CREDENTIALS, Sealer
from flownexus_schemas.credentials import PskCredential, key_binding
from flownexus_schemas.subjects import Bucket
from harness.metrics import metric_at
from harness.system import RunningSystem
from harness.waiting import blocking_until


def give_keys(system: RunningSystem, prefix: str, devices: int) -> Path:
    """A key for each device, imported by the api from the file of them; its gateway knows them from then on."""
    file = system.folder.parent / f"{prefix}-keys.csv"
    names = (f"{prefix}-{number:05}" for number in range(devices))
    lines = (f"{name},psk,{name},{secrets.token_hex(16)}\n" for name in names)
    file.write_text("endpoint,type,identity,key\n" + "".join(lines))
    with system.api() as api:
        headers = {"Content-Type": "text/csv"}
        answer = api.post("/api/v1/credentials/import", content=file.read_bytes(), headers=headers)
        answer.raise_for_status()
    known, health_url = "flownexus_gateway_credentials_revision", system.connection.health["gateway"]
    revision = asyncio.run(newest_change(system.connection.nats_url))
    blocking_until(lambda: metric_at(health_url, known) >= revision, 30, "the credentials at the gateway")
    return file


async def newest_change(nats_url: str) -> int:
    """The revision of the bucket of credentials."""
    client = await nats.connect(nats_url)
    try:
        info = await client.jetstream().stream_info(f"KV_{Bucket.CREDENTIALS}")
    finally:
        await client.close()
    return info.state.last_seq


async def put_credentials(nats_url: str, sealing_key: SecretStr, keys: dict[str, bytes]) -> int:
    """Store keys by endpoint, whose name is the identity too; the revision of the last one."""
    sealer, client = Sealer(sealing_key, CREDENTIALS), await nats.connect(nats_url)
    revision = 0
    try:
        bucket = await client.jetstream().key_value(Bucket.CREDENTIALS)
        for endpoint, key in keys.items():
            credential = PskCredential(
                id=endpoint,
                endpoint=endpoint,
                identity=endpoint,
                sealed_key=sealer.seal(key, key_binding(endpoint, endpoint, endpoint)),
                created_at=time.time(),
            )
            revision = await bucket.put(endpoint, credential.model_dump_json().encode())
    finally:
        await client.close()
    return revision
