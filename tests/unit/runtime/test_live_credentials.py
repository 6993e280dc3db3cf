"""Credentials as the bucket has them: found by what a device shows, gone at once when they are taken away."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from flownexus_runtime.live_credentials import LiveCredentials
from flownexus_runtime.sealing import CREDENTIALS, NotOpened, Sealer
from flownexus_schemas.credentials import PskCredential, X509Credential, key_binding

SEALER = Sealer(SecretStr("k" * 32), CREDENTIALS)


def psk(id_: str, identity: str = "device-1", key: bytes = b"0" * 16, **fields: float) -> PskCredential:
    sealed = SEALER.seal(key, key_binding(id_, "device-1", identity))
    return PskCredential.model_validate(
        {"id": id_, "endpoint": "device-1", "identity": identity, "sealed_key": sealed, "created_at": 0.0, **fields}
    )


def entry(credential: PskCredential | X509Credential) -> tuple[str, bytes]:
    return credential.id, credential.model_dump_json().encode()


@pytest.fixture
def live() -> LiveCredentials:
    return LiveCredentials(SEALER)


def test_a_key_is_found_by_its_identity(live: LiveCredentials) -> None:
    live.apply(*entry(psk("c1", key=b"secret-key-bytes")), 1)
    assert [live.key(one) for one in live.of_identity("device-1")] == [b"secret-key-bytes"]
    assert live.of_identity("cn:device-1") == live.of_identity("device-2") == []


def test_of_several_with_one_identity_the_newest_comes_first(live: LiveCredentials) -> None:
    for number, (id_, at) in enumerate([("a", 5.0), ("b", 9.0), ("c", 1.0)]):
        live.apply(*entry(psk(id_, created_at=at)), number + 1)
    assert [one.id for one in live.of_identity("device-1")] == ["b", "a", "c"]


def test_a_certificate_is_found_by_any_of_its_subjects(live: LiveCredentials) -> None:
    credential = X509Credential(id="c1", endpoint="device-1", subject="uri:urn:1", created_at=0.0)
    live.apply(*entry(credential), 1)
    assert live.of_subjects(["cn:x", "uri:urn:1"]) == [credential]
    assert live.of_subjects(["cn:urn:1"]) == []
    assert live.of_identity("uri:urn:1") == []


def test_a_change_is_told_once_and_an_older_entry_changes_nothing(live: LiveCredentials) -> None:
    told: list[str] = []
    live.on_changes.append(told.append)
    live.apply(*entry(psk("c1")), 1)
    revoked = psk("c1").model_copy(update={"revoked_at": 7.0})
    live.apply(*entry(revoked), 3)
    live.apply(*entry(revoked), 4)
    live.apply(*entry(psk("c1")), 2)
    assert (live.get("c1"), told) == (revoked, ["c1", "c1"])


def test_an_entry_that_was_deleted_is_found_no_more(live: LiveCredentials) -> None:
    live.apply(*entry(psk("c1")), 1)
    live.apply("c1", None, 2)
    assert (live.of_identity("device-1"), live.get("c1"), len(live)) == ([], None, 0)


@pytest.mark.parametrize("value", [b"", b"{}", b"{", psk("c2").model_dump_json().encode()])
def test_by_an_entry_that_cannot_be_read_nobody_gets_in(live: LiveCredentials, value: bytes) -> None:
    live.apply(*entry(psk("c1")), 1)
    live.apply("c1", value, 2)
    assert live.of_identity("device-1") == []


def test_a_key_that_was_moved_to_another_endpoint_does_not_open(live: LiveCredentials) -> None:
    live.apply(*entry(psk("c1").model_copy(update={"endpoint": "device-2"})), 1)
    with pytest.raises(NotOpened):
        live.key(live.of_identity("device-1")[0])


def test_the_use_of_one_ends_those_before_it_even_where_they_go_round(live: LiveCredentials) -> None:
    chain = {"a": "b", "b": "c", "c": None}
    for number, (id_, following) in enumerate(chain.items()):
        live.apply(*entry(psk(id_).model_copy(update={"until_used": following})), number + 1)
    assert [one.id for one in live.until_used("c")] == ["b", "a"]
    assert [one.id for one in live.until_used("a")] == []
    live.apply(*entry(psk("c").model_copy(update={"until_used": "a"})), 4)
    assert {one.id for one in live.until_used("a")} == {"a", "b", "c"}
    live.apply("b", None, 5)
    assert [one.id for one in live.until_used("c")] == []
    assert (live.revision_of("b"), live.revision_of("x")) == (5, 0)
