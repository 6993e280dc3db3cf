"""Certificates against OpenSSL as the client: who gets in under which name, and each reason why not."""

from __future__ import annotations

from pathlib import Path

import pytest
from OpenSSL import SSL
from prometheus_client import REGISTRY

from flownexus_gateway.transport.dtls.certificate_names import NamedBy
from flownexus_gateway.transport.dtls.openssl_context import GROUPS, ServerCertificate, ServerContext
from flownexus_schemas.credentials import X509Credential
from flownexus_schemas.errors import InvalidRequest
from harness.certificates import Ca, Issued
from harness.dtls_openssl_client import OpenSslClient
from harness.dtls_wire import Credentials, Wire, psk_credential


def x509_credential(subject: str, id_: str = "x1", endpoint: str = "device-1", **times: float) -> X509Credential:
    created_at = times.pop("created_at", 0.0)
    return X509Credential(id=id_, endpoint=endpoint, subject=subject, created_at=created_at, **times)


@pytest.fixture
def ca(tmp_path: Path) -> Ca:
    return Ca(tmp_path)


@pytest.fixture
def server(ca: Ca) -> ServerCertificate:
    ours = ca.issue("server", dns=["localhost"])
    return ServerCertificate(ours.pem, ours.key_pem, ca.root.pem)


def get_in(wire: Wire, certificate: Issued | None) -> str:
    """The endpoint name that it gets."""
    client = OpenSslClient(wire, certificate)
    client.handshake()
    client.say(b"hello")
    association = wire.heard[-1][1]
    association.send(b"welcome")
    assert client.hear() == b"welcome"
    return association.authenticated.endpoint


def reasons() -> dict[str, float]:
    family = next(one for one in REGISTRY.collect() if one.name == "flownexus_gateway_dtls_refused")
    return {one.labels["reason"]: one.value for one in family.samples if one.name.endswith("_total")}


def turned_away(wire: Wire, certificate: Issued | None) -> tuple[str, str]:
    """Our reason, and the alert that OpenSSL's client got."""
    before = reasons()
    with pytest.raises(SSL.Error) as told:
        get_in(wire, certificate)
    after = reasons()
    (reason,) = [name for name in after if after[name] > before.get(name, 0)]
    return reason, told.value.args[0][-1][2].rpartition(" alert ")[2]


@pytest.mark.parametrize(
    "subject", ["device-1", "cn:device-1", "uri:urn:dev:1", "dns:Device-1.example"], ids=lambda one: one
)
@pytest.mark.parametrize(
    "suite", ["ECDHE-ECDSA-AES128-CCM8", "ECDHE-ECDSA-AES128-CCM", "ECDHE-ECDSA-AES128-GCM-SHA256"]
)
def test_a_certificate_that_a_credential_names_gets_in(
    ca: Ca, server: ServerCertificate, subject: str, suite: str
) -> None:
    certificate = ca.issue("device-1", uris=["urn:dev:1"], dns=["device-1.example"])
    wire = Wire(Credentials(x509_credential(subject, endpoint="sensor-7")), server)
    assert get_in(wire, certificate) == "sensor-7"
    assert wire.heard[-1][1].authenticated.name == "x509:device-1"


def test_the_fingerprint_names_one_certificate_alone(ca: Ca, server: ServerCertificate) -> None:
    named, other = ca.issue("device-1"), ca.issue("device-1")
    wire = Wire(Credentials(x509_credential(f"sha256:{named.fingerprint}")), server)
    assert get_in(wire, named) == "device-1"
    assert turned_away(wire, other) == ("unknown-certificate", "bad certificate")


def test_a_certificate_that_nobody_named_is_unknown(ca: Ca, server: ServerCertificate) -> None:
    wire = Wire(Credentials(x509_credential("device-1")), server)
    assert turned_away(wire, ca.issue("device-2")) == ("unknown-certificate", "bad certificate")


