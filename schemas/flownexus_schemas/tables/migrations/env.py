"""Alembic's entry: runs the migrations on the connection and in the transaction that `upgrade` hands over."""

from __future__ import annotations

from alembic import context

from flownexus_schemas.tables import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
context.run_migrations()
