"""Sealed secrets: they open with the same key for the same thing, and with nothing else."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr, ValidationError

from flownexus_runtime.sealing import CredentialsKey, NotOpened, Sealer

OLD, NEW = "old 0f3c8b1d7a9e5246c0f3c8b1d7a9", "new 0f3c8b1d7a9e5246c0f3c8b1d7a9"
SEALER = Sealer(SecretStr(NEW), "tests")


@given(st.binary(max_size=200), st.binary(max_size=50))
def test_what_is_sealed_opens_with_its_binding(plain: bytes, binding: bytes) -> None:
    assert SEALER.open(SEALER.seal(plain, binding), binding) == plain


def test_the_secret_is_not_in_the_text_and_no_two_texts_are_alike() -> None:
    texts = {SEALER.seal(b"secret", b"") for _ in range(100)}
    assert len(texts) == 100
    assert not any("secret" in text or "c2VjcmV0" in text for text in texts)


@pytest.mark.parametrize("binding", [b"", b"b", b"a\0"])
def test_another_binding_does_not_open_it(binding: bytes) -> None:
    with pytest.raises(NotOpened, match="belongs to something else"):
        SEALER.open(SEALER.seal(b"secret", b"a"), binding)


def test_another_purpose_does_not_open_it() -> None:
    with pytest.raises(NotOpened, match="another FLOWNEXUS_CREDENTIALS_KEY"):
        Sealer(SecretStr(NEW), "other").open(SEALER.seal(b"secret", b""), b"")


@given(st.integers(0, 33), st.integers(1, 255))
def test_a_changed_byte_does_not_open(at: int, change: int) -> None:
    key_id, _, text = SEALER.seal(b"secret", b"").partition(".")
    raw = bytearray(base64.urlsafe_b64decode(text))
    raw[at] ^= change
    with pytest.raises(NotOpened):
        SEALER.open(f"{key_id}.{base64.urlsafe_b64encode(raw).decode()}", b"")


@pytest.mark.parametrize("text", ["", ".", "x", "ä.ö", SEALER.seal(b"", b"").partition(".")[0] + "."])
def test_what_is_no_sealed_text_does_not_open(text: str) -> None:
    with pytest.raises(NotOpened):
        SEALER.open(text, b"")


def test_a_new_key_in_front_seals_and_the_old_one_behind_it_opens() -> None:
    old, both = Sealer(SecretStr(OLD), "tests"), Sealer(SecretStr(f"{NEW},{OLD}"), "tests")
    before = old.seal(b"secret", b"")
    assert both.open(before, b"") == b"secret"
    assert not both.is_current(before)
    after = both.seal(b"secret", b"")
    assert both.is_current(after)
    with pytest.raises(NotOpened):
        old.open(after, b"")


class Settings(BaseModel):
    key: CredentialsKey


@pytest.mark.parametrize("text", ["", "short", f"{NEW},", f"{NEW},short"])
def test_a_short_key_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="32 characters or more"):
        Settings.model_validate({"key": text})
