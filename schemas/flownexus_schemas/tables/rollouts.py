"""Rollouts of firmware: projections of LWM2M_OPERATIONS."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, Integer
from sqlalchemy.orm import Mapped, mapped_column

from flownexus_schemas.tables.base import Base


class Rollout(Base):
    """A rollout as it stands: its settings, groups, status and last action."""

    __tablename__ = "rollout"
    __table_args__ = (Index("ix_rollout_created", "created_at", "id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    status: Mapped[str]
    firmware_id: Mapped[str | None] = mapped_column(doc="Null where devices get back what they had, each its own.")
    firmware_name: Mapped[str | None]
    version: Mapped[str | None]
    state: Mapped[dict[str, object]] = mapped_column(doc="All of it.")
    rollback_of: Mapped[str | None] = mapped_column(index=True)
    created_at: Mapped[datetime]
    requested_by: Mapped[str | None]
    finished_at: Mapped[datetime | None]
    last_action: Mapped[str]
    stream_sequence: Mapped[int]


class RolloutDevice(Base):
    """A device of a rollout as it stands. Those that are left out are in group 0.

    The plan comes before the rollout itself: rows whose rollout is not there are of one that was never made.
    """

    __tablename__ = "rollout_device"
    __table_args__ = (Index("ix_rollout_device_place", "rollout_id", "place"),)

    rollout_id: Mapped[str] = mapped_column(primary_key=True)
    endpoint: Mapped[str] = mapped_column(primary_key=True, index=True)
    place: Mapped[int] = mapped_column(Integer, server_default="0", doc="In the order of the plan, through all groups.")
    group_number: Mapped[int] = mapped_column(Integer)
    status: Mapped[str]
    firmware_id: Mapped[str | None]
    version: Mapped[str | None]
    attempt: Mapped[int] = mapped_column(Integer)
    update_id: Mapped[str | None]
    begun_at: Mapped[datetime | None]
    updated_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    version_before: Mapped[str | None]
    last_action: Mapped[str]
    stream_sequence: Mapped[int]


class RolloutChange(Base):
    """What happened to a rollout, or to a device of it, one row a step: its history."""

    __tablename__ = "rollout_change"
    __table_args__ = (Index("ix_rollout_change_of_rollout", "rollout_id", "endpoint", "stream_sequence"),)

    rollout_id: Mapped[str] = mapped_column(primary_key=True)
    stream_sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    time: Mapped[datetime]
    endpoint: Mapped[str | None] = mapped_column(doc="Null where it is the rollout that changed.")
    status: Mapped[str]
    action: Mapped[str]
