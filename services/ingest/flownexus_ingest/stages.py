"""How each table is written."""

from __future__ import annotations

from flownexus_ingest.staging import Stage, inserted_once, kept_newest
from flownexus_ingest.values import ValueColumns

VALUE = ValueColumns._fields

RESOURCE = inserted_once(
    "resource",
    (
        "time",
        "stream_sequence",
        "record_index",
        "endpoint_id",
        "resource_type_id",
        "object_instance_id",
        "resource_instance_id",
        "received_at",
        "data_type",
        *VALUE,
        "marks",
    ),
)
EVENT = inserted_once("event", ("time", "stream_sequence", "endpoint_id", "event_type", "received_at"))
EVENT_RESOURCE = inserted_once(
    "event_resource",
    (
        "event_time",
        "event_stream_sequence",
        "resource_time",
        "resource_stream_sequence",
        "resource_record_index",
    ),
)
LOG_LINE = inserted_once("log_line", ("time", "stream_sequence", "endpoint_id", "level", "text"))
UNDECODED_REPORT = inserted_once(
    "undecoded_report",
    (
        "stream_sequence",
        "endpoint_id",
        "received_at",
        "trigger",
        "paths",
        "content_format",
        "payload",
        "reason",
        "dismissed_at",
    ),
)
LATEST_VALUE = kept_newest(
    "latest_value",
    key=("endpoint_id", "resource_type_id", "object_instance_id", "resource_instance_id"),
    order=("time", "stream_sequence", "record_index"),
    others=("received_at", "data_type", *VALUE, "marks"),
)
OBSERVATION_OUTCOME = kept_newest(
    "observation_outcome",
    key=("endpoint_id", "paths", "composite"),
    order=("stream_sequence",),
    others=("state", "code", "diagnostic", "time", "attributes", "attributes_code", "attributes_diagnostic"),
)

REGISTRATION = (
    "registration_id",
    "lwm2m_version",
    "binding",
    "queue_mode",
    "awake_window_s",
    "lifetime_s",
    "address_host",
    "address_port",
    "identity",
    "gateway",
    "root_path",
    "object_links",
    "object_versions",
    "content_formats",
    "registration_warnings",
    "expires_at",
)
"""Columns of `endpoint` that Register and Update state."""

_STATED = ", ".join(
    f"{name} = case when new.states_registration then new.{name} else old.{name} end" for name in REGISTRATION
)
_MERGE_ENDPOINT = f"""
update endpoint as old set
    {_STATED},
    registered = case when new.states_registration then new.registered
        else old.registered and not old.registration_id = any(new.ended) end,
    registered_at = coalesce(new.registered_at, old.registered_at),
    last_seen_at = greatest(old.last_seen_at, new.last_seen_at),
    awake_until = case when case when new.states_registration then new.queue_mode else old.queue_mode end
        then greatest(old.last_seen_at, new.last_seen_at) + interval '1 second'
            * case when new.states_registration then new.awake_window_s else old.awake_window_s end end,
    last_sequence = new.last_sequence
from stage_endpoint as new
where old.id = new.endpoint_id and old.last_sequence < new.last_sequence
"""  # noqa: S608 - the names are those above

ENDPOINT = Stage(
    "endpoint",
    (*REGISTRATION, "registered", "registered_at", "last_seen_at", "last_sequence"),
    _MERGE_ENDPOINT,
    extra=(("endpoint_id", "bigint"), ("states_registration", "boolean"), ("ended", "text[]")),
)

ALL = (
    ENDPOINT,
    RESOURCE,
    LATEST_VALUE,
    EVENT,
    EVENT_RESOURCE,
    OBSERVATION_OUTCOME,
    LOG_LINE,
    UNDECODED_REPORT,
)
