"""A device that comes by DTLS is updated by DTLS: no datagram of it is to be read by others."""

from __future__ import annotations

import pytest
from nats.js import JetStreamContext

from conftest import ServiceFactory
from flownexus_schemas.firmware.update import Method, Scheme, UpdateStatus
from harness.ports import free_port
from harness.secure_firmware_device import SecureFirmwareDevice
from harness.services import ServiceProcess
from integration.firmware.conftest import IMAGE, Updates
from integration.gateway.credential_bucket import CREDENTIALS_KEY, CredentialBucket
from integration.gateway.gateway_metrics import metric

COAP_AND_COAPS = (0, 1)


@pytest.fixture
async def gateway(js: JetStreamContext, service: ServiceFactory) -> ServiceProcess:
    """It takes nothing that is not by DTLS."""
    return service(
        "flownexus_gateway",
        FLOWNEXUS_PLAIN_COAP="closed",
        FLOWNEXUS_COAPS_PORT=free_port("udp"),
        FLOWNEXUS_CREDENTIALS_KEY=CREDENTIALS_KEY,
    )


async def test_it_fetches_the_image_by_coaps(
    updates: Updates, operations: ServiceProcess, gateway: ServiceProcess, js: JetStreamContext
) -> None:
    await CredentialBucket(js, gateway).psk("device-1")
    port = int(gateway.env["FLOWNEXUS_COAPS_PORT"])
    device = SecureFirmwareDevice(port, "device-1", protocols=COAP_AND_COAPS)
    with device.start():
        update = await updates.ends(await updates.ask())

        assert (update.status, update.result, update.version_after) == (UpdateStatus.SUCCEEDED, 1, "2.0"), update
        assert update.way is not None
        assert (update.way.method, update.way.scheme) == (Method.PULL, Scheme.COAPS)
        assert (update.retries, update.installs) == (0, 1)
    assert device.image == IMAGE
    assert metric(gateway, "flownexus_gateway_firmware_pulled_bytes_total") >= len(IMAGE)
