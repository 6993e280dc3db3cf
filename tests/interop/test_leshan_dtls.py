"""Leshan's client library over DTLS, which is Californium's Scandium, against the real gateway and NATS."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from nats.js import JetStreamContext

from flownexus_schemas.commands import CommandAnswer, ReadResource
from flownexus_schemas.events import EndpointRegistered, ValuesReported
from flownexus_schemas.profiles import ObservationProfile
from harness.asking import ask
from harness.certificates import Ca, Issued
from harness.dtls_client import TLS12_CID
from harness.nat import Nat
from harness.ports import free_port
from harness.secure_device import KEY
from harness.services import ServiceProcess
from harness.waiting import until
from integration.gateway.credential_bucket import CREDENTIALS_KEY, CredentialBucket
from integration.gateway.gateway_events import Events, put_profile
from integration.gateway.gateway_metrics import metric
from integration.gateway.observed_device import TEMPERATURE, values
from interop.leshan_device import build, running_device

pytestmark = pytest.mark.timeout(300)

HANDSHAKES = "flownexus_gateway_dtls_handshakes_total"


@pytest.fixture(scope="module")
def class_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The device, compiled."""
    return build(tmp_path_factory.mktemp("leshan"))


@pytest.fixture
def profile() -> ObservationProfile:
    return TEMPERATURE


@pytest.fixture
def ca(tmp_path: Path) -> Ca:
    return Ca(tmp_path)


@pytest.fixture
def ours(ca: Ca) -> Issued:
    """The gateway's certificate."""
    return ca.issue("localhost", dns=["localhost"])


@pytest.fixture
async def secure_gateway(
    js: JetStreamContext, service: Callable[..., ServiceProcess], profile: ObservationProfile, ca: Ca, ours: Issued
) -> ServiceProcess:
    await put_profile(js, profile)
    return service(
        "flownexus_gateway",
        FLOWNEXUS_COAPS_PORT=free_port("udp"),
        FLOWNEXUS_CREDENTIALS_KEY=CREDENTIALS_KEY,
        FLOWNEXUS_DTLS_CERTIFICATE=ours.pem,
        FLOWNEXUS_DTLS_PRIVATE_KEY=ours.key_pem,
        FLOWNEXUS_DTLS_CLIENT_CA=ca.root.pem,
    )


@pytest.fixture
def credentials(js: JetStreamContext, secure_gateway: ServiceProcess) -> CredentialBucket:
    return CredentialBucket(js, secure_gateway)


@pytest.fixture
def port(secure_gateway: ServiceProcess) -> int:
    return int(secure_gateway.env["FLOWNEXUS_COAPS_PORT"])


def with_key(identity: str, key: bytes = KEY) -> dict[str, object]:
    return {"identity": identity, "key": key.hex()}


def with_certificate(theirs: Issued, ours: Issued, folder: Path) -> dict[str, object]:
    """It takes this certificate of ours, and no other."""
    private_key = theirs.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    contents = {
        "certificate": theirs.certificate.public_bytes(Encoding.DER),
        "privateKey": private_key,
        "serverCertificate": ours.certificate.public_bytes(Encoding.DER),
    }
    files = {name: folder / f"{theirs.pem.stem}-{name}.der" for name in contents}
    for name, content in contents.items():
        files[name].write_bytes(content)
    return dict(files)


@pytest.mark.parametrize("by", ["key", "certificate"])
async def test_it_registers_is_observed_notifies_is_read_updates_and_deregisters(  # noqa: PLR0917 - fixtures
    js: JetStreamContext, credentials: CredentialBucket, port: int, events: Events, class_path: str, ca: Ca,
    ours: Issued, tmp_path: Path, by: str,
) -> None:  # fmt: skip
    if by == "key":
        await credentials.psk("device-1", identity="its identity")
        security, identity = with_key("its identity"), "psk:its identity"
    else:
        await credentials.x509("device-1", "device-1")
        security, identity = with_certificate(ca.issue("device-1"), ours, tmp_path), "x509:device-1"
    with running_device(class_path, port, "device-1", security=security) as device:
        device.wait_for("registered")
        (registered,) = await events.wait(EndpointRegistered)
        assert (registered.subject, registered.data.identity) == ("device-1", identity)
        await events.wait(ValuesReported)
        device.do("temperature 21.5")
        assert values((await events.wait(ValuesReported, 2))[1]) == [("3303/0/5700", 21.5)]
        answer = await ask(js._nc, ReadResource(endpoint="device-1", path="3/0/0"))
        assert isinstance(answer, CommandAnswer)
        assert [value.value for value in answer.values] == ["Leshan"]
        device.do("update")
        device.wait_for("updated")
        device.do("stop")
        device.wait_for("deregistered")


