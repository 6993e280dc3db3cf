"""What is taken as a credential, and how it stands at a moment."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from flownexus_schemas.credentials import (
    CredentialState,
    PskCredential,
    X509Credential,
    pre_shared_key,
    stored_credential,
)

PSK: dict[str, Any] = {
    "id": "c1", "endpoint": "device-1", "type": "psk", "identity": "device-1", "sealed_key": "k.x", "created_at": 0.0,
}  # fmt: skip
X509: dict[str, Any] = {"id": "c2", "endpoint": "device-2", "type": "x509", "subject": "device-2", "created_at": 0.0}


def test_the_type_says_which_kind_an_entry_is() -> None:
    assert isinstance(stored_credential.validate_python(PSK), PskCredential)
    assert isinstance(stored_credential.validate_python(X509), X509Credential)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("device-2", "cn:device-2"),
        ("urn:imei:123", "cn:urn:imei:123"),
        ("cn:Device", "cn:Device"),
        ("dns:Device.Example", "dns:device.example"),
        ("uri:urn:dev:os:1", "uri:urn:dev:os:1"),
        ("sha256:" + "AB:" * 31 + "AB", "sha256:" + "ab" * 32),
    ],
)
def test_a_subject_has_a_kind_and_is_the_common_name_without_one(given: str, kept: str) -> None:
    credential = X509Credential.model_validate({**X509, "subject": given})
    assert credential.subject == kept
    assert X509Credential.model_validate_json(credential.model_dump_json()) == credential


@pytest.mark.parametrize("subject", ["", "cn:", "sha256:ab", "sha256:" + "g" * 64, "a\0b"])
def test_a_subject_that_no_certificate_can_have_is_refused(subject: str) -> None:
    with pytest.raises(ValidationError):
        X509Credential.model_validate({**X509, "subject": subject})


@pytest.mark.parametrize("identity", ["", "a\0b", "x" * 129, "ä" * 65])
def test_an_identity_that_dtls_cannot_carry_is_refused(identity: str) -> None:
    with pytest.raises(ValidationError):
        PskCredential.model_validate({**PSK, "identity": identity})


@pytest.mark.parametrize("change", [{"id": "_kv_x"}, {"id": "a.b"}, {"endpoint": ""}, {"endpoint": "ä" * 128}])
def test_an_id_or_endpoint_that_nats_cannot_carry_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        PskCredential.model_validate({**PSK, **change})


@pytest.mark.parametrize(
    ("times", "state"),
    [
        ({}, CredentialState.ACTIVE),
        ({"not_before": 101.0}, CredentialState.PENDING),
        ({"not_before": 100.0, "expires_at": 100.5}, CredentialState.ACTIVE),
        ({"expires_at": 100.0}, CredentialState.EXPIRED),
        ({"revoked_at": 100.0}, CredentialState.REVOKED),
        ({"revoked_at": 101.0}, CredentialState.ACTIVE),
        ({"revoked_at": 1.0, "expires_at": 2.0, "not_before": 200.0}, CredentialState.REVOKED),
    ],
)
def test_how_it_stands_follows_its_times(times: dict[str, float], state: CredentialState) -> None:
    assert PskCredential.model_validate({**PSK, **times}).state(100.0) is state


@pytest.mark.parametrize("text", ["000102030405060708090a0b0c0d0e0f", "00:01:02:03:04:05:06:07 08090A0B0C0D0E0F"])
def test_a_key_is_read_from_hex_as_people_write_it(text: str) -> None:
    assert pre_shared_key(text) == bytes(range(16))


@pytest.mark.parametrize("text", ["", "0x" + "1" * 32, "0" * 32, "01" * 16, "0123456789abcdef", "é" * 32, "1" * 33])
def test_what_is_no_key_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ValueError, match=r"^a key ") as refused:
        pre_shared_key(text)
    assert not text or text not in str(refused.value)
