"""What an API token is good for. It never does more than its owner may do: a route asks for a scope and a role."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from flownexus_schemas.tables.accounts import ROLES


class Scope(StrEnum):
    """One scope; none contains another."""

    READ = "read"
    OPERATE = "operate"
    CONFIGURE = "configure"
    FIRMWARE = "firmware"
    CREDENTIALS = "credentials"
    ADMINISTER = "administer"


MEANING: Mapping[Scope, str] = {
    Scope.READ: "reads everything about devices: values, history, events, logs, operations, profiles, models, images",
    Scope.OPERATE: "asks devices, now, as an operation or by desired values; tries reports and messages again",
    Scope.CONFIGURE: "changes profiles, tags and object models",
    Scope.FIRMWARE: "uploads and removes images, links to them, updates devices",
    Scope.CREDENTIALS: "makes, rotates and revokes credentials of devices",
    Scope.ADMINISTER: "manages users and reads the audit",
}

LEAST_ROLE: Mapping[Scope, str] = {
    Scope.READ: "viewer",
    Scope.OPERATE: "operator",
    Scope.CONFIGURE: "operator",
    Scope.FIRMWARE: "operator",
    Scope.CREDENTIALS: "administrator",
    Scope.ADMINISTER: "administrator",
}
"""The lowest role that can use a scope at all."""


def is_at_least(role: str, least: str) -> bool:
    """Whether a role is this one or above it."""
    return ROLES.index(role) >= ROLES.index(least)


def beyond(scopes: Iterable[Scope], role: str) -> list[Scope]:
    """Those of the scopes that are of no use to this role."""
    return sorted(scope for scope in scopes if not is_at_least(role, LEAST_ROLE[scope]))
