"""Keys that devices are given at a bootstrap: kept over changes, sealed anew under another key of ours."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from flownexus_api.bootstrap_requests import BootstrapGiven, configuration
from flownexus_runtime.sealing import BOOTSTRAP, Sealer
from flownexus_schemas import objects
from flownexus_schemas.bootstrap.configuration import BootstrapConfiguration, account_binding
from flownexus_schemas.errors import InvalidRequest
from flownexus_schemas.lwm2m.object_model import ObjectModels

OLD, NEW = "the key of the tests that was before", "the key of the tests that is now there"
URI = "coaps://192.0.2.1"
ACCOUNT = {"uri": URI, "security": "psk", "identity": "node"}
KEY = "000102030405060708090a0b0c0d0e0f"


@pytest.fixture(scope="module")
def models() -> ObjectModels:
    return objects.load()


def sealer(*keys: str) -> Sealer:
    return Sealer(SecretStr(",".join(keys)), BOOTSTRAP)


def sealed(given: BootstrapConfiguration) -> str:
    found = given.servers[0].sealed_key
    assert found is not None
    return found


def declared(models: ObjectModels) -> BootstrapConfiguration:
    given = BootstrapGiven.model_validate({"servers": [{**ACCOUNT, "key": KEY}]})
    return configuration(given, "node-7", None, sealer(OLD), models)


def test_a_key_that_is_left_out_is_sealed_anew_under_another_key_of_ours(models: ObjectModels) -> None:
    former = declared(models)
    again = configuration(
        BootstrapGiven.model_validate({"servers": [ACCOUNT]}), "node-7", former, sealer(NEW, OLD), models
    )
    assert sealed(again) != sealed(former)
    assert sealer(NEW).open(sealed(again), account_binding("node-7", 1, URI)) == bytes.fromhex(KEY)


def test_a_key_that_cannot_be_opened_any_more_is_asked_for(models: ObjectModels) -> None:
    with pytest.raises(InvalidRequest, match="cannot be kept"):
        configuration(
            BootstrapGiven.model_validate({"servers": [ACCOUNT]}), "node-7", declared(models), sealer(NEW), models
        )
