"""Events of endpoints, the readings each groups, what became of observations, logs, and reports no codec could read."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, text
from sqlalchemy.orm import Mapped, mapped_column

from flownexus_schemas.tables.base import Base


class Event(Base):
    """A significant occurrence that an endpoint reported: several readings that belong together, under one time.

    No foreign keys, as with `resource`.
    """

    __tablename__ = "event"
    __table_args__ = (Index("ix_event_series", "endpoint_id", "time"),)

    time: Mapped[datetime] = mapped_column(primary_key=True)
    stream_sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    endpoint_id: Mapped[int]
    event_type: Mapped[str]
    received_at: Mapped[datetime]


class EventResource(Base):
    """Which readings an event groups: many to many. The keys are those of `event` and `resource`.

    No foreign keys: TimescaleDB allows none between hypertables. One transaction writes all three.
    """

    __tablename__ = "event_resource"

    event_time: Mapped[datetime] = mapped_column(primary_key=True)
    event_stream_sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    resource_time: Mapped[datetime] = mapped_column(primary_key=True)
    resource_stream_sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    resource_record_index: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)


class ObservationOutcome(Base):
    """The newest state of each observation of an endpoint: established, refused or cancelled."""

    __tablename__ = "observation_outcome"

    endpoint_id: Mapped[int] = mapped_column(ForeignKey("endpoint.id"), primary_key=True)
    paths: Mapped[str] = mapped_column(primary_key=True, doc="Paths joined by a comma.")
    composite: Mapped[bool] = mapped_column(primary_key=True)
    state: Mapped[str]
    code: Mapped[str | None]
    diagnostic: Mapped[str | None]
    attributes: Mapped[dict[str, float] | None] = mapped_column(doc="Written for the profile.")
    attributes_code: Mapped[str | None]
    attributes_diagnostic: Mapped[str | None]
    time: Mapped[datetime]
    stream_sequence: Mapped[int]


class LogLine(Base):
    """A line of a device's own log."""

    __tablename__ = "log_line"
    __table_args__ = (Index("ix_log_line_series", "endpoint_id", "time"),)

    time: Mapped[datetime] = mapped_column(primary_key=True)
    stream_sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    endpoint_id: Mapped[int] = mapped_column(ForeignKey("endpoint.id"))
    level: Mapped[str]
    text: Mapped[str]


class UndecodedReport(Base):
    """A report whose payload could not be decoded, kept as it came, with the reason."""

    __tablename__ = "undecoded_report"
    __table_args__ = (
        Index("ix_undecoded_report_series", "endpoint_id", "received_at"),
        Index(
            "ix_undecoded_report_waiting",
            "received_at",
            "stream_sequence",
            postgresql_where=text("decoded_at is null and dismissed_at is null"),
        ),
    )

    received_at: Mapped[datetime] = mapped_column(primary_key=True)
    stream_sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    endpoint_id: Mapped[int] = mapped_column(ForeignKey("endpoint.id"))
    trigger: Mapped[str]
    paths: Mapped[str | None] = mapped_column(doc="What was observed or read, joined by a comma; null where unknown.")
    content_format: Mapped[int | None]
    payload: Mapped[bytes]
    reason: Mapped[str]
    decoded_at: Mapped[datetime | None] = mapped_column(doc="When a retry of it was stored as values.")
    dismissed_at: Mapped[datetime | None] = mapped_column(doc="When it was said that it waits for no retry.")
    decoded_in: Mapped[list[int]] = mapped_column(
        server_default="[]", doc="Stream sequences of the reports with its values, by part; 0 where one is missing."
    )
