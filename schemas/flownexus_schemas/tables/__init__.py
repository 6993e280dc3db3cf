"""The database: SQLAlchemy models and, in `migrations/`, what builds them.

The model follows the source document: Endpoint, ResourceType, Resource, Event, EventResource, EndpointOperation,
Firmware. What devices sent is a projection of LWM2M_EVENTS, keyed by stream sequence: drop it, replay, get it back.
The same names and columns are there with and without TimescaleDB, where `resource` and `event` are hypertables.
"""

from flownexus_schemas.tables.accounts import ApiToken, AuditEntry, KnownNetwork, LoginFailure, Session, User
from flownexus_schemas.tables.base import Base
from flownexus_schemas.tables.bootstraps import BootstrapStep
from flownexus_schemas.tables.desired import DesiredValue
from flownexus_schemas.tables.devices import (
    Endpoint,
    EndpointWakeUps,
    LatestValue,
    Resource,
    ResourceType,
    StatedVersions,
)
from flownexus_schemas.tables.happenings import Event, EventResource, LogLine, ObservationOutcome, UndecodedReport
from flownexus_schemas.tables.operations import (
    EndpointOperation,
    EndpointOperationChange,
    Firmware,
    FirmwareUpdate,
    FirmwareUpdateChange,
)
from flownexus_schemas.tables.positions import StreamPosition
from flownexus_schemas.tables.rollouts import Rollout, RolloutChange, RolloutDevice

__all__ = [
    "ApiToken",
    "AuditEntry",
    "Base",
    "BootstrapStep",
    "DesiredValue",
    "Endpoint",
    "EndpointOperation",
    "EndpointOperationChange",
    "EndpointWakeUps",
    "Event",
    "EventResource",
    "Firmware",
    "FirmwareUpdate",
    "FirmwareUpdateChange",
    "KnownNetwork",
    "LatestValue",
    "LogLine",
    "LoginFailure",
    "ObservationOutcome",
    "Resource",
    "ResourceType",
    "Rollout",
    "RolloutChange",
    "RolloutDevice",
    "Session",
    "StatedVersions",
    "StreamPosition",
    "UndecodedReport",
    "User",
]
