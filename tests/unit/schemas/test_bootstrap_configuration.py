"""What devices are given at a bootstrap, and who is given what."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from flownexus_schemas.bootstrap.configuration import (
    BootstrapConfiguration,
    BootstrapProfile,
    ServerAccount,
    choose,
)

OPEN: dict[str, Any] = {"uri": "coap://192.0.2.1:5683", "security": "none"}
ISSUED: dict[str, Any] = {"uri": "coaps://192.0.2.1:5684", "security": "psk"}


def test_a_key_is_issued_where_no_identity_is_given() -> None:
    assert ServerAccount(**ISSUED).is_issued
    assert not ServerAccount(**ISSUED, identity="a", sealed_key="b").is_issued
    assert not ServerAccount(**OPEN).has_key


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({**OPEN, "uri": "http://192.0.2.1"}, "such as coaps://host:5684"),
        ({**OPEN, "uri": "coap://192.0.2.1:99999"}, "is no URI"),
        ({**OPEN, "uri": f"coap://{'h' * 250}"}, "1 to 255 bytes"),
        ({**OPEN, "uri": "coaps://192.0.2.1"}, "does not go with coaps"),
        ({**ISSUED, "uri": "coap://192.0.2.1"}, "does not go with coap"),
        ({**ISSUED, "identity": "a"}, "belong together"),
        ({**OPEN, "sealed_key": "a"}, "has no identity and no key"),
        ({**ISSUED, "security": "x509"}, "needs the certificate"),
        ({**ISSUED, "certificate": b"MA"}, "x509 alone"),
        ({**OPEN, "short_server_id": 0}, "greater than 0"),
        ({**OPEN, "short_server_id": 65535}, "less than or equal to 65534"),
        ({**OPEN, "binding": "UU"}, "each once"),
    ],
)
def test_an_account_that_cannot_be_says_why(wrong: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        ServerAccount(**wrong)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"servers": []}, "at least 1"),
        ({"servers": [OPEN, ISSUED]}, "the same short_server_id"),
        ({"values": [{"path": "0/0/0", "value": "x"}]}, "say it in servers"),
        ({"values": [{"path": "2/0", "value": "x"}]}, "no resource"),
        ({"values": [{"path": "2/0/0", "value": 1}, {"path": "/2/0/0", "value": 2}]}, "twice"),
        ({"delete": ["0/1"]}, "may be the account of the bootstrap server"),
        ({"delete": ["3/0/1"]}, "only objects and instances"),
    ],
)
def test_a_configuration_that_cannot_be_says_why(wrong: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        BootstrapConfiguration.model_validate({"servers": [OPEN], **wrong})


def test_bytes_of_certificates_survive_the_bucket() -> None:
    account = {**ISSUED, "security": "x509", "certificate": bytes(range(256)), "sealed_key": "s"}
    given = BootstrapConfiguration.model_validate({"servers": [account]})
    assert BootstrapConfiguration.model_validate_json(given.model_dump_json()) == given


def test_an_endpoints_own_counts_before_profiles_and_the_highest_priority_among_them() -> None:
    own = BootstrapConfiguration.model_validate({"servers": [OPEN]})
    profiles = {
        "all": BootstrapProfile.model_validate({"servers": [OPEN]}),
        "meters": BootstrapProfile.model_validate({"servers": [OPEN], "endpoints": ["meter-*"], "priority": 1}),
        "cellar": BootstrapProfile.model_validate({"servers": [OPEN], "tags": ["cellar"], "priority": 2}),
    }
    assert choose({"meter-1": own}, profiles, "meter-1") == (own, None)
    for endpoint, tags, name in [("meter-2", (), "meters"), ("meter-2", ("cellar",), "cellar"), ("other", (), "all")]:
        chosen = choose({"meter-1": own}, profiles, endpoint, tags)
        assert chosen is not None
        assert chosen == (profiles[name], name)


def test_nobody_is_given_anything_that_nobody_said() -> None:
    profiles = {"meters": BootstrapProfile.model_validate({"servers": [OPEN], "endpoints": ["meter-*"]})}
    assert choose({}, profiles, "other") is None


def test_a_profile_gives_no_key_to_several() -> None:
    given = {**ISSUED, "identity": "a", "sealed_key": "b"}
    with pytest.raises(ValidationError, match="would be that of all its devices"):
        BootstrapProfile.model_validate({"servers": [given]})
    BootstrapConfiguration.model_validate({"servers": [given]})