def test_a_rogue_ca_is_not_trusted_whatever_it_states(tmp_path: Path, server: ServerCertificate) -> None:
    rogue = Ca(tmp_path, "test-ca")
    wire = Wire(Credentials(x509_credential("device-1")), server)
    assert turned_away(wire, rogue.issue("device-1"))[0] == "untrusted-certificate"
    assert turned_away(wire, rogue.issue("device-1", self_signed=True))[0] == "untrusted-certificate"


def test_without_a_certificate_nobody_gets_in(server: ServerCertificate) -> None:
    assert turned_away(Wire(Credentials(), server), None) == ("no-certificate", "handshake failure")


def test_a_certificate_has_its_time(ca: Ca, server: ServerCertificate) -> None:
    wire = Wire(Credentials(x509_credential("device-1")), server)
    old, early = ca.issue("device-1", from_days=-9, to_days=-1), ca.issue("device-1", from_days=1)
    assert turned_away(wire, old) == ("certificate-expired", "certificate expired")
    assert turned_away(wire, early)[0] == "not-yet-valid"


@pytest.mark.parametrize(
    ("times", "reason", "alert"),
    [
        ({"revoked_at": 1.0}, "revoked", "certificate revoked"),
        ({"expires_at": 1.0}, "expired", "certificate expired"),
        ({"not_before": 2000.0}, "not-yet-valid", "bad certificate"),
    ],
)
def test_its_credential_counts_as_that_of_a_key(
    ca: Ca, server: ServerCertificate, times: dict[str, float], reason: str, alert: str
) -> None:
    wire = Wire(Credentials(x509_credential("device-1").model_copy(update=times)), server)
    assert turned_away(wire, ca.issue("device-1")) == (reason, alert)


def test_one_certificate_is_revoked_while_others_of_its_name_count(ca: Ca, server: ServerCertificate) -> None:
    lost, replacement = ca.issue("device-1"), ca.issue("device-1")
    revoked = x509_credential(f"sha256:{lost.fingerprint}", id_="x2", revoked_at=1.0)
    wire = Wire(Credentials(x509_credential("device-1"), revoked), server)
    assert turned_away(wire, lost) == ("revoked", "certificate revoked")
    assert get_in(wire, replacement) == "device-1"


def test_a_new_credential_of_the_same_name_counts_where_the_old_one_was_revoked(
    ca: Ca, server: ServerCertificate
) -> None:
    old = x509_credential("device-1", id_="x1", revoked_at=1.0)
    new = x509_credential("device-1", id_="x2", created_at=5.0)
    assert get_in(Wire(Credentials(old, new), server), ca.issue("device-1")) == "device-1"


@pytest.mark.parametrize("with_ca", [True, False], ids=["beside a CA", "without any"])
def test_a_self_signed_certificate_gets_in_by_its_fingerprint_alone(
    ca: Ca, server: ServerCertificate, with_ca: bool
) -> None:
    own = ca.issue("whatever", self_signed=True)
    ours = server if with_ca else server._replace(client_ca=None)
    wire = Wire(Credentials(x509_credential(f"sha256:{own.fingerprint}")), ours)
    assert get_in(wire, own) == "device-1"
    late = ca.issue("whatever", self_signed=True, from_days=-9, to_days=-1)
    wire.credentials.put(x509_credential(f"sha256:{late.fingerprint}", id_="x2"))
    assert turned_away(wire, late)[0] == "certificate-expired"


@pytest.mark.parametrize(
    ("named_by", "endpoint"), [(NamedBy.COMMON_NAME, "device-1"), (NamedBy.ALTERNATIVE_NAME, "urn:dev:1")]
)
def test_a_certificate_of_our_ca_may_name_the_endpoint_itself(
    ca: Ca, server: ServerCertificate, named_by: NamedBy, endpoint: str
) -> None:
    certificate = ca.issue("device-1", uris=["urn:dev:1"])
    wire = Wire(Credentials(), server, named_by=named_by)
    assert get_in(wire, certificate) == endpoint
    association = wire.heard[-1][1]
    wire.credentials.put(x509_credential(f"sha256:{certificate.fingerprint}", revoked_at=1.0))
    wire.server.credentials_changed()
    wire.server.look_after(wire.now)
    assert association.ended
    assert turned_away(wire, certificate)[0] == "revoked"


