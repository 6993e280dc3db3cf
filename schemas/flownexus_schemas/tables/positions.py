"""How far each stream has been projected into the tables."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from flownexus_schemas.tables.base import Base


class StreamPosition(Base):
    """The last message of a stream whose rows are in the tables: written in the transaction that writes the rows.

    Delete the row (or the whole database) and ingest reads the stream from its start; rows that are there stay once.
    """

    __tablename__ = "stream_position"

    stream: Mapped[str] = mapped_column(primary_key=True)
    stream_created_at: Mapped[datetime] = mapped_column(doc="Tells a stream from one made anew under its name.")
    sequence: Mapped[int]
    updated_at: Mapped[datetime]
