"""What the REST API answers, as far as the console reads it. Unknown fields are ignored."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from pydantic import AwareDatetime, Field

from flownexus_schemas.cloudevent import Frozen

Value = bool | int | float | str


class Status(StrEnum):
    """Presence of an endpoint."""

    ONLINE = "online"
    ASLEEP = "asleep"
    OFFLINE = "offline"


class Span(NamedTuple):
    """From `start` up to `end`, both aware."""

    start: AwareDatetime
    end: AwareDatetime


class AccessToken(Frozen):
    """Answer of the login."""

    access_token: str
    expires_in: float


class LoginMethods(Frozen):
    """How one can sign in; `oidc` is what the identity provider is called."""

    oidc: str | None = None


class LoginBegun(Frozen):
    """A login at the identity provider that was begun: where to send the browser, and what to keep of it."""

    url: str
    state: str
    nonce: str
    code_verifier: str


class Account(Frozen):
    """The user that a token belongs to."""

    name: str
    role: str
    must_change_password: bool = False


class Address(Frozen):
    """Where a device's datagrams come from."""

    host: str
    port: int


OVERDUE = "overdue"
"""What the fleet is filtered by beside the statuses: due, not heard, and still registered."""


class Endpoint(Frozen):
    """One row of the fleet. Times are null until the first of their kind."""

    name: str
    status: Status
    registered: bool = False
    registration_id: str | None = None
    lwm2m_version: str | None = None
    binding: str | None = None
    queue_mode: bool | None = None
    awake_window_s: float | None = None
    answers_asleep_within_s: float | None = None
    lifetime_s: int | None = None
    address: Address | None = None
    gateway: str | None = None
    first_seen_at: AwareDatetime | None = None
    registered_at: AwareDatetime | None = None
    last_seen_at: AwareDatetime | None = None
    awake_until: AwareDatetime | None = None
    expires_at: AwareDatetime | None = None
    next_expected_at: AwareDatetime | None = None
    next_expected_by: AwareDatetime | None = None
    overdue: bool = False
    tags: tuple[str, ...] = ()


class Observation(Frozen):
    """State of one observation of an endpoint."""

    paths: tuple[str, ...]
    composite: bool = False
    state: str
    code: str | None = None
    diagnostic: str | None = None
    attributes: dict[str, float] = Field(default_factory=dict)
    attributes_code: str | None = None
    attributes_diagnostic: str | None = None
    time: AwareDatetime | None = None


class EndpointDetail(Endpoint):
    """One endpoint with everything that its registration states."""

    identity: str | None = None
    root_path: str | None = None
    content_formats: tuple[int, ...] | None = None
    registration_warnings: tuple[str, ...] | None = None
    observations: tuple[Observation, ...] = ()


class EndpointPage(Frozen):
    """Some endpoints and the cursor of the rest; null at the end."""

    items: tuple[Endpoint, ...]
    next: str | None = None


class Resource(Frozen):
    """One resource of an object instance; `value` and `time` are null until the device sent it."""

    path: str
    id: int
    name: str | None = None
    type: str | None = None
    units: str | None = None
    operations: str | None = None
    mandatory: bool = False
    value: Value | None = None
    time: AwareDatetime | None = None


class ObjectInstance(Frozen):
    """One instance of an object."""

    id: int
    resources: tuple[Resource, ...] = ()


class DeviceObject(Frozen):
    """One object of an endpoint; `known` tells whether there is a model of it."""

    id: int
    name: str | None = None
    version: str | None = None
    known: bool = True
    instances: tuple[ObjectInstance, ...] = ()


class ObjectTree(Frozen):
    """The objects of an endpoint."""

    items: tuple[DeviceObject, ...]


class EventResource(Frozen):
    """One value of a stored event."""

    path: str
    name: str | None = None
    units: str | None = None
    type: str | None = None
    value: Value | None = None
    time: AwareDatetime | None = None


class StoredEvent(Frozen):
    """One stored event with its values."""

    id: int | str
    time: AwareDatetime
    event_type: str | None = None
    resources: tuple[EventResource, ...] = ()


class EventPage(Frozen):
    """Some events, newest first, and the cursor of the rest."""

    items: tuple[StoredEvent, ...]
    next: str | None = None


class Reading(Frozen):
    """One value of a resource's history."""

    time: AwareDatetime
    value: Value | None = None


class ReadingPage(Frozen):
    """Some readings in ascending time and the cursor of the rest."""

    items: tuple[Reading, ...]
    next: str | None = None


class Bucket(Frozen):
    """Readings of one span of time, from `time` on. NaN and infinity come as text."""

    time: AwareDatetime
    count: int
    min: float | str | None = None
    max: float | str | None = None
    avg: float | str | None = None
    last: Value | None = None


class BucketPage(Frozen):
    """Buckets in ascending time; spans without readings are left out."""

    items: tuple[Bucket, ...]


class LogLine(Frozen):
    """One line of a device's own log."""

    id: str
    time: AwareDatetime
    level: str
    text: str


class LogPage(Frozen):
    """Some log lines, newest first, and the cursor of the rest."""

    items: tuple[LogLine, ...]
    next: str | None = None


class EndpointCounts(Frozen):
    """Endpoints by status."""

    total: int
    online: int
    asleep: int
    offline: int
    overdue: int = 0


class Statistics(Frozen):
    """Counts over the whole system."""

    endpoints: EndpointCounts
    readings_last_hour: int | None = None
