"""What changes by what is asked, on the credentials that there are."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from flownexus_api import credential_decisions as decisions
from flownexus_api.credential_requests import NewPskCredential
from flownexus_runtime.live_credentials import LiveCredentials
from flownexus_runtime.sealing import CREDENTIALS, Sealer
from flownexus_schemas.errors import Conflict

OLD, NEW = "o" * 32, "n" * 32
NOW = 1_700_000_000.0


def sealer(*keys: str) -> Sealer:
    return Sealer(SecretStr(",".join(keys)), CREDENTIALS)


def with_one(keys: Sealer) -> LiveCredentials:
    made = decisions.make(NewPskCredential(type="psk", endpoint="d"), keys, NOW).credential
    live = LiveCredentials(None)
    live.apply(made.id, made.model_dump_json().encode(), 1)
    return live


def test_only_what_another_key_sealed_is_sealed_anew() -> None:
    live = with_one(sealer(OLD))
    assert decisions.reseal(live, sealer(OLD), 9) == []
    [change] = decisions.reseal(live, sealer(NEW, OLD), 9)
    assert change.credential is not None
    live.apply(change.id, change.credential.model_dump_json().encode(), 2)
    assert (decisions.stale(live, sealer(NEW)), len(decisions.stale(live, sealer(OLD)))) == ([], 1)


def test_a_key_that_no_key_opens_is_named_and_nothing_is_sealed() -> None:
    live = with_one(sealer(OLD))
    with pytest.raises(Conflict, match="add that one behind a comma"):
        decisions.reseal(live, sealer(NEW), 9)
