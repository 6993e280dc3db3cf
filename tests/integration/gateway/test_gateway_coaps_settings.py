"""Which sockets there are, and who may come without DTLS."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from nats.js import JetStreamContext

from conftest import ServiceFactory
from flownexus_local.program import base_environment
from harness.lockstep import CREATED, LockstepDevice, Silence
from harness.ports import free_port
from harness.secure_device import SecureDevice
from harness.waiting import until
from integration.gateway.credential_bucket import CREDENTIALS_KEY, CredentialBucket
from integration.gateway.gateway_metrics import metric


async def test_plain_coap_closed_opens_no_socket_for_it(js: JetStreamContext, service: ServiceFactory) -> None:
    gateway = service(
        "flownexus_gateway",
        FLOWNEXUS_COAPS_PORT=free_port("udp"),
        FLOWNEXUS_CREDENTIALS_KEY=CREDENTIALS_KEY,
        FLOWNEXUS_PLAIN_COAP="closed",
    )
    await CredentialBucket(js, gateway).psk("device-1")
    with LockstepDevice(int(gateway.env["FLOWNEXUS_COAP_PORT"]), "device-2") as plain:
        plain.send(plain.register_datagram("</3/0>", message_id=1))
        with pytest.raises((Silence, ConnectionRefusedError)):
            plain.receive(0.3)
    secure = SecureDevice(int(gateway.env["FLOWNEXUS_COAPS_PORT"]), "device-1")
    with secure:
        secure.connect()
        assert secure.register("</3/0>").code == CREATED


@pytest.mark.parametrize(
    ("networks", "is_taken"),
    [("10.0.0.0/8", False), ("10.0.0.0/8, 127.0.0.0/8", True), ("2001:db8::/32,127.0.0.1/32", True)],
)
async def test_plain_coap_open_to_networks_takes_devices_from_those_alone(
    js: JetStreamContext, service: ServiceFactory, networks: str, is_taken: bool
) -> None:
    gateway = service("flownexus_gateway", FLOWNEXUS_PLAIN_COAP=networks)
    with LockstepDevice(int(gateway.env["FLOWNEXUS_COAP_PORT"]), "device-1") as plain:
        if is_taken:
            assert plain.register("</3/0>").code == CREATED
        else:
            plain.send(plain.register_datagram("</3/0>", message_id=1))
            await until(lambda: metric(gateway, "flownexus_gateway_plain_datagrams_kept_out_total") == 1)
            with pytest.raises(Silence):
                plain.receive(0.1)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"FLOWNEXUS_COAPS_PORT": "5684"}, "FLOWNEXUS_COAPS_PORT needs FLOWNEXUS_CREDENTIALS_KEY"),
        ({"FLOWNEXUS_PLAIN_COAP": "closed"}, "no device could come"),
        ({"FLOWNEXUS_PLAIN_COAP": "10.0.0.1/8"}, "open, closed, or networks such as 10.0.0.0/8"),
        ({"FLOWNEXUS_CREDENTIALS_KEY": "short"}, "too short: 32 characters or more"),
        ({"FLOWNEXUS_DTLS_CERTIFICATE": "server.pem"}, "belong together"),
        ({"FLOWNEXUS_DTLS_CLIENT_CA": "ca.pem"}, "needs FLOWNEXUS_DTLS_CERTIFICATE"),
        (
            {
                "FLOWNEXUS_COAPS_PORT": "5684",
                "FLOWNEXUS_CREDENTIALS_KEY": CREDENTIALS_KEY,
                "FLOWNEXUS_DTLS_CERTIFICATE": "no-such.pem",
                "FLOWNEXUS_DTLS_PRIVATE_KEY": "no-such.key",
            },
            "no-such.pem is not a file",
        ),
    ],
    ids=lambda one: next(iter(one)) if isinstance(one, dict) else "",
)
def test_settings_that_cannot_be_are_refused_with_what_to_do(
    given: Mapping[str, str], told: str, tmp_path: Path
) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "flownexus_gateway"],
        env=base_environment() | {"FLOWNEXUS_NATS_URL": "nats://nobody:a-word-of-the-tests@127.0.0.1:1"} | dict(given),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (run.returncode, run.stdout) == (2, "")
    assert told in run.stderr
    assert "Traceback" not in run.stderr
