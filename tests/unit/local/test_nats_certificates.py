"""Certificates for NATS: what is in them, when they are made anew."""

from __future__ import annotations

import datetime
import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509

from flownexus_local import nats_certificates
from flownexus_local.nats_certificates import GOOD_FOR, RENEWED_BEFORE, NatsFiles

NOW = datetime.datetime.now(datetime.UTC)


def shake_hands(files: NatsFiles, name: str) -> None:
    """TLS without a network, as strict as OpenSSL can be about RFC 5280. Raises ssl.SSLError."""
    client_context = ssl.create_default_context(cafile=files.ca)
    client_context.verify_flags |= ssl.VERIFY_X509_STRICT
    server_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_context.load_cert_chain(files.certificate, files.private_key)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=name)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    waiting = [client, server]
    while waiting:
        for side in list(waiting):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(side)


@pytest.mark.parametrize("name", ["nats", "127.0.0.1", "::1", "nats-0.nats.flow.svc"])
def test_a_strict_client_takes_it_under_each_of_its_names(name: str, tmp_path: Path) -> None:
    hosts = ["nats", "127.0.0.1", "::1", "*.nats.flow.svc"]
    shake_hands(nats_certificates.make(tmp_path, hosts, NOW), name)


def test_it_is_not_taken_under_another_name(tmp_path: Path) -> None:
    files = nats_certificates.make(tmp_path, ["nats"], NOW)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake_hands(files, "other")


def test_the_key_is_the_owners_alone_and_that_of_the_ca_is_nowhere(tmp_path: Path) -> None:
    files = nats_certificates.make(tmp_path, ["nats"], NOW)
    assert stat.S_IMODE(files.private_key.stat().st_mode) == 0o600
    assert [stat.S_IMODE(path.stat().st_mode) for path in (files.ca, files.certificate)] == [0o644, 0o644]
    assert [path.name for path in tmp_path.iterdir() if "PRIVATE" in path.read_text()] == [files.private_key.name]


def test_those_that_are_good_for_long_are_kept_and_others_made_anew(tmp_path: Path) -> None:
    first = nats_certificates.kept_or_made(tmp_path, ["127.0.0.1"], NOW)
    written = first.certificate.read_bytes()
    almost = NOW + GOOD_FOR - RENEWED_BEFORE
    for now in (NOW, almost - datetime.timedelta(days=1)):
        assert nats_certificates.kept_or_made(tmp_path, ["127.0.0.1"], now).certificate.read_bytes() == written
    nats_certificates.kept_or_made(tmp_path, ["127.0.0.1"], almost)
    renewed = x509.load_pem_x509_certificate(first.certificate.read_bytes())
    assert renewed.not_valid_after_utc > NOW + GOOD_FOR
    first.ca.unlink()
    nats_certificates.kept_or_made(tmp_path, ["127.0.0.1"], NOW)
    shake_hands(first, "127.0.0.1")
