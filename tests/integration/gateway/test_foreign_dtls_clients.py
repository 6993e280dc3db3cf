"""Clients of other projects over DTLS: `openssl s_client` (OpenSSL of the system) and libcoap's `coap-client` on GnuTLS
and on OpenSSL. `.ci/run` installs them.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from nats.js import JetStreamContext

from flownexus_schemas.events import EndpointRegistered, ValuesReported
from flownexus_schemas.profiles import ObservationProfile
from harness.certificates import Ca, Issued
from harness.lockstep import CHANGED, LINK_FORMAT
from harness.openssl_device import COMMAND, OpenSslDevice
from harness.ports import free_port
from harness.services import ServiceProcess
from harness.waiting import until
from integration.gateway.credential_bucket import CREDENTIALS_KEY, CredentialBucket
from integration.gateway.gateway_events import Events, put_profile
from integration.gateway.observed_device import TEMPERATURE, TLV_21_5, is_ack, observed, values

LINKS = "</3/0>,</3303/0>"
TEXT_KEY = b"a key of letters"
PSK_SUITES = ("PSK-AES128-CCM8:@SECLEVEL=0", "PSK-AES128-CCM", "PSK-AES128-GCM-SHA256")
ECDSA_SUITES = (
    "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0",
    "ECDHE-ECDSA-AES128-CCM",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
)
LIBCOAP = ("coap-client-gnutls", "coap-client-openssl")
needs_openssl = pytest.mark.skipif(shutil.which(COMMAND) is None, reason="openssl is not installed")

NewDevice = Callable[..., OpenSslDevice]


@pytest.fixture
def profile() -> ObservationProfile:
    return TEMPERATURE


@pytest.fixture
def ca(tmp_path: Path) -> Ca:
    return Ca(tmp_path)


@pytest.fixture
async def secure_gateway(
    js: JetStreamContext, service: Callable[..., ServiceProcess], profile: ObservationProfile, ca: Ca
) -> ServiceProcess:
    """With a certificate too."""
    await put_profile(js, profile)
    ours = ca.issue("localhost", dns=["localhost"])
    return service(
        "flownexus_gateway",
        FLOWNEXUS_COAPS_PORT=free_port("udp"),
        FLOWNEXUS_CREDENTIALS_KEY=CREDENTIALS_KEY,
        FLOWNEXUS_DTLS_CERTIFICATE=ours.pem,
        FLOWNEXUS_DTLS_PRIVATE_KEY=ours.key_pem,
        FLOWNEXUS_DTLS_CLIENT_CA=ca.root.pem,
    )


@pytest.fixture
def client(secure_gateway: ServiceProcess) -> Iterator[NewDevice]:
    """Makes devices on s_client."""
    made: list[OpenSslDevice] = []

    def new(*options: str, version: str = "-dtls1_2") -> OpenSslDevice:
        made.append(OpenSslDevice(int(secure_gateway.env["FLOWNEXUS_COAPS_PORT"]), "device-1", options, version))
        return made[-1]

    yield new
    for one in made:
        one.close()


def with_key(key: bytes = TEXT_KEY, identity: str = "device-1", suite: str = PSK_SUITES[0]) -> Sequence[str]:
    return ("-psk", key.hex(), "-psk_identity", identity, "-cipher", suite)


def with_certificate(issued: Issued, ca: Ca, suite: str = ECDSA_SUITES[0]) -> Sequence[str]:
    """It checks ours too."""
    trusted = ("-CAfile", str(ca.root.pem), "-verify_return_error", "-verify_hostname", "localhost")
    return ("-cert", str(issued.pem), "-key", str(issued.key_pem), "-cipher", suite, *trusted)


async def run(*command: str) -> None:
    await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True, timeout=30)


async def refused(gateway: ServiceProcess, reason: str) -> None:
    await until(lambda: f'"reason":"{reason}"' in gateway.log_text(), what=f"{reason} in the log")


@needs_openssl
@pytest.mark.parametrize("suite", PSK_SUITES)
async def test_openssl_with_a_key_registers_is_observed_and_notifies(
    credentials: CredentialBucket, client: NewDevice, events: Events, suite: str
) -> None:
    await credentials.psk("device-1", key=TEXT_KEY)
    await serves(client(*with_key(suite=suite)), events, "psk:device-1")


@needs_openssl
@pytest.mark.parametrize("suite", ECDSA_SUITES)
async def test_openssl_with_a_certificate_registers_is_observed_and_notifies(
    credentials: CredentialBucket, client: NewDevice, events: Events, ca: Ca, suite: str
) -> None:
    await credentials.x509("device-1", "uri:urn:dev:1")
    issued = ca.issue("sensor", uris=["urn:dev:1"])
    await serves(client(*with_certificate(issued, ca, suite)), events, "x509:sensor")


async def serves(device: OpenSslDevice, events: Events, identity: str) -> None:
    token = observed(device, LINKS)
    notification = device.notification(token, 1, TLV_21_5)
    assert is_ack(device.exchange(notification), notification)
    assert device.update().code == CHANGED
    (registered,) = await events.wait(EndpointRegistered)
    assert (registered.subject, registered.data.identity) == ("device-1", identity)
    reported = await events.wait(ValuesReported, 2)
    assert values(reported[1]) == [("3303/0/5700", 21.5)]


@needs_openssl
@pytest.mark.parametrize(
    ("options", "alert", "reason"),
    [
        (with_key(identity="device-9"), "unknown psk identity", "unknown-identity"),
        (with_key(key=b"another key, not ours"), "decrypt error", "wrong-key"),
        (with_key(suite="PSK-AES128-CBC-SHA256:@SECLEVEL=0"), "handshake failure", "no-common-suite"),
        (with_key(suite="PSK-NULL-SHA256:@SECLEVEL=0"), "handshake failure", "no-common-suite"),
        (("-cipher", ECDSA_SUITES[0]), "handshake failure", "no-certificate"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
async def test_openssl_is_refused_with_an_alert_and_a_reason(  # noqa: PLR0917 - what is given, and what is told
    secure_gateway: ServiceProcess, credentials: CredentialBucket, client: NewDevice, options: Sequence[str],
    alert: str, reason: str,
) -> None:  # fmt: skip
    await credentials.psk("device-1", key=TEXT_KEY)
    assert f"alert {alert}" in client(*options).said()
    await refused(secure_gateway, reason)


@needs_openssl
async def test_openssl_with_a_certificate_of_a_rogue_ca_an_expired_or_a_revoked_one_is_refused(
    secure_gateway: ServiceProcess, credentials: CredentialBucket, client: NewDevice, ca: Ca, tmp_path: Path
) -> None:
    credential = await credentials.x509("device-1", "device-1")
    rogue, expired = Ca(tmp_path, "rogue").issue("device-1"), ca.issue("device-1", from_days=-9, to_days=-1)
    assert "alert unknown ca" in client(*with_certificate(rogue, ca)).said()
    assert "alert certificate expired" in client(*with_certificate(expired, ca)).said()
    await credentials.revoke(credential)
    assert "alert certificate revoked" in client(*with_certificate(ca.issue("device-1"), ca)).said()
    for reason in ("untrusted-certificate", "certificate-expired", "revoked"):
        await refused(secure_gateway, reason)


@needs_openssl
async def test_openssl_with_a_certificate_signed_over_sha1_is_refused(
    secure_gateway: ServiceProcess, credentials: CredentialBucket, client: NewDevice, ca: Ca, tmp_path: Path
) -> None:
    await credentials.x509("device-1", "device-1")
    request, signed, issued = tmp_path / "request.pem", tmp_path / "weak.pem", ca.issue("device-1")
    made = ("req", "-new", "-key", issued.key_pem, "-subj", "/CN=device-1", "-out", request)
    issuing = ("-CA", ca.root.pem, "-CAkey", ca.root.key_pem, "-set_serial", "7", "-days", "9")
    for command in (made, ("x509", "-req", "-sha1", "-in", request, *issuing, "-out", signed)):
        await run(COMMAND, *map(str, command))
    weak = with_certificate(issued._replace(pem=signed), ca, "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0")
    assert "alert bad certificate" in client(*weak).said()
    await refused(secure_gateway, "weak-certificate")


@needs_openssl
async def test_dtls_1_0_is_refused(secure_gateway: ServiceProcess, client: NewDevice) -> None:
    assert "alert protocol version" in client("-cipher", "ALL:@SECLEVEL=0", version="-dtls1").said()
    await refused(secure_gateway, "unsupported-version")


@pytest.mark.parametrize("command", LIBCOAP)
@pytest.mark.parametrize("by", ["key", "certificate"])
async def test_libcoap_registers(  # noqa: PLR0917 - fixtures
    secure_gateway: ServiceProcess, credentials: CredentialBucket, events: Events, ca: Ca, command: str, by: str
) -> None:
    if shutil.which(command) is None:
        pytest.skip(f"{command} is not installed (Debian: libcoap3-bin)")
    await credentials.psk("device-1", key=TEXT_KEY)
    await credentials.x509("device-2", "device-2")
    issued = ca.issue("device-2")
    shown, endpoint = ["-u", "device-1", "-k", TEXT_KEY.decode()], "device-1"
    if by == "certificate":
        shown, endpoint = ["-c", str(issued.pem), "-j", str(issued.key_pem), "-C", str(ca.root.pem)], "device-2"
    uri = f"coaps://127.0.0.1:{secure_gateway.env['FLOWNEXUS_COAPS_PORT']}/rd?lwm2m=1.1&lt=60&ep={endpoint}"
    await run(command, *shown, "-B", "10", "-m", "post", "-t", str(LINK_FORMAT), "-e", LINKS, uri)
    (registered,) = await events.wait(EndpointRegistered)
    assert registered.subject == endpoint
