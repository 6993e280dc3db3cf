"""Examples of credentials of devices in the OpenAPI document."""

from __future__ import annotations

from typing import Any

_ID, _NEXT = "5b0c2f7a91d3e864", "c41d9e0a7b5f2836"

_KEY: dict[str, Any] = {
    "id": _ID,
    "endpoint": "urn:imei:123456789012345",
    "type": "psk",
    "identity": "urn:imei:123456789012345",
    "subject": None,
    "state": "active",
    "created_at": "2026-03-01T08:00:00Z",
    "not_before": None,
    "expires_at": None,
    "until_used": None,
    "revoked_at": None,
}
_CERTIFICATE: dict[str, Any] = {
    **_KEY,
    "id": "90ab34cd12ef5678",
    "endpoint": "urn:dev:os:32473-7",
    "type": "x509",
    "identity": None,
    "subject": "cn:urn:dev:os:32473-7",
    "expires_at": "2027-03-01T08:00:00Z",
}

IMPORTED_CSV = (
    "endpoint,type,identity,key,subject\r\n"
    "urn:imei:123456789012345,psk,,000102030405060708090a0b0c0d0e0f,\r\n"
    "pump-7,x509,,,cn:pump-7\r\n"
)
EXPORTED_CSV = (
    "id,endpoint,type,identity,subject,state,created_at,not_before,expires_at,until_used,revoked_at\r\n"
    "90ab34cd12ef5678,pump-7,x509,,cn:pump-7,active,2026-03-01T08:00:00Z,,,,\r\n"
)

CREDENTIAL_EXAMPLES: dict[str, dict[str, Any]] = {
    "Credential": _KEY,
    "Credentials": {"items": [_CERTIFICATE, _KEY], "next": None},
    "ImportedCredentials": {
        "imported": 2,
        "dry_run": False,
        "items": [{**_CERTIFICATE, "key": None}, {**_KEY, "key": "3f9d0c5e71ab24688c02d94fe6b7a513"}],
    },
    "MadeCredential": {**_KEY, "key": "3f9d0c5e71ab24688c02d94fe6b7a513"},
    "ResealedCredentials": {"resealed": 1000, "left": 417},
    "RotatedCredential": {
        "made": {**_KEY, "id": _NEXT, "created_at": "2026-06-01T08:00:00Z", "key": "a8d10f6c92e45b37710ce3d82f4b9a65"},
        "former": {**_KEY, "expires_at": "2026-06-08T08:00:00Z", "until_used": _NEXT},
    },
    "NewPskCredential": {"endpoint": "urn:imei:123456789012345", "type": "psk"},
    "NewX509Credential": {"endpoint": "urn:dev:os:32473-7", "type": "x509", "subject": "cn:urn:dev:os:32473-7"},
    "Rotation": {"until": "2026-06-08T08:00:00Z"},
}
