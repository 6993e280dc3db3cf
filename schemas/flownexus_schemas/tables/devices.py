"""Endpoints, the types of their resources, every reading and the latest one."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    Computed,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    false,
    func,
)
from sqlalchemy.orm import Mapped, mapped_column

from flownexus_schemas.tables.base import Base

NO_INSTANCE = -1
"""`resource_instance_id` of a resource that is not multiple: a key column cannot be null."""

ONE_VALUE = "num_nonnulls(value_text, value_integer, value_float, value_boolean, value_bytes) = 1"


class Endpoint(Base):
    """A device, known by its unique name, with its registration as last heard.

    Online, asleep or offline depends on the clock, so it is computed when asked: view `endpoint_status`
    (`offline` where not registered or past `expires_at`; `asleep` where `queue_mode` and past `awake_until`; else
    `online`). It has too whether the endpoint is `overdue`, and when it will be heard next (`next_expected_at`,
    `next_expected_by`), from `endpoint_wake_ups`.
    """

    __tablename__ = "endpoint"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    registered: Mapped[bool] = mapped_column(server_default=false())
    registration_id: Mapped[str | None]
    lwm2m_version: Mapped[str | None]
    binding: Mapped[str | None]
    queue_mode: Mapped[bool] = mapped_column(server_default=false())
    awake_window_s: Mapped[float | None]
    answers_asleep_within_s: Mapped[float | None]
    lifetime_s: Mapped[int | None]
    address_host: Mapped[str | None]
    address_port: Mapped[int | None] = mapped_column(Integer)
    identity: Mapped[str | None]
    gateway: Mapped[str | None]
    root_path: Mapped[str | None]
    object_links: Mapped[list[str]] = mapped_column(server_default="[]")
    object_versions: Mapped[dict[str, str]] = mapped_column(server_default="{}")
    content_formats: Mapped[list[int]] = mapped_column(server_default="[]")
    registration_warnings: Mapped[list[str]] = mapped_column(server_default="[]")
    first_seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    registered_at: Mapped[datetime | None]
    last_seen_at: Mapped[datetime | None]
    spoke_at: Mapped[datetime | None] = mapped_column(doc="When it last sent anything by itself: no answer.")
    awake_until: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    last_sequence: Mapped[int] = mapped_column(server_default="0", doc="Stream sequence of the newest event applied.")


class EndpointWakeUps(Base):
    """What was learned of when an endpoint wakes up, and what follows for the next time: a row at its first wake-up.

    The forecasts are null until enough is known. `overdue_since`: when it was told that the endpoint is overdue; it is
    so until it is heard.
    """

    __tablename__ = "endpoint_wake_ups"

    endpoint_id: Mapped[int] = mapped_column(ForeignKey("endpoint.id"), primary_key=True)
    began_at: Mapped[datetime] = mapped_column(doc="When its last wake-up began.")
    learned: Mapped[dict[str, object]] = mapped_column(doc="`WakeUps` of `lwm2m.wake_ups`: intervals_s and longest.")
    interval_s: Mapped[float | None] = mapped_column(doc="The most likely to the next wake-up.")
    expected_at: Mapped[datetime | None]
    expected_by: Mapped[datetime | None] = mapped_column(doc="Nine times of ten it came by then.")
    lately_by: Mapped[datetime | None] = mapped_column(doc="Each time lately it came by then.")
    longest_by: Mapped[datetime | None] = mapped_column(doc="Each time in the last two weeks it came by then.")
    overdue_at: Mapped[datetime | None]
    overdue_since: Mapped[datetime | None]


class StatedVersions(Base):
    """The versions of objects that an endpoint stated from one message on: a row where they changed.

    What it sends without an object model is decoded again by the version of that time.
    """

    __tablename__ = "stated_versions"

    endpoint_id: Mapped[int] = mapped_column(ForeignKey("endpoint.id"), primary_key=True)
    stream_sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    object_versions: Mapped[dict[str, str]]


class ResourceType(Base):
    """A resource of an object model: unique (object id, resource id), its name, data type and unit."""

    __tablename__ = "resource_type"
    __table_args__ = (UniqueConstraint("object_id", "resource_id"),)

    id: Mapped[int] = mapped_column(Integer, Identity(always=True), primary_key=True)
    object_id: Mapped[int] = mapped_column(Integer)
    resource_id: Mapped[int] = mapped_column(Integer)
    object_name: Mapped[str | None]
    name: Mapped[str | None] = mapped_column(doc="Null where no model names it: an unknown resource.")
    data_type: Mapped[str | None] = mapped_column(doc="A `DataType`; null where unknown.")
    units: Mapped[str | None]
    decoded_by: Mapped[str | None] = mapped_column(
        doc="Version and type of each model that the stored values were decoded by; another one decodes them again."
    )
    multiple: Mapped[bool] = mapped_column(server_default=false())


class Resource(Base):
    """One value of one resource at one time, by the device's own clock where it gave one.

    Key: `time`, then the sequence in LWM2M_EVENTS and the index of the record in the message, so that a message
    delivered again adds nothing. No foreign keys, as their check costs more than the row: rows of `endpoint` and
    `resource_type` are never deleted, a trigger sees to it. Exactly one value column is set. Values of type time are
    Unix seconds in `value_integer` or `value_float`. An unsigned integer above 2**63 - 1 is decimal text, text with NUL
    characters is bytes: PostgreSQL holds neither as it is.
    """

    __tablename__ = "resource"
    __table_args__ = (
        CheckConstraint(ONE_VALUE, name="one_value"),
        Index("ix_resource_series", "endpoint_id", "resource_type_id", "object_instance_id", "time"),
    )

    time: Mapped[datetime] = mapped_column(primary_key=True)
    stream_sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    record_index: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    endpoint_id: Mapped[int]
    resource_type_id: Mapped[int] = mapped_column(Integer)
    object_instance_id: Mapped[int] = mapped_column(Integer)
    resource_instance_id: Mapped[int] = mapped_column(Integer, server_default=str(NO_INSTANCE))
    received_at: Mapped[datetime]
    data_type: Mapped[str]
    value_text: Mapped[str | None]
    value_integer: Mapped[int | None]
    value_float: Mapped[float | None]
    value_boolean: Mapped[bool | None]
    value_bytes: Mapped[bytes | None]
    marks: Mapped[list[str] | None] = mapped_column(
        ARRAY(Text), doc="What was assumed where the payload was not as the specification has it: `Mark`."
    )
    value_number: Mapped[float | None] = mapped_column(
        Computed(
            "coalesce(value_float, value_integer::double precision, value_boolean::integer::double precision)",
            persisted=True,
        ),
        doc="The value as a number, for charts and aggregates; null for text and bytes.",
    )


class LatestValue(Base):
    """The newest value, by time, of each resource of each endpoint."""

    __tablename__ = "latest_value"
    __table_args__ = (CheckConstraint(ONE_VALUE, name="one_value"),)

    endpoint_id: Mapped[int] = mapped_column(ForeignKey("endpoint.id"), primary_key=True)
    resource_type_id: Mapped[int] = mapped_column(Integer, ForeignKey("resource_type.id"), primary_key=True)
    object_instance_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    resource_instance_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    time: Mapped[datetime]
    stream_sequence: Mapped[int]
    record_index: Mapped[int] = mapped_column(Integer)
    received_at: Mapped[datetime]
    data_type: Mapped[str]
    value_text: Mapped[str | None]
    value_integer: Mapped[int | None]
    value_float: Mapped[float | None]
    value_boolean: Mapped[bool | None]
    value_bytes: Mapped[bytes | None]
    marks: Mapped[list[str] | None] = mapped_column(
        ARRAY(Text), doc="What was assumed where the payload was not as the specification has it: `Mark`."
    )
