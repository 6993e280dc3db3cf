"""People and what they did. Written by api alone."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Identity, UniqueConstraint, false, func
from sqlalchemy.orm import Mapped, mapped_column

from flownexus_schemas.tables.base import Base

ROLES = ("viewer", "operator", "administrator")


class User(Base):
    """Someone who can log in, or a program's account, which has tokens alone.

    `password_hash` is argon2id in PHC string form; null where no password opens the account. `issuer` and `subject`
    name the person at an OpenID Connect provider.
    """

    __tablename__ = "app_user"
    __table_args__ = (CheckConstraint(f"role in {ROLES!r}", name="role"), UniqueConstraint("issuer", "subject"))

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str | None]
    must_change_password: Mapped[bool] = mapped_column(server_default=false())
    role: Mapped[str]
    disabled: Mapped[bool] = mapped_column(server_default=false())
    issuer: Mapped[str | None]
    subject: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_login_at: Mapped[datetime | None]


class Session(Base):
    """One login. `token_hash` is SHA-256 of its access token; good until `expires_at`, renewed until `ends_at`."""

    __tablename__ = "app_session"

    id: Mapped[str] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("app_user.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    renewed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(index=True)
    ends_at: Mapped[datetime]
    source_address: Mapped[str | None]
    user_agent: Mapped[str | None]


class ApiToken(Base):
    """What a program sends in place of a login. `token_hash` is SHA-256 of it; the token itself is kept nowhere."""

    __tablename__ = "api_token"
    __table_args__ = (UniqueConstraint("user_id", "name"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("app_user.id", ondelete="CASCADE"))
    name: Mapped[str]
    scopes: Mapped[list[str]] = mapped_column()
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    last_used_from: Mapped[str | None]


class LoginFailure(Base):
    """Wrong passwords in a row, counted for an account at a network, an account, or a network (`kind`)."""

    __tablename__ = "login_failure"

    kind: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int]
    last_at: Mapped[datetime] = mapped_column(index=True)


class KnownNetwork(Base):
    """Where a user logged in from before."""

    __tablename__ = "known_network"

    user_id: Mapped[int] = mapped_column(ForeignKey("app_user.id", ondelete="CASCADE"), primary_key=True)
    network: Mapped[str] = mapped_column(primary_key=True)
    last_login_at: Mapped[datetime]


class AuditEntry(Base):
    """One login or change: who, what, on what, when, from where, and by which API token where it was one."""

    __tablename__ = "audit_entry"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    time: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    actor: Mapped[str]
    api_token: Mapped[str | None]
    action: Mapped[str]
    target: Mapped[str | None]
    source_address: Mapped[str | None]
    details: Mapped[dict[str, object] | None] = mapped_column()
