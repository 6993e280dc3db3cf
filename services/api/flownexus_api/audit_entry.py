"""One entry of the audit as a statement."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Insert, insert

from flownexus_schemas.tables import AuditEntry

INSTALLATION = "installation"
"""The actor of what is done by someone with the database's own password."""

MAX_ACTOR = 100
MAX_TARGET = 1000


def audit_entry(
    actor: str,
    action: str,
    target: str | None = None,
    *,
    address: str | None = None,
    api_token: str | None = None,
    details: Mapping[str, object] | None = None,
) -> Insert:
    """A NUL, which PostgreSQL has not, is shown by its symbol; what is too long is cut."""
    return insert(AuditEntry).values(
        actor=_text(actor)[:MAX_ACTOR],
        api_token=api_token,
        action=action,
        target=None if target is None else _text(target)[:MAX_TARGET],
        source_address=address,
        details=None if details is None else dict(details),
    )


def _text(text: str) -> str:
    return text.replace("\0", "\N{SYMBOL FOR NULL}")
