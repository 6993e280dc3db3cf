"""The end of a rotation, which the gateway writes: also where NATS was away when the device used its next key."""

from __future__ import annotations

import time
from collections.abc import Callable

from nats.js import JetStreamContext

from flownexus_schemas.credentials import CredentialState, stored_credential
from flownexus_schemas.subjects import Bucket
from harness.embedded import RunningNats
from harness.lockstep import CON, CREATED, datagram
from harness.secure_device import SecureDevice
from harness.services import ServiceProcess
from harness.waiting import until
from integration.gateway.credential_bucket import CredentialBucket

NewDevice = Callable[..., SecureDevice]
PING = datagram(CON, 0, 7)


async def test_former_keys_end_once_nats_is_back(
    js: JetStreamContext,
    nats_server: RunningNats,
    secure_gateway: ServiceProcess,
    credentials: CredentialBucket,
    secure_device: NewDevice,
) -> None:
    await credentials.psk("device-1", identity="i-3", id_="third")
    for id_, until_used in (("second", "third"), ("first", "second")):
        former = await credentials.psk("device-1", identity=f"i-{id_}", id_=id_)
        await credentials.put(former.model_copy(update={"until_used": until_used}))
    await credentials.psk("device-2")
    nats_server.kill()
    device = secure_device(identity="i-3").connect()
    assert device.exchange(PING).message_id == 7
    await until(lambda: secure_gateway.log_text().count('"credential.end_postponed"') >= 2, 30, "two postponed ends")
    nats_server.start()
    bucket = await js.key_value(Bucket.CREDENTIALS)

    async def ended() -> bool:
        found = []
        for id_ in ("first", "second", "third", "device-2"):
            entry = await bucket.get(id_)
            found.append(stored_credential.validate_json(entry.value or b"").state(time.time()))
        return found == [*[CredentialState.EXPIRED] * 2, *[CredentialState.ACTIVE] * 2]

    both: bool = await until(ended, 30, "two ends")
    assert both
    assert device.register("</1/0>").code == CREATED
