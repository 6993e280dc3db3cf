"""How each table is written."""

from __future__ import annotations

from dataclasses import replace

from flownexus_ingest.known_wake_ups import FORECAST
from flownexus_ingest.rows import Step
from flownexus_ingest.staging import Stage, inserted_once, keep_newest, kept_newest
from flownexus_ingest.values import ValueColumns

VALUE = ValueColumns._fields

_READING = inserted_once(
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
_LATEST_VALUE = keep_newest(
    "latest_value",
    "stage_resource where is_latest",
    key=("endpoint_id", "resource_type_id", "object_instance_id", "resource_instance_id"),
    order=("time", "stream_sequence", "record_index"),
    others=("received_at", "data_type", *VALUE, "marks"),
)
_EVENT_RESOURCE = """
insert into event_resource
    (event_time, event_stream_sequence, resource_time, resource_stream_sequence, resource_record_index)
select event_time, stream_sequence, time, stream_sequence, record_index from stage_resource
where event_time is not null on conflict do nothing
"""
RESOURCE = replace(
    _READING,
    merges=(*_READING.merges, _LATEST_VALUE, _EVENT_RESOURCE),
    extra=(("is_latest", "boolean"), ("event_time", "timestamptz")),
)
"""Readings, copied once: those that are the latest of the batch for their series go to `latest_value` too, those of an
event, which has their stream sequence, to `event_resource`.
"""

EVENT = inserted_once("event", ("time", "stream_sequence", "endpoint_id", "event_type", "received_at"))
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
    "answers_asleep_within_s",
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

_STATED = ", ".join(f"{name} = new.{name}" for name in REGISTRATION)
_LAST_SEEN = "greatest(old.last_seen_at, new.last_seen_at)"
_SPOKE = "greatest(old.spoke_at, new.spoke_at)"
_NEWER = "where old.id = new.endpoint_id and old.last_sequence < new.last_sequence"
_MERGE_REGISTERED = f"""
update endpoint as old set
    {_STATED},
    registered = new.registered,
    registered_at = coalesce(new.registered_at, old.registered_at),
    last_seen_at = {_LAST_SEEN},
    spoke_at = {_SPOKE},
    awake_until = case when new.queue_mode then {_LAST_SEEN} + interval '1 second' * new.awake_window_s end,
    last_sequence = new.last_sequence
from stage_endpoint_registered as new {_NEWER}
"""  # noqa: S608 - the names are those above
_MERGE_SEEN = f"""
update endpoint as old set
    registered = old.registered and not old.registration_id = any(new.ended),
    last_seen_at = {_LAST_SEEN},
    spoke_at = {_SPOKE},
    awake_until = case when old.queue_mode then {_LAST_SEEN} + interval '1 second' * old.awake_window_s end,
    last_sequence = new.last_sequence
from stage_endpoint_seen as new {_NEWER}
"""  # noqa: S608 - the names are those above

ENDPOINT_REGISTERED = Stage(
    "endpoint",
    (*REGISTRATION, "registered", "registered_at", "last_seen_at", "spoke_at", "last_sequence"),
    (_MERGE_REGISTERED,),
    extra=(("endpoint_id", "bigint"),),
    suffix="_registered",
)
"""Endpoints that registered or updated in the batch."""

ENDPOINT_SEEN = Stage(
    "endpoint",
    ("last_seen_at", "spoke_at", "last_sequence"),
    (_MERGE_SEEN,),
    extra=(("endpoint_id", "bigint"), ("ended", "text[]")),
    suffix="_seen",
)
"""The others: heard of, or ended."""

WAKE_UPS = kept_newest("endpoint_wake_ups", key=("endpoint_id",), order=("began_at",), others=FORECAST)
"""Of endpoints whose wake-ups became more in the batch."""

_MERGE_OVERDUE = """
update endpoint_wake_ups as old set overdue_since = greatest(old.overdue_since, new.overdue_since)
from stage_endpoint_wake_ups_overdue as new where old.endpoint_id = new.endpoint_id
"""
OVERDUE = Stage("endpoint_wake_ups", ("endpoint_id", "overdue_since"), (_MERGE_OVERDUE,), suffix="_overdue")

STATED_VERSIONS = inserted_once("stated_versions", ("endpoint_id", "stream_sequence", "object_versions"))

BOOTSTRAP_STEP = inserted_once("bootstrap_step", Step._fields)

ALL = (
    ENDPOINT_REGISTERED,
    ENDPOINT_SEEN,
    WAKE_UPS,
    OVERDUE,
    STATED_VERSIONS,
    RESOURCE,
    EVENT,
    OBSERVATION_OUTCOME,
    LOG_LINE,
    UNDECODED_REPORT,
    BOOTSTRAP_STEP,
)
