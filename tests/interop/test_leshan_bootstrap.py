"""Leshan's client library bootstrapped: it knows our bootstrap server alone, and ends registered at our gateway."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from nats.js import JetStreamContext

from flownexus_schemas.bootstrap.configuration import BootstrapProfile
from flownexus_schemas.commands import ExecuteResource
from flownexus_schemas.credentials import PskCredential, stored_credential
from flownexus_schemas.events import BootstrapProgressed, EndpointRegistered
from flownexus_schemas.subjects import Bucket
from harness.asking import ask
from harness.ports import free_port
from harness.secure_device import KEY
from harness.services import ServiceProcess
from harness.waiting import until
from integration.gateway.credential_bucket import CREDENTIALS_KEY, CredentialBucket
from integration.gateway.gateway_events import Events
from interop.leshan_device import BOOTSTRAP, build, running_bootstrap_device

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def class_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The device, compiled."""
    return build(tmp_path_factory.mktemp("leshan"), BOOTSTRAP)


@pytest.fixture
async def gateway(js: JetStreamContext, service: Callable[..., ServiceProcess]) -> ServiceProcess:
    ports = {
        f"FLOWNEXUS_{name}_PORT": free_port("udp") for name in ("COAP", "COAPS", "BOOTSTRAP_COAP", "BOOTSTRAP_COAPS")
    }
    profiles = {
        "open": {"uri": f"coap://127.0.0.1:{ports['FLOWNEXUS_COAP_PORT']}", "security": "none"},
        "issued": {"uri": f"coaps://127.0.0.1:{ports['FLOWNEXUS_COAPS_PORT']}", "security": "psk"},
    }
    bucket = await js.key_value(Bucket.BOOTSTRAP_PROFILES)
    for name, server in profiles.items():
        given = {"servers": [{**server, "short_server_id": 123, "lifetime_s": 60}], "endpoints": [f"{name}-*"]}
        await bucket.put(name, BootstrapProfile.model_validate(given).model_dump_json().encode())
    return service("flownexus_gateway", FLOWNEXUS_CREDENTIALS_KEY=CREDENTIALS_KEY, **ports)


async def test_it_registers_where_it_is_told_to(class_path: str, gateway: ServiceProcess, js: JetStreamContext) -> None:
    events, port = Events(js), gateway.env["FLOWNEXUS_BOOTSTRAP_COAP_PORT"]
    with running_bootstrap_device(class_path, f"coap://127.0.0.1:{port}", "open-1") as device:
        device.wait_for("registered")
        assert device.said[0] == "bootstrapped"
        [registered] = await events.wait(EndpointRegistered)
    assert (registered.data.lifetime_s, registered.data.identity) == (60, None)
    assert "1/0" in registered.data.object_links
    steps = await events.wait(BootstrapProgressed, 2)
    assert [(step.data.state, step.data.notes) for step in steps] == [("started", ()), ("finished", ())]


async def test_with_a_key_it_is_issued_another_and_triggered_one_more(
    class_path: str, gateway: ServiceProcess, js: JetStreamContext
) -> None:
    events, port = Events(js), gateway.env["FLOWNEXUS_BOOTSTRAP_COAPS_PORT"]
    factory = await CredentialBucket(js, gateway).psk("issued-1")
    secret = (factory.identity, KEY.hex())
    with running_bootstrap_device(class_path, f"coaps://127.0.0.1:{port}", "issued-1", *secret) as device:
        device.wait_for("registered")
        [first] = await events.wait(EndpointRegistered)
        [issued] = (await events.wait(BootstrapProgressed, 2))[1].data.credentials
        assert first.data.identity == f"psk:{issued}"
        bucket = await js.key_value(Bucket.CREDENTIALS)

        async def is_used() -> bool:
            credential = stored_credential.validate_json((await bucket.get(issued)).value or b"")
            return isinstance(credential, PskCredential) and credential.used_at is not None

        in_use: bool = await until(is_used)
        assert in_use
        trigger = ExecuteResource(endpoint="issued-1", path="1/0/9", timeout_s=10)
        assert (await ask(js._nc, trigger)).code == "2.04"
        second = (await events.wait(EndpointRegistered, 2))[1]
        [other] = (await events.wait(BootstrapProgressed, 4))[3].data.credentials
        assert second.data.identity == f"psk:{other}"
        assert other != issued
