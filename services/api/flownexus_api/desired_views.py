"""Desired values as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Row

from flownexus_api.paging import Page
from flownexus_api.values import WireValue
from flownexus_schemas.desired.standing import DesiredState
from flownexus_schemas.desired.wish import DesiredProfile, DesiredValues
from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.notification_attributes import AttributeName
from flownexus_schemas.tables import DesiredValue as Kept

COLUMNS = (
    Kept.endpoint,
    Kept.path,
    Kept.attribute,
    Kept.type,
    Kept.desired,
    Kept.profile,
    Kept.state,
    Kept.since,
    Kept.reported,
    Kept.reported_at,
    Kept.checked_at,
    Kept.code,
    Kept.reason,
)

STATES = (
    "in-sync: the device has it. pending: not seen to have it since it is desired. drifted: it had it, or took it, and "
    "has something else. refused: it said no, see `code` and `reason`. absent: it does not list the object instance."
)


class DesiredStanding(BaseModel):
    """One desired value of one endpoint, or a desired notification attribute, and how it stands.

    Values above 255 characters are cut. `desired` null: the attribute should not be there.
    """

    endpoint: str
    path: str
    attribute: AttributeName | None = Field(description="Null: it is the value of the resource.")
    type: DataType | None
    desired: WireValue | None
    profile: str | None = Field(description="The profile that it is of; null: declared for the endpoint itself.")
    state: DesiredState = Field(description=STATES)
    since: datetime = Field(description="When the state began.")
    reported: WireValue | None = Field(description="What the device had last; null: not known, or not there.")
    reported_at: datetime | None
    checked_at: datetime | None = Field(description="When it was known last whether the device has it.")
    code: str | None = Field(description="CoAP code of its refusal.")
    reason: str | None


class EndpointDesiredValues(DesiredValues):
    """What is declared for an endpoint itself (`values`, `attributes`), and how all that is desired of it stands."""

    endpoint: str
    revision: int | None = Field(description="Of what is declared, for If-Match; null: nothing is.")
    standing: list[DesiredStanding] = Field(description="Profiles counted in; a moment behind a change.")


class DesiredOfEndpoint(DesiredValues):
    """What resources of an endpoint should be."""

    model_config = ConfigDict(extra="forbid")


class DesiredProfileGiven(DesiredProfile):
    """What resources of the devices that it chooses should be."""

    model_config = ConfigDict(extra="forbid")


class NamedDesiredProfile(DesiredProfile):
    """A profile with its name. `error`: why it cannot be read; what it was before is in force."""

    name: str
    revision: int | None = Field(default=None, description="For If-Match.")
    error: str | None = None


class DesiredProfiles(Page[NamedDesiredProfile]):
    """The profiles of desired values; always one page."""


class DesiredStandings(Page[DesiredStanding]):
    """A page of desired values, by endpoint, path and attribute."""


class DesiredCounts(BaseModel):
    """How many desired values stand where, and of how many endpoints."""

    endpoints: int
    values: int
    by_state: dict[DesiredState, int]


def standing(row: Row[Any]) -> DesiredStanding:
    """From a row that has COLUMNS."""
    return DesiredStanding(**{**row._mapping, "attribute": row.attribute or None})
