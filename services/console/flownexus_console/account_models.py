"""What the REST API answers about users, logins and tokens, as far as the console reads it."""

from __future__ import annotations

from pydantic import AwareDatetime

from flownexus_schemas.cloudevent import Frozen


class User(Frozen):
    """A user."""

    name: str
    role: str
    disabled: bool = False
    has_password: bool = True
    issuer: str | None = None
    must_change_password: bool = False
    last_login_at: AwareDatetime | None = None


class Accounts(Frozen):
    """Users, by name."""

    items: tuple[User, ...]
    next: str | None = None


class NewAccount(User):
    """A user with the password that was made for them."""

    password: str | None = None


class LoginSession(Frozen):
    """One login that is still good."""

    id: str
    created_at: AwareDatetime
    renewed_at: AwareDatetime
    source_address: str | None = None
    user_agent: str | None = None
    is_this: bool = False


class LoginSessions(Frozen):
    """Where one is logged in, the newest first."""

    items: tuple[LoginSession, ...]


class EndedSessions(Frozen):
    """How many logins were ended."""

    ended: int


class AuditEntry(Frozen):
    """One login or change."""

    time: AwareDatetime
    actor: str
    api_token: str | None = None
    action: str
    target: str | None = None
    source_address: str | None = None
    details: dict[str, object] | None = None


class Audit(Frozen):
    """A page of the audit, the newest first."""

    items: tuple[AuditEntry, ...]
    next: str | None = None


class Token(Frozen):
    """An API token."""

    id: str
    name: str
    scopes: tuple[str, ...]
    expires_at: AwareDatetime
    last_used_at: AwareDatetime | None = None


class Tokens(Frozen):
    """API tokens, the newest first."""

    items: tuple[Token, ...]


class NewToken(Token):
    """An API token, with the token itself."""

    token: str
