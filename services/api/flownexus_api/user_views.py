"""Users, their sessions and tokens, as the api shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field
from sqlalchemy import Row

from flownexus_api.paging import Page
from flownexus_api.scopes import Scope

Role = Literal["viewer", "operator", "administrator"]


class Account(BaseModel):
    """A user."""

    name: str
    role: Role
    disabled: bool
    has_password: bool = Field(description="False for users of an identity provider, and for programs.")
    issuer: str | None = Field(description="The identity provider at which the user logs in.")
    must_change_password: bool = Field(description="Nothing else is allowed before that.")
    created_at: datetime
    last_login_at: datetime | None


class Accounts(Page[Account]):
    """A page of users, by name."""


class NewAccount(Account):
    """A user with the password that was made for them."""

    password: str | None = Field(description="Shown this once; null where none was made.")


class LoginSession(BaseModel):
    """One login that is still good."""

    id: str
    created_at: datetime
    renewed_at: datetime
    expires_at: datetime
    source_address: str | None
    user_agent: str | None
    is_this: bool = Field(description="Whether it is the one that asks.")


class LoginSessions(Page[LoginSession]):
    """The logins of a user, the newest first; always one page."""


class EndedSessions(BaseModel):
    """How many logins were ended."""

    ended: int


class AccessToken(BaseModel):
    """An API token, without the token itself."""

    id: str
    name: str
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None = Field(description="To within some seconds.")
    last_used_from: str | None


class AccessTokens(Page[AccessToken]):
    """The API tokens of a user, the newest first, with those that have expired; always one page."""


class NewAccessToken(AccessToken):
    """An API token that was just made."""

    token: str = Field(description="Shown this once: send it as `Authorization: Bearer ...`.")


def account(row: Row[Any]) -> dict[str, object]:
    """The fields of Account, of a row of users."""
    names = ("name", "role", "disabled", "issuer", "must_change_password", "created_at", "last_login_at")
    return {name: getattr(row, name) for name in names} | {"has_password": row.password_hash is not None}


def access_token(row: Row[Any]) -> AccessToken:
    """Of a row of tokens."""
    return AccessToken.model_validate(row, from_attributes=True)


def access_tokens(rows: list[Row[Any]]) -> AccessTokens:
    """All tokens of a user."""
    return AccessTokens(items=[access_token(row) for row in rows], next=None)
