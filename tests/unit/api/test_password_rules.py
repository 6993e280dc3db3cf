"""Which passwords may be chosen."""

from __future__ import annotations

import pytest

from flownexus_api import passwords
from flownexus_api.password_rules import check
from flownexus_schemas.errors import InvalidRequest


@pytest.mark.parametrize(
    "good",
    [
        "correct horse battery",
        "quite another pass phrase",
        "all lower case without digits",
        "漢字とひらがなのながいパスワード",
        "x9!" * 10 + "kvQp-7mzL",
        "eleven crows walk past a lamp " * 30,
    ],
)
def test_long_ones_of_any_characters_are_taken(good: str) -> None:
    check(good, "vera")


@pytest.mark.parametrize("bad", ["", "short", "fourteen chars", "x" * 1025])
def test_one_that_is_too_short_or_too_long_is_refused_with_what_to_do(bad: str) -> None:
    with pytest.raises(InvalidRequest, match="15 to 1024 characters"):
        check(bad, "vera")


@pytest.mark.parametrize(
    "bad",
    [
        "passwordpassword",
        "password12345678",
        "111111111111111",
        "qwertyuiopasdfgh",
        "abcdefghijklmnop",
        "letmeinletmeinletmein",
        "vera.hansen1vera.hansen1",
        "FlowNexusFlowNexus",
        "administrator2026",
    ],
)
def test_one_that_is_easily_guessed_is_refused(bad: str) -> None:
    with pytest.raises(InvalidRequest, match="easily guessed"):
        check(bad, "vera.hansen1")


def test_generated_ones_meet_the_rules() -> None:
    for _ in range(20):
        check(passwords.generate(), "vera")


def test_hashes_are_argon2id_with_the_parameters_that_the_manual_states() -> None:
    hashed = passwords.hash_password("correct horse battery")
    assert hashed.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert not passwords.is_outdated(hashed)
    assert passwords.verify(hashed, "correct horse battery")
    assert not passwords.verify(hashed, "correct horse batterx")
    assert not passwords.verify("no hash", "correct horse battery")
    assert not passwords.verify(None, "correct horse battery")
