"""Operations on endpoints and firmware: projections of LWM2M_OPERATIONS and metadata of images."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from flownexus_schemas.tables.base import Base


class EndpointOperation(Base):
    """A command for an endpoint: its type, status, times, attempts and last action.

    It has the endpoint's name, not its key: operations and what devices sent are read from two streams, each of which
    can be replayed without the other.
    """

    __tablename__ = "endpoint_operation"
    __table_args__ = (
        Index("ix_endpoint_operation_created", "created_at", "id"),
        Index("ix_endpoint_operation_of_endpoint", "endpoint", "created_at", "id"),
        Index(
            "ix_endpoint_operation_of_batch", "batch", "created_at", "id", postgresql_where=text("batch is not null")
        ),
        Index(
            "ix_endpoint_operation_open",
            "created_at",
            "id",
            postgresql_where=text("status in ('QUEUED', 'SENDING')"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    endpoint: Mapped[str]
    operation_type: Mapped[str] = mapped_column(doc="read, write, execute, ...")
    request: Mapped[dict[str, object]] = mapped_column(doc="The command.")
    priority: Mapped[int] = mapped_column(Integer)
    batch: Mapped[str | None]
    status: Mapped[str]
    attempts: Mapped[int] = mapped_column(Integer)
    max_attempts: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime]
    requested_by: Mapped[str | None]
    expires_at: Mapped[datetime | None]
    last_attempt_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    last_action: Mapped[str]
    code: Mapped[str | None]
    diagnostic: Mapped[str | None]
    answer: Mapped[dict[str, object] | None] = mapped_column(doc="What the device answered, with the values it sent.")
    stream_sequence: Mapped[int]


class EndpointOperationChange(Base):
    """What happened to an operation, one row a step: its history."""

    __tablename__ = "endpoint_operation_change"

    operation_id: Mapped[str] = mapped_column(ForeignKey("endpoint_operation.id"), primary_key=True)
    stream_sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    time: Mapped[datetime]
    status: Mapped[str]
    attempts: Mapped[int] = mapped_column(Integer)
    action: Mapped[str]
    code: Mapped[str | None]
    diagnostic: Mapped[str | None]


class Firmware(Base):
    """A firmware image that devices can download: its version, file name, and when it came and changed.

    The image itself is in the object store under `id`; its URL is signed for each download.
    """

    __tablename__ = "firmware"
    __table_args__ = (UniqueConstraint("name", "version"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(doc="Of the package, as 5/0/6 of a device has it.")
    version: Mapped[str] = mapped_column(doc="As 5/0/7 or 3/0/3 of a device has it once it runs.")
    file_name: Mapped[str]
    size: Mapped[int] = mapped_column(doc="Bytes.")
    sha256: Mapped[str] = mapped_column(doc="In hexadecimal.")
    notes: Mapped[str | None]
    uploaded_by: Mapped[str | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class FirmwareUpdate(Base):
    """The update of one endpoint to one image: LwM2M state (5/0/3), result (5/0/5) and what it waits for."""

    __tablename__ = "firmware_update"
    __table_args__ = (
        Index("ix_firmware_update_created", "created_at", "id"),
        Index("ix_firmware_update_of_endpoint", "endpoint", "created_at", "id"),
        Index("ix_firmware_update_of_rollout", "rollout", postgresql_where=text("rollout is not null")),
        Index("ix_firmware_update_status", "status"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    endpoint: Mapped[str]
    firmware_id: Mapped[str]
    name: Mapped[str] = mapped_column(doc="Of the image.")
    version: Mapped[str] = mapped_column(doc="Of the image.")
    rollout: Mapped[str | None]
    status: Mapped[str]
    state: Mapped[int | None] = mapped_column(Integer)
    result: Mapped[int | None] = mapped_column(Integer)
    size: Mapped[int] = mapped_column(doc="Bytes of the image.")
    transferred: Mapped[int] = mapped_column(doc="Bytes that the device has.")
    retries: Mapped[int] = mapped_column(Integer)
    installs: Mapped[int] = mapped_column(Integer)
    version_before: Mapped[str | None]
    version_after: Mapped[str | None]
    waiting_for: Mapped[str | None]
    last_action: Mapped[str]
    requested_by: Mapped[str | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    detail: Mapped[dict[str, object]] = mapped_column(doc="The whole of it, as the stream has it.")
    stream_sequence: Mapped[int]


class FirmwareUpdateChange(Base):
    """What happened to a firmware update, one row a step: its history."""

    __tablename__ = "firmware_update_change"

    update_id: Mapped[str] = mapped_column(ForeignKey("firmware_update.id"), primary_key=True)
    stream_sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    time: Mapped[datetime]
    what: Mapped[str] = mapped_column(doc="requested, asked, answered, reported, ...")
    status: Mapped[str]
    state: Mapped[int | None] = mapped_column(Integer)
    result: Mapped[int | None] = mapped_column(Integer)
    transferred: Mapped[int]
    action: Mapped[str]
