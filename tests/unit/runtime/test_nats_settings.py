"""Settings of the connection to NATS that cannot work are refused, with what to do."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from flownexus_runtime.settings import NatsSettings

SECURE = "tls://gateway:a-word-of-the-tests@nats:4222"
PLAIN = SECURE.replace("tls://", "nats://")


@pytest.mark.parametrize(
    ("given", "field", "why"),
    [
        ({"nats_url": PLAIN, "nats_ca": "ca.pem"}, "nats_ca", "is for tls://"),
        ({"nats_url": PLAIN, "nats_server_name": "nats"}, "nats_server_name", "is for tls://"),
        ({"nats_url": f"{SECURE},{PLAIN}"}, "nats_url", "write tls:// for all of them"),
        ({"nats_url": SECURE, "nats_ca": "nowhere.pem"}, "nats_ca", r"nowhere\.pem cannot be read: No such file"),
        ({"nats_url": SECURE, "nats_ca": __file__}, "nats_ca", "has no certificate in PEM form"),
    ],
)
def test_what_cannot_work_is_refused(given: dict[str, str], field: str, why: str) -> None:
    with pytest.raises(ValidationError, match=why) as refusal:
        NatsSettings.model_validate(given)
    assert [error["loc"] for error in refusal.value.errors()] == [(field,)]


def test_an_empty_setting_is_one_that_is_not_set() -> None:
    settings = NatsSettings.model_validate({"nats_url": PLAIN, "nats_ca": "", "nats_server_name": ""})
    assert settings.nats_ca is None
    assert not settings.nats_uses_tls


def test_tls_needs_no_ca_of_ours() -> None:
    assert NatsSettings.model_validate({"nats_url": SECURE}).nats_uses_tls
