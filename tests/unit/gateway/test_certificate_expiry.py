"""When the gateway's own certificates end."""

from __future__ import annotations

import time
from pathlib import Path

from structlog.testing import capture_logs

from flownexus_gateway import metrics
from flownexus_gateway.certificate_expiry import DAY_S, CertificateExpiry
from flownexus_gateway.transport.dtls.openssl_context import ServerCertificate
from harness.certificates import Ca


def test_what_ends_within_thirty_days_is_told_by_kind_and_name(tmp_path: Path) -> None:
    ca = Ca(tmp_path)
    ours = ca.issue("coap.my.example", to_days=40)
    expiry = CertificateExpiry(ServerCertificate(ours.pem, ours.key_pem, ca.root.pem))
    end = metrics.CERTIFICATE_ENDS.labels("server", "CN=coap.my.example")._value.get()
    assert end == ours.certificate.not_valid_after_utc.timestamp()
    assert warned(expiry, time.time()) == {("client-ca", "CN=test-ca"): 29}
    assert warned(expiry, end + DAY_S / 2) == {("server", "CN=coap.my.example"): -1, ("client-ca", "CN=test-ca"): -11}


def test_of_a_chain_the_first_end_counts(tmp_path: Path) -> None:
    ca = Ca(tmp_path)
    ours = ca.issue("coap.my.example", to_days=90)
    chain = tmp_path / "chain.pem"
    chain.write_bytes(ours.pem.read_bytes() + ca.root.pem.read_bytes())
    assert set(warned(CertificateExpiry(ServerCertificate(chain, ours.key_pem, None)), time.time())) == {
        ("server", "CN=test-ca")
    }
    assert warned(CertificateExpiry(None), time.time()) == {}


def warned(expiry: CertificateExpiry, now: float) -> dict[tuple[str, str], int]:
    with capture_logs() as logs:
        expiry.warn(now)
    return {(entry["certificate"], entry["name"]): entry["days"] for entry in logs}
