"""Which credentials are told of before they end, and how often."""

from __future__ import annotations

from structlog.testing import capture_logs

from flownexus_api.credential_expiry import EXPIRING, ExpiryWarnings
from flownexus_runtime.live_credentials import LiveCredentials
from flownexus_schemas.credentials import X509Credential

DAY = 86_400.0
NOW = 1_700_000_000.0


def put(live: LiveCredentials, id_: str, revision: int, **fields: object) -> None:
    given = {"id": id_, "endpoint": f"device-{id_}", "subject": f"cn:{id_}", "created_at": 0.0, **fields}
    live.apply(id_, X509Credential.model_validate(given).model_dump_json().encode(), revision)


def told(warnings: ExpiryWarnings, live: LiveCredentials, now: float) -> list[str]:
    with capture_logs() as logs:
        warnings.tell(live, now)
    return [entry["credential"] for entry in logs if entry["event"] == "credential.expires_soon"]


def test_each_end_is_told_once_thirty_days_before() -> None:
    live, warnings = LiveCredentials(None), ExpiryWarnings()
    put(live, "a", 1, expires_at=NOW + 31 * DAY)
    put(live, "never", 2)
    put(live, "past", 3, expires_at=NOW - DAY)
    put(live, "revoked", 4, expires_at=NOW + DAY, revoked_at=NOW - DAY)
    put(live, "followed", 5, expires_at=NOW + DAY, until_used="never")
    put(live, "soon", 6, expires_at=NOW + 29 * DAY)
    assert told(warnings, live, NOW) == ["soon"]
    assert EXPIRING._value.get() == 1
    assert told(warnings, live, NOW + DAY) == ["a"]
    assert EXPIRING._value.get() == 2
    assert told(warnings, live, NOW + 2 * DAY) == []
    put(live, "soon", 7, expires_at=NOW + 31 * DAY)
    assert told(warnings, live, NOW + 2 * DAY) == ["soon"]
    assert told(warnings, live, NOW + 32 * DAY) == []
    assert EXPIRING._value.get() == 0
