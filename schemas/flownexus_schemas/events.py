"""What happened to devices, as messages of LWM2M_EVENTS. Past tense, frozen, versioned in `type`.

A change adds optional fields; anything else is a new version of the type.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError

from flownexus_schemas import subjects
from flownexus_schemas.cloudevent import CloudEvent, Frozen
from flownexus_schemas.errors import InvalidMessage
from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.marks import Mark
from flownexus_schemas.subjects import EventKind


class Address(Frozen):
    """Where datagrams of the device come from."""

    host: str = Field(examples=["192.0.2.1"])
    port: int = Field(ge=0, le=65535)


class Registration(Frozen):
    """A registration as the device stated it. LwM2M Core 1.1.1, 6.2.1."""

    registration_id: str = Field(description="Last segment of the Location-Path, at most 12 characters.")
    lifetime_s: int = Field(gt=0, description="Seconds until it expires unless updated.")
    lwm2m_version: str = Field(examples=["1.1"])
    binding: str = Field(examples=["U"])
    queue_mode: bool
    queued_by_binding: bool = Field(
        default=False, description="Whether queue mode was stated in the binding: one without it then ends it."
    )
    awake_window_s: float = Field(gt=0, description="Seconds for which a queue-mode device listens after it sent.")
    answers_asleep_within_s: float | None = Field(
        default=None, gt=0, description="Seconds within which it answers although it sleeps; null: it does not."
    )
    address: Address
    identity: str | None = Field(
        default=None, description="The identity that DTLS authenticated; null over plain CoAP."
    )
    gateway: str = Field(description="Id of the gateway that holds the registration.")
    object_links: tuple[str, ...] = Field(description="Objects and object instances, e.g. `1/0`, `3303/0`, `5`.")
    object_versions: dict[str, str] = Field(default_factory=dict, description="Object id to version, where stated.")
    content_formats: tuple[int, ...] = Field(default=(), description="`ct` of the root link; empty where not stated.")
    root_path: str = Field(default="/", description="Alternate path of the LwM2M objects.")
    links: str = Field(default="", description="The CoRE links as received.")
    warnings: tuple[str, ...] = Field(default=(), description="What was wrong but could be taken.")


class DeregistrationReason(StrEnum):
    """Why a registration ended."""

    REQUEST = "request"
    EXPIRED = "expired"
    REPLACED = "replaced"


class Deregistration(Frozen):
    """The end of a registration."""

    registration_id: str
    reason: DeregistrationReason


class Trigger(StrEnum):
    """What made the device send values."""

    NOTIFY = "notify"
    SEND = "send"
    READ = "read"


class ReportedRecord(Frozen):
    """One value. `value` by `type`: string, corelnk, objlnk (`3303:0`): text; integer, unsigned: integer;
    float: number, or the text `NaN`, `Infinity`, `-Infinity`, for which JSON has no number; boolean;
    opaque: base64 text; time: Unix seconds.
    """

    path: str = Field(examples=["3303/0/5700"])
    type: DataType
    value: bool | int | float | str
    time: AwareDatetime = Field(description="The device's own time of the value, or that of receipt.")
    anchored: bool = Field(
        default=False, description="Whether `time` is that of receipt, as the device gave none that can be right."
    )
    marks: tuple[Mark, ...] = Field(
        default=(), description="What was assumed where the payload was not as the specification has it."
    )


class ObservationRef(Frozen):
    """The observation that a notification belongs to."""

    token: str = Field(description="CoAP token, hexadecimal.")
    paths: tuple[str, ...]


FIRST_BLOCK = "only the first block came; the whole is read by itself"
"""Why the first block of a notification is undecoded: what it begins comes in a report of its own. RFC 7959, 2.6."""


class Report(Frozen):
    """Values that a device sent, decoded, with the payload they came in.

    `records` is empty and `undecoded` says why where the payload could not be decoded: it is kept all the same.
    """

    registration_id: str
    trigger: Trigger
    composite: bool = Field(description="Whether the values belong together: stored as one event.")
    event_type: str | None = Field(default=None, description="Name of the event a composite report is stored as.")
    observation: ObservationRef | None = None
    records: tuple[ReportedRecord, ...]
    content_format: int | None
    payload: str = Field(description="Base64 of the payload as received.")
    undecoded: str | None = None
    retry_of: int | None = Field(
        default=None,
        description="Stream sequence of the report of that time that these values were decoded from; where there are "
        "no values, somebody dismissed it.",
    )
    part: int = Field(
        default=0, ge=0, description="Which part of a report this is, where its values are more than one message holds."
    )
    parts: int = Field(default=1, ge=1, le=1000)
    received_at: AwareDatetime


class ObservationState(StrEnum):
    """What became of a request to observe."""

    ESTABLISHED = "established"
    REFUSED = "refused"
    CANCELLED = "cancelled"


class ObservationChange(Frozen):
    """An observation was established, refused or cancelled."""

    registration_id: str
    state: ObservationState
    observation: ObservationRef
    composite: bool
    code: str | None = Field(default=None, description="The device's CoAP code, e.g. `4.04`; null for no answer.")
    diagnostic: str | None = Field(default=None, description="The device's diagnostic payload, or our reason.")
    attributes: dict[str, float] = Field(
        default_factory=dict, description="Notification attributes that were written to its paths for the profile."
    )
    attributes_code: str | None = Field(
        default=None, description="The device's CoAP code to that; of several paths, the first that is no success."
    )
    attributes_diagnostic: str | None = Field(default=None, description="Where it is no success: the path and why.")


class LogLine(Frozen):
    """A line of the device's own log."""

    level: str
    text: str
    time: AwareDatetime


