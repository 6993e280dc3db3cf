"""Examples of users, logins, tokens and the audit in the OpenAPI document."""

from __future__ import annotations

import json
from typing import Any

from flownexus_api.scopes import Scope

_VERA: dict[str, Any] = {
    "name": "vera",
    "role": "operator",
    "disabled": False,
    "has_password": True,
    "issuer": None,
    "must_change_password": False,
    "created_at": "2026-03-01T08:00:00Z",
    "last_login_at": "2026-03-02T07:55:12Z",
}

_TOKEN: dict[str, Any] = {
    "id": "3f1a6c0d9b7e5a42",
    "name": "nightly report",
    "scopes": ["read"],
    "created_at": "2026-03-01T08:10:00Z",
    "expires_at": "2026-05-30T08:10:00Z",
    "last_used_at": "2026-03-02T02:00:05Z",
    "last_used_from": "192.0.2.20",
}

_GOOD: dict[str, Any] = {
    "access_token": "fns_Zs1B7hQ0cN2xXyq3u8oKpT5vWmLrJfEaGdIiHbSgUkM",
    "token_type": "bearer",
    "expires_in": 900,
}

_ENTRY: dict[str, Any] = {
    "id": 4711,
    "time": "2026-03-02T09:41:30Z",
    "actor": "vera",
    "api_token": None,
    "action": "device.write",
    "target": "urn:imei:123456789012345",
    "source_address": "192.0.2.20",
    "details": {"paths": ["1/0/1"], "code": "2.04"},
}

AUDIT_LINE = json.dumps(_ENTRY) + "\n"
AUDIT_CSV = (
    "id,time,actor,api_token,action,target,source_address,details\r\n"
    "4711,2026-03-02T09:41:30+00:00,vera,,login.succeeded,,192.0.2.20,\r\n"
)

ACCOUNT_EXAMPLES: dict[str, dict[str, Any]] = {
    "Account": _VERA,
    "Accounts": {"items": [_VERA], "next": None},
    "NewAccount": {**_VERA, "last_login_at": None, "must_change_password": True, "password": "mJ0d5-Yz8kQwT2_x"},
    "AccessToken": _TOKEN,
    "AccessTokens": {"items": [_TOKEN], "next": None},
    "NewAccessToken": {
        **_TOKEN,
        "last_used_at": None,
        "last_used_from": None,
        "token": "fnt_q8mT1rVbK4sXw0YpZc7LhNeUoD3gJfAa2EiS6kRyBxQ",
    },
    "LoginSessions": {
        "items": [
            {
                "id": "9c2e51b07fd3a864",
                "created_at": "2026-03-02T07:55:12Z",
                "renewed_at": "2026-03-02T09:40:00Z",
                "expires_at": "2026-03-02T09:55:00Z",
                "source_address": "192.0.2.20",
                "user_agent": "Mozilla/5.0",
                "is_this": True,
            }
        ],
        "next": None,
    },
    "Audit": {"items": [_ENTRY], "next": None},
    "EndedSessions": {"ended": 2},
    "LoggedOut": {"name": "vera"},
    "Me": {
        "name": "vera",
        "role": "operator",
        "scopes": sorted(Scope),
        "api_token": None,
        "must_change_password": False,
    },
    "LoginMethods": {"password": True, "oidc": "my.example"},
    "LoginBegun": {
        "url": "https://login.my.example/auth?response_type=code&client_id=flownexus&code_challenge=...",
        "state": "n7Qf0c1mXw",
        "nonce": "pT5vWmLrJf",
        "code_verifier": "EaGdIiHbSgUkMZs1B7hQ0cN2xXyq3u8oKpT5vWmLrJf",
    },
    "Token": _GOOD,
    "Renewed": _GOOD,
}
