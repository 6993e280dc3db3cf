"""The first tables: devices, what happened to them, operations, firmware, accounts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from flownexus_schemas.tables.timescale import drop_hourly

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ENDPOINT_STATUS = """
create view endpoint_status as
select endpoint.*,
    case
        when not registered or expires_at is null or expires_at <= now() then 'offline'
        when queue_mode and (awake_until is null or awake_until <= now()) then 'asleep'
        else 'online'
    end as status
from endpoint
"""

RESOURCE_HOURLY = """
create view resource_hourly as
select date_bin('1 hour', time, 'epoch') as bucket, endpoint_id, resource_type_id, object_instance_id,
    resource_instance_id, count(*) as readings, avg(value_number) as average, min(value_number) as minimum,
    max(value_number) as maximum
from resource
where value_number is not null
group by 1, 2, 3, 4, 5
"""


def upgrade() -> None:
    op.create_table(
        "app_user",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("disabled", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_login_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("role in ('viewer', 'operator', 'administrator')", name="ck_app_user_role"),
        sa.PrimaryKeyConstraint("id", name="pk_app_user"),
        sa.UniqueConstraint("name", name="uq_app_user_name"),
    )
    op.create_table(
        "audit_entry",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=True),
        sa.Column("source_address", sa.Text(), nullable=True),
        sa.Column("details", postgresql.JSONB(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_audit_entry"),
    )
    op.create_index("ix_audit_entry_time", "audit_entry", ["time"], unique=False)
    op.create_table(
        "endpoint",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("registered", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("registration_id", sa.Text(), nullable=True),
        sa.Column("lwm2m_version", sa.Text(), nullable=True),
        sa.Column("binding", sa.Text(), nullable=True),
        sa.Column("queue_mode", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("awake_window_s", sa.Double(), nullable=True),
        sa.Column("lifetime_s", sa.BigInteger(), nullable=True),
        sa.Column("address_host", sa.Text(), nullable=True),
        sa.Column("address_port", sa.Integer(), nullable=True),
        sa.Column("identity", sa.Text(), nullable=True),
        sa.Column("gateway", sa.Text(), nullable=True),
        sa.Column("root_path", sa.Text(), nullable=True),
        sa.Column("object_links", postgresql.JSONB(), server_default="[]", nullable=False),
        sa.Column("object_versions", postgresql.JSONB(), server_default="{}", nullable=False),
        sa.Column("content_formats", postgresql.JSONB(), server_default="[]", nullable=False),
        sa.Column("registration_warnings", postgresql.JSONB(), server_default="[]", nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("awake_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_sequence", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_endpoint"),
        sa.UniqueConstraint("name", name="uq_endpoint_name"),
    )
    op.create_table(
        "event_resource",
        sa.Column("event_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event_stream_sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("resource_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resource_stream_sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("resource_record_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint(
            "event_time",
            "event_stream_sequence",
            "resource_time",
            "resource_stream_sequence",
            "resource_record_index",
            name="pk_event_resource",
        ),
    )
    op.create_table(
        "firmware",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("download_url", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_firmware"),
        sa.UniqueConstraint("version", name="uq_firmware_version"),
    )
    op.create_table(
        "resource_type",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("object_id", sa.Integer(), nullable=False),
        sa.Column("resource_id", sa.Integer(), nullable=False),
        sa.Column("object_name", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("data_type", sa.Text(), nullable=True),
        sa.Column("units", sa.Text(), nullable=True),
        sa.Column("multiple", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_resource_type"),
        sa.UniqueConstraint("object_id", "resource_id", name="uq_resource_type_object_id_resource_id"),
    )
    op.create_table(
        "stream_position",
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("stream_created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("stream", name="pk_stream_position"),
    )
    op.create_table(
        "endpoint_operation",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("endpoint_id", sa.BigInteger(), nullable=False),
        sa.Column("operation_type", sa.Text(), nullable=False),
        sa.Column("request", postgresql.JSONB(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_action", sa.Text(), nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("diagnostic", sa.Text(), nullable=True),
        sa.Column("stream_sequence", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["endpoint_id"], ["endpoint.id"], name="fk_endpoint_operation_endpoint_id"),
        sa.PrimaryKeyConstraint("id", name="pk_endpoint_operation"),
    )
    op.create_index("ix_endpoint_operation_endpoint_id", "endpoint_operation", ["endpoint_id"], unique=False)
    op.create_index("ix_endpoint_operation_status", "endpoint_operation", ["status"], unique=False)
    op.create_table(
        "event",
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stream_sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("endpoint_id", sa.BigInteger(), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["endpoint_id"], ["endpoint.id"], name="fk_event_endpoint_id"),
        sa.PrimaryKeyConstraint("time", "stream_sequence", name="pk_event"),
    )
    op.create_index("ix_event_series", "event", ["endpoint_id", "time"], unique=False)
    op.create_table(
        "firmware_update",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("endpoint_id", sa.BigInteger(), nullable=False),
        sa.Column("firmware_id", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("state", sa.Integer(), nullable=True),
        sa.Column("result", sa.Integer(), nullable=True),
        sa.Column("waiting_for", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stream_sequence", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["endpoint_id"], ["endpoint.id"], name="fk_firmware_update_endpoint_id"),
        sa.ForeignKeyConstraint(["firmware_id"], ["firmware.id"], name="fk_firmware_update_firmware_id"),
        sa.PrimaryKeyConstraint("id", name="pk_firmware_update"),
    )
    op.create_index("ix_firmware_update_endpoint_id", "firmware_update", ["endpoint_id"], unique=False)
    op.create_index("ix_firmware_update_status", "firmware_update", ["status"], unique=False)
    op.create_table(
        "latest_value",
        sa.Column("endpoint_id", sa.BigInteger(), nullable=False),
        sa.Column("resource_type_id", sa.Integer(), nullable=False),
        sa.Column("object_instance_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("resource_instance_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stream_sequence", sa.BigInteger(), nullable=False),
        sa.Column("record_index", sa.Integer(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("data_type", sa.Text(), nullable=False),
        sa.Column("value_text", sa.Text(), nullable=True),
        sa.Column("value_integer", sa.BigInteger(), nullable=True),
        sa.Column("value_float", sa.Double(), nullable=True),
        sa.Column("value_boolean", sa.Boolean(), nullable=True),
        sa.Column("value_bytes", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(
            "num_nonnulls(value_text, value_integer, value_float, value_boolean, value_bytes) = 1",
            name="ck_latest_value_one_value",
        ),
        sa.ForeignKeyConstraint(["endpoint_id"], ["endpoint.id"], name="fk_latest_value_endpoint_id"),
        sa.ForeignKeyConstraint(["resource_type_id"], ["resource_type.id"], name="fk_latest_value_resource_type_id"),
        sa.PrimaryKeyConstraint(
            "endpoint_id", "resource_type_id", "object_instance_id", "resource_instance_id", name="pk_latest_value"
        ),
    )
    op.create_table(
        "log_line",
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stream_sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("endpoint_id", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["endpoint_id"], ["endpoint.id"], name="fk_log_line_endpoint_id"),
        sa.PrimaryKeyConstraint("time", "stream_sequence", name="pk_log_line"),
    )
    op.create_index("ix_log_line_series", "log_line", ["endpoint_id", "time"], unique=False)
    op.create_table(
        "observation_outcome",
        sa.Column("endpoint_id", sa.BigInteger(), nullable=False),
        sa.Column("paths", sa.Text(), nullable=False),
        sa.Column("composite", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("diagnostic", sa.Text(), nullable=True),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stream_sequence", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["endpoint_id"], ["endpoint.id"], name="fk_observation_outcome_endpoint_id"),
        sa.PrimaryKeyConstraint("endpoint_id", "paths", "composite", name="pk_observation_outcome"),
    )
    op.create_table(
        "resource",
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stream_sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("record_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("endpoint_id", sa.BigInteger(), nullable=False),
        sa.Column("resource_type_id", sa.Integer(), nullable=False),
        sa.Column("object_instance_id", sa.Integer(), nullable=False),
        sa.Column("resource_instance_id", sa.Integer(), server_default="-1", nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("data_type", sa.Text(), nullable=False),
        sa.Column("value_text", sa.Text(), nullable=True),
        sa.Column("value_integer", sa.BigInteger(), nullable=True),
        sa.Column("value_float", sa.Double(), nullable=True),
        sa.Column("value_boolean", sa.Boolean(), nullable=True),
        sa.Column("value_bytes", sa.LargeBinary(), nullable=True),
        sa.Column(
            "value_number",
            sa.Double(),
            sa.Computed(
                "coalesce(value_float, value_integer::double precision, value_boolean::integer::double precision)",
                persisted=True,
            ),
            nullable=True,
        ),
        sa.CheckConstraint(
            "num_nonnulls(value_text, value_integer, value_float, value_boolean, value_bytes) = 1",
            name="ck_resource_one_value",
        ),
        sa.ForeignKeyConstraint(["endpoint_id"], ["endpoint.id"], name="fk_resource_endpoint_id"),
        sa.ForeignKeyConstraint(["resource_type_id"], ["resource_type.id"], name="fk_resource_resource_type_id"),
        sa.PrimaryKeyConstraint("time", "stream_sequence", "record_index", name="pk_resource"),
    )
    op.create_index(
        "ix_resource_series",
        "resource",
        ["endpoint_id", "resource_type_id", "object_instance_id", "time"],
        unique=False,
    )
    op.create_table(
        "undecoded_report",
        sa.Column("stream_sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("endpoint_id", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("paths", sa.Text(), nullable=True),
        sa.Column("content_format", sa.BigInteger(), nullable=True),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["endpoint_id"], ["endpoint.id"], name="fk_undecoded_report_endpoint_id"),
        sa.PrimaryKeyConstraint("stream_sequence", name="pk_undecoded_report"),
    )
    op.create_index("ix_undecoded_report_series", "undecoded_report", ["endpoint_id", "received_at"], unique=False)

    # Rows that change with each message: room on the page keeps those changes out of the indexes.
    for table in ("endpoint", "latest_value"):
        op.execute(f"alter table {table} set (fillfactor = 70)")
    op.execute(ENDPOINT_STATUS)
    op.execute(RESOURCE_HOURLY)


def downgrade() -> None:
    drop_hourly(op.get_bind())
    op.execute("drop view endpoint_status")
    for table in (
        "undecoded_report",
        "stream_position",
        "resource",
        "observation_outcome",
        "log_line",
        "latest_value",
        "firmware_update",
        "event_resource",
        "event",
        "endpoint_operation",
        "resource_type",
        "firmware",
        "endpoint",
        "audit_entry",
        "app_user",
    ):
        op.drop_table(table)