class HeardBy(StrEnum):
    """What came from a device that no other event tells of."""

    ANSWER = "answer"
    DOWNLOAD = "download"


class Hearing(Frozen):
    """A device is there: it answered a request, or fetched a part of its firmware."""

    by: HeardBy


class Overdue(Frozen):
    """Since when a device is silent, and when it was to be heard by what it did until then."""

    registration_id: str
    last_heard_at: AwareDatetime
    expected_at: AwareDatetime = Field(description="The most likely.")
    expected_by: AwareDatetime = Field(description="It came by then nine times of ten.")


class BootstrapState(StrEnum):
    """How far a bootstrap is."""

    STARTED = "started"
    FINISHED = "finished"
    FAILED = "failed"


class Bootstrap(Frozen):
    """A step of a bootstrap. LwM2M Core 1.1.1, 6.1."""

    session: str = Field(description="The same for all steps of one bootstrap.")
    state: BootstrapState
    text: str = Field(description="What happened, for people.", examples=["it has the account at coap://192.0.2.1"])
    notes: tuple[str, ...] = Field(default=(), description="What the device refused that it goes without.")
    code: str | None = Field(default=None, description="The device's CoAP code at which it failed, e.g. `4.00`.")
    profile: str | None = Field(default=None, description="The profile that it is by; null for the endpoint's own.")
    credentials: tuple[str, ...] = Field(default=(), description="Ids of the credentials that it was issued.")
    address: Address
    identity: str | None = Field(default=None, description="What DTLS authenticated; null over plain CoAP.")
    gateway: str


class EndpointRegistered(CloudEvent):
    """A device registered."""

    type: Literal["io.flownexus.lwm2m.registered.v1"] = "io.flownexus.lwm2m.registered.v1"
    data: Registration


class EndpointUpdated(CloudEvent):
    """A device updated its registration. `data` is the whole registration after the update."""

    type: Literal["io.flownexus.lwm2m.updated.v1"] = "io.flownexus.lwm2m.updated.v1"
    data: Registration


class EndpointDeregistered(CloudEvent):
    """A registration ended."""

    type: Literal["io.flownexus.lwm2m.deregistered.v1"] = "io.flownexus.lwm2m.deregistered.v1"
    data: Deregistration


class ValuesReported(CloudEvent):
    """A device sent values."""

    type: Literal["io.flownexus.lwm2m.reported.v1"] = "io.flownexus.lwm2m.reported.v1"
    data: Report


class ObservationChanged(CloudEvent):
    """An observation changed."""

    type: Literal["io.flownexus.lwm2m.observation.v1"] = "io.flownexus.lwm2m.observation.v1"
    data: ObservationChange


class LogReported(CloudEvent):
    """A device logged."""

    type: Literal["io.flownexus.lwm2m.log.v1"] = "io.flownexus.lwm2m.log.v1"
    data: LogLine


class EndpointHeard(CloudEvent):
    """Something came from a device that no other event tells of; at most one in some seconds."""

    type: Literal["io.flownexus.lwm2m.heard.v1"] = "io.flownexus.lwm2m.heard.v1"
    data: Hearing


class EndpointOverdue(CloudEvent):
    """A device was not heard although it was due, and its registration still holds."""

    type: Literal["io.flownexus.lwm2m.overdue.v1"] = "io.flownexus.lwm2m.overdue.v1"
    data: Overdue


class BootstrapProgressed(CloudEvent):
    """A device began a bootstrap, finished it, or did not."""

    type: Literal["io.flownexus.lwm2m.bootstrap.v1"] = "io.flownexus.lwm2m.bootstrap.v1"
    data: Bootstrap


Event = Annotated[
    EndpointRegistered
    | EndpointUpdated
    | EndpointDeregistered
    | ValuesReported
    | ObservationChanged
    | LogReported
    | EndpointHeard
    | EndpointOverdue
    | BootstrapProgressed,
    Field(discriminator="type"),
]

KINDS: dict[type[CloudEvent], EventKind] = {
    EndpointRegistered: EventKind.REGISTERED,
    EndpointUpdated: EventKind.UPDATED,
    EndpointDeregistered: EventKind.DEREGISTERED,
    ValuesReported: EventKind.REPORTED,
    ObservationChanged: EventKind.OBSERVATION,
    LogReported: EventKind.LOG,
    EndpointHeard: EventKind.HEARD,
    EndpointOverdue: EventKind.OVERDUE,
    BootstrapProgressed: EventKind.BOOTSTRAP,
}

_adapter: TypeAdapter[Event] = TypeAdapter(Event)


def parse_event(payload: bytes) -> Event:
    """Read one message of LWM2M_EVENTS. Raises InvalidMessage with the reason."""
    try:
        return _adapter.validate_json(payload)
    except ValidationError as error:
        first: dict[str, Any] = dict(error.errors(include_url=False, include_input=False)[0])
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidMessage(f"not an event: {where}: {first['msg']}") from error


def subject_of(event: CloudEvent) -> str:
    """The NATS subject on which an event is published."""
    return subjects.event(event.subject, KINDS[type(event)])