@pytest.mark.parametrize("length", [0, 4], ids=["none of its own", "connection ids"])
async def test_with_a_connection_id_it_goes_on_from_another_port_without_a_handshake(  # noqa: PLR0917 - fixtures
    js: JetStreamContext, secure_gateway: ServiceProcess, credentials: CredentialBucket, port: int, events: Events,
    class_path: str, length: int,
) -> None:  # fmt: skip
    await credentials.psk("device-1")
    security = {**with_key("device-1"), "connectionId": length}
    with Nat(port) as nat, running_device(class_path, nat.port, "device-1", security=security) as device:
        device.wait_for("registered")
        await events.wait(ValuesReported)
        assert '"connection_id":true' in secure_gateway.log_text()
        for number in (2, 3):
            nat.forget()
            before = len(nat.passed)
            device.do(f"temperature {20 + number}")
            reported = await events.wait(ValuesReported, number)
            assert values(reported[-1]) == [("3303/0/5700", 20.0 + number)]
            assert {datagram[0] for datagram in nat.passed[before:]} == {TLS12_CID}
        assert isinstance(await ask(js._nc, ReadResource(endpoint="device-1", path="3/0/0")), CommandAnswer)
        secure_gateway.kill()
        secure_gateway.start()
        nat.forget()
        device.do("update")
        device.wait_for("updated")
    assert metric(secure_gateway, HANDSHAKES) == 0, "after the restart"
    assert len(await events.of(EndpointRegistered)) == 1


async def test_each_refusal_has_its_own_reason(  # noqa: PLR0917 - fixtures
    secure_gateway: ServiceProcess, credentials: CredentialBucket, port: int, events: Events, class_path: str, ca: Ca,
    ours: Issued, tmp_path: Path,
) -> None:  # fmt: skip
    """All at once, as a virtual machine of Java takes its time."""
    for endpoint in ("device-1", "device-2"):
        await credentials.psk(endpoint)
    await credentials.revoke(await credentials.psk("revoked"))
    expired = await credentials.psk("expired")
    await credentials.put(expired.model_copy(update={"expires_at": expired.created_at}))
    for endpoint in ("rogue", "late", "withdrawn"):
        named = await credentials.x509(endpoint, endpoint)
    await credentials.revoke(named)
    rogue_ca = Ca(tmp_path, "rogue")

    def certificate(theirs: Issued) -> Mapping[str, object]:
        return with_certificate(theirs, ours, tmp_path)

    comes: list[tuple[str, Mapping[str, object], tuple[str, str]]] = [
        ("device-9", with_key("device-9"), ("unknown-identity", "psk:device-9")),
        ("device-1", with_key("device-1", b"x" * 16), ("wrong-key", "psk:device-1")),
        ("expired", with_key("expired"), ("expired", "psk:expired")),
        ("revoked", with_key("revoked"), ("revoked", "psk:revoked")),
        ("rogue", certificate(rogue_ca.issue("rogue")), ("untrusted-certificate", "x509:CN=rogue")),
        ("late", certificate(ca.issue("late", from_days=-9, to_days=-1)), ("certificate-expired", "x509:CN=late")),
        ("withdrawn", certificate(ca.issue("withdrawn")), ("revoked", "x509:withdrawn")),
        ("stranger", certificate(ca.issue("stranger")), ("unknown-certificate", "x509:stranger")),
    ]
    with ExitStack() as stack:
        for endpoint, security, _ in comes:
            stack.enter_context(running_device(class_path, port, endpoint, security=security))
        pretender = running_device(class_path, port, "device-1", security=with_key("device-2"))
        other = stack.enter_context(pretender)
        for _, _, (reason, who) in comes:
            await until(lambda: is_logged(secure_gateway, reason, who), 60, f"{reason} of {who} in the log")  # noqa: B023
        other.wait_for("refused FORBIDDEN")
    assert "psk:device-2 is for 'device-2', not for 'device-1'" in secure_gateway.log_text()
    for _, _, (reason, _) in comes:
        assert metric(secure_gateway, f'flownexus_gateway_dtls_refused_total{{reason="{reason}"}}') > 0, reason
    assert metric(secure_gateway, 'flownexus_gateway_names_refused_total{reason="not-theirs"}') > 0
    assert await events.of(EndpointRegistered) == []


def is_logged(gateway: ServiceProcess, reason: str, who: str) -> bool:
    lines = gateway.log_text().splitlines()
    return any("dtls.refused" in line and f'"reason":"{reason}"' in line and f'"who":"{who}' in line for line in lines)
