"""Desired values as they stand: a projection of LWM2M_OPERATIONS."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from flownexus_schemas.tables.base import Base

NO_ATTRIBUTE = ""
"""`attribute` where it is the value of the resource: a key column cannot be null."""


class DesiredValue(Base):
    """What one resource of one endpoint, or one notification attribute of it, should be, and what it is.

    It has the endpoint's name, as operations have: the endpoint need not have registered yet.
    """

    __tablename__ = "desired_value"
    __table_args__ = (
        Index(
            "ix_desired_value_out_of_sync",
            "endpoint",
            "path",
            "attribute",
            postgresql_where=text("state <> 'in-sync'"),
        ),
        Index("ix_desired_value_of_profile", "profile", "endpoint", "path", "attribute"),
        Index("ix_desired_value_of_path", "path", "endpoint", "attribute"),
    )

    endpoint: Mapped[str] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(primary_key=True)
    attribute: Mapped[str] = mapped_column(primary_key=True)
    type: Mapped[str | None] = mapped_column(doc="A `DataType`; null for attributes.")
    desired: Mapped[Any | None] = mapped_column(JSONB, doc="Null: an attribute that should not be there.")
    profile: Mapped[str | None] = mapped_column(doc="Null: declared for the endpoint itself.")
    state: Mapped[str] = mapped_column(doc="in-sync, pending, drifted, refused or absent.")
    since: Mapped[datetime]
    reported: Mapped[Any | None] = mapped_column(JSONB)
    reported_at: Mapped[datetime | None]
    checked_at: Mapped[datetime | None]
    code: Mapped[str | None]
    reason: Mapped[str | None]
    stream_sequence: Mapped[int]
