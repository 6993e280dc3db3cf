"""Bootstraps of devices, step by step."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, Integer
from sqlalchemy.orm import Mapped, mapped_column

from flownexus_schemas.tables.base import Base


class BootstrapStep(Base):
    """A bootstrap began, finished or failed. An endpoint that did not register yet is no row of `endpoint`."""

    __tablename__ = "bootstrap_step"
    __table_args__ = (Index("ix_bootstrap_step_of_endpoint", "endpoint", "time"),)

    time: Mapped[datetime] = mapped_column(primary_key=True)
    stream_sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    endpoint: Mapped[str]
    session: Mapped[str] = mapped_column(doc="The same for all steps of one bootstrap.")
    state: Mapped[str]
    text: Mapped[str]
    notes: Mapped[list[str]]
    code: Mapped[str | None]
    profile: Mapped[str | None]
    credentials: Mapped[list[str]] = mapped_column(doc="Ids of those that were issued.")
    identity: Mapped[str | None]
    address_host: Mapped[str]
    address_port: Mapped[int] = mapped_column(Integer)
    gateway: Mapped[str]
