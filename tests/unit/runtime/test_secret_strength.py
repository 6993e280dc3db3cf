"""Which secrets a service does not start with."""

from __future__ import annotations

import secrets

import pytest
from pydantic import ValidationError

from flownexus_ingest.settings import IngestSettings
from flownexus_runtime.secret_strength import LEAST_PASSWORD, check_secret, check_url

STRONG = "0f3c8b1d7a9e5246"


@pytest.mark.parametrize("make", [lambda: secrets.token_hex(32), lambda: secrets.token_urlsafe(32)])
def test_generated_ones_are_taken(make: object) -> None:
    assert callable(make)
    for _ in range(200):
        check_secret(make())


@pytest.mark.parametrize(
    ("weak", "why"),
    [
        ("", "too short"),
        ("0f3c8b1d7a9e524", "too short"),
        ("x" * 40, "repeats few characters"),
        ("abcabcabcabcabcabc", "repeats few characters"),
        ("changeme-0f3c8b1d7a9e5246", "placeholder"),
        ("MyPassword1234567890", "placeholder"),
        ("an-example-key-0123456789", "placeholder"),
    ],
)
def test_weak_ones_are_refused_with_why_and_what_to_do(weak: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as refusal:
        check_secret(weak, LEAST_PASSWORD)
    assert "openssl rand" in str(refusal.value)
    assert not weak or weak not in str(refusal.value)


@pytest.mark.parametrize(
    "url", ["nats://127.0.0.1:4222", "nats://user@h:4222", "nats://user:@h", f"nats://a:{STRONG}@h,nats://h"]
)
def test_a_url_without_a_password_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="has no password"):
        check_url(url)


def test_a_password_is_looked_at_as_it_is_meant() -> None:
    check_url(f"postgresql://user:%40{STRONG}@h:5432/d")
    with pytest.raises(ValueError, match="its password is too short"):
        check_url("postgresql://user:%61%61%61%61%61%61@h:5432/d")


def test_each_weak_setting_is_named_and_all_pass_where_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWNEXUS_NATS_URL", "nats://127.0.0.1:4222")
    monkeypatch.setenv("FLOWNEXUS_DATABASE_URL", "postgresql://postgres:postgres@h/d")
    with pytest.raises(ValidationError) as refusal:
        IngestSettings()
    assert {error["loc"] for error in refusal.value.errors()} == {("nats_url",), ("database_url",)}
    monkeypatch.setenv("FLOWNEXUS_ALLOW_WEAK_SECRETS", "true")
    IngestSettings()
