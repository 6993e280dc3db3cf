"""Operations on endpoints and firmware: projections of LWM2M_OPERATIONS and metadata of images."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Identity, Integer
from sqlalchemy.orm import Mapped, mapped_column

from flownexus_schemas.tables.base import Base


class EndpointOperation(Base):
    """A command for an endpoint: its type, status, times, attempts and last action."""

    __tablename__ = "endpoint_operation"

    id: Mapped[str] = mapped_column(primary_key=True)
    endpoint_id: Mapped[int] = mapped_column(ForeignKey("endpoint.id"), index=True)
    operation_type: Mapped[str]
    request: Mapped[dict[str, object]]
    status: Mapped[str] = mapped_column(index=True)
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    created_at: Mapped[datetime]
    last_attempt_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    last_action: Mapped[str | None]
    code: Mapped[str | None]
    diagnostic: Mapped[str | None]
    stream_sequence: Mapped[int]


class Firmware(Base):
    """A firmware image that devices can download: its version, file name, URL and when it came and changed."""

    __tablename__ = "firmware"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    version: Mapped[str] = mapped_column(unique=True)
    file_name: Mapped[str]
    download_url: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class FirmwareUpdate(Base):
    """The update of one endpoint to one image: LwM2M state (5/0/3), result (5/0/5) and what it waits for."""

    __tablename__ = "firmware_update"

    id: Mapped[str] = mapped_column(primary_key=True)
    endpoint_id: Mapped[int] = mapped_column(ForeignKey("endpoint.id"), index=True)
    firmware_id: Mapped[int] = mapped_column(ForeignKey("firmware.id"))
    status: Mapped[str] = mapped_column(index=True)
    state: Mapped[int | None] = mapped_column(Integer)
    result: Mapped[int | None] = mapped_column(Integer)
    waiting_for: Mapped[str | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    stream_sequence: Mapped[int]