@pytest.mark.parametrize("uris", [[], ["urn:dev:1", "urn:dev:2"]], ids=["none", "two"])
def test_a_certificate_with_no_name_or_several_names_nobody(ca: Ca, server: ServerCertificate, uris: list[str]) -> None:
    wire = Wire(Credentials(), server, named_by=NamedBy.ALTERNATIVE_NAME)
    assert turned_away(wire, ca.issue("device-1", uris=uris))[0] == "unknown-certificate"


def test_a_small_mtu_cuts_flights_to_its_size(ca: Ca, server: ServerCertificate) -> None:
    wire = Wire(Credentials(x509_credential("device-1")), server, mtu=300)
    client = OpenSslClient(wire, ca.issue("device-1"))
    client.handshake()
    client.say(b"x")
    assert client.largest <= 300
    assert len(client.received) > 4


def test_a_session_is_resumed_and_its_credential_looked_at_again(ca: Ca, server: ServerCertificate) -> None:
    certificate = ca.issue("device-1")
    wire = Wire(Credentials(x509_credential("device-1")), server)
    client = OpenSslClient(wire, certificate)
    client.handshake()
    client.say(b"x")
    again = OpenSslClient(wire, resumes=client, port=41001)
    again.handshake()
    assert len(again.received) < len(client.received), "an abbreviated handshake"
    again.say(b"y")
    assert wire.heard[-1][1].authenticated.endpoint == "device-1"
    wire.credentials.put(x509_credential("device-1", revoked_at=1.0))
    before = reasons().get("revoked", 0)
    late = OpenSslClient(wire, resumes=client, port=41002)
    late.handshake()
    with pytest.raises(SSL.Error, match="access denied"):
        late.hear()
    assert (reasons()["revoked"], len(wire.server.associations)) == (before + 1, 2)


def test_keys_and_certificates_share_the_port(ca: Ca, server: ServerCertificate) -> None:
    wire = Wire(Credentials(x509_credential("device-1"), psk_credential("device-2")), server)
    assert get_in(wire, ca.issue("device-1")) == "device-1"
    client = wire.client("device-2")
    client.handshake()
    assert client.say(b"x").authenticated.endpoint == "device-2"


def test_of_a_client_with_both_the_key_counts(ca: Ca, server: ServerCertificate) -> None:
    """Many offer ECDSA suites without having a certificate."""
    wire = Wire(Credentials(psk_credential("device-2")), server)
    client = wire.client("device-2")
    plain = client.hello_message
    client.hello_message = lambda sequence, cookie: _offering(plain(sequence, cookie))  # type: ignore[method-assign]
    client.handshake()
    assert client.say(b"x").authenticated.name == "psk:device-2"


def _offering(hello: bytes) -> bytes:
    """With ECDHE-ECDSA in front of the client's own suite."""
    at = hello.index(b"\0\2\xc0\xa8\1\0")
    body = hello[12:at] + b"\0\4\xc0\xae\xc0\xa8\1\0" + hello[at + 6 :]
    size = len(body).to_bytes(3, "big")
    return hello[:1] + size + hello[4:9] + size + body


def test_files_that_are_no_certificate_are_named(tmp_path: Path, server: ServerCertificate) -> None:
    missing = tmp_path / "missing.pem"
    with pytest.raises(InvalidRequest, match=r"missing\.pem is not a file"):
        ServerContext(server._replace(chain=missing), with_connection_ids=False)
    with pytest.raises(InvalidRequest, match="not a certificate with its key"):
        ServerContext(server._replace(key=server.chain), with_connection_ids=False)


def test_the_groups_are_named() -> None:
    assert GROUPS.split(":")[0] == "P-256", "the one that LwM2M asks of every client"
