"""People and what they did. Written by api alone."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Identity, false, func
from sqlalchemy.orm import Mapped, mapped_column

from flownexus_schemas.tables.base import Base

ROLES = ("viewer", "operator", "administrator")


class User(Base):
    """Someone who can log in. `password_hash` is argon2id in PHC string form."""

    __tablename__ = "app_user"
    __table_args__ = (CheckConstraint(f"role in {ROLES!r}", name="role"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str]
    role: Mapped[str]
    disabled: Mapped[bool] = mapped_column(server_default=false())
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_login_at: Mapped[datetime | None]


class AuditEntry(Base):
    """One login or change: who, what, on what, when, from where."""

    __tablename__ = "audit_entry"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    time: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    actor: Mapped[str]
    action: Mapped[str]
    target: Mapped[str | None]
    source_address: Mapped[str | None]
    details: Mapped[dict[str, object] | None] = mapped_column()
