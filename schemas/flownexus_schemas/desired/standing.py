"""How the desired values of an endpoint stand: messages of LWM2M_OPERATIONS on `lwm2m.desired.<endpoint>`.

Each carries the whole of it, so the last message of the subject is all there is to know.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, Field, ValidationError

from flownexus_schemas.cloudevent import CloudEvent, Frozen
from flownexus_schemas.commands import AnyCommand, JsonValue
from flownexus_schemas.errors import InvalidMessage
from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.notification_attributes import AttributeName

MAX_SHOWN = 255
"""Characters of a value that are shown; the whole is in the wish."""


class DesiredState(StrEnum):
    """How one desired value stands."""

    IN_SYNC = "in-sync"
    PENDING = "pending"
    DRIFTED = "drifted"
    REFUSED = "refused"
    ABSENT = "absent"


class DesiredResource(Frozen):
    """One desired value, or one desired notification attribute, and what is known of it on the device.

    `generation` numbers registrations: in another one, the device may have lost what it had.
    """

    path: str = Field(examples=["1/0/1"])
    attribute: AttributeName | None = Field(default=None, description="Null: it is the value of the resource.")
    desired: JsonValue | None = Field(description="Cut where it is long; null: an attribute that should not be there.")
    type: DataType | None = None
    digest: str = Field(description="Of what is desired, in full.")
    profile: str | None = Field(default=None, description="Null: declared for the endpoint itself.")
    state: DesiredState = DesiredState.PENDING
    since: AwareDatetime = Field(description="When the state began.")
    reported: JsonValue | None = Field(default=None, description="What the device had last; cut where it is long.")
    reported_at: AwareDatetime | None = None
    code: str | None = Field(default=None, description="CoAP code of the device's refusal.")
    reason: str | None = None
    holds: bool | None = Field(default=None, description="Whether `reported` is what is desired; null: not known.")
    checked_in: int | None = Field(default=None, description="Generation in which `holds` was learned.")
    checked_at: AwareDatetime | None = None
    accepted_at: AwareDatetime | None = Field(
        default=None, description="When the device took it, until it is known whether it has it."
    )
    hidden: bool = Field(default=False, description="The device does not show it: what it takes counts as held.")
    refusals: int = Field(default=0, ge=0)
    refused_in: int | None = Field(default=None, description="Generation of the last refusal.")
    reverts: int = Field(default=0, ge=0, description="How often it went back, without a quiet time between.")
    retry_at: AwareDatetime | None = Field(default=None, description="Not written before.")

    @property
    def key(self) -> tuple[str, str]:
        """What it is, among those of an endpoint."""
        return self.path, self.attribute or ""


class AskedFor(Frozen):
    """The operation that is under way for desired values. It is in the stream before the operation is."""

    operation_id: str
    command: AnyCommand
    about: tuple[tuple[str, str, str], ...] = Field(
        description="Path, attribute or an empty text, and digest of each desired value that it is about."
    )
    asked_at: AwareDatetime
    generation: int | None = Field(default=None, description="Of the registration in which it was asked for.")


class EndpointDesired(Frozen):
    """The desired values of one endpoint, and what is being done about them."""

    endpoint: str
    wish: str = Field(default="", description="Digest of all that is desired.")
    resources: tuple[DesiredResource, ...] = ()
    asked: AskedFor | None = None
    asked_count: int = Field(default=0, ge=0, description="How many operations there were.")
    objects: tuple[int, ...] = Field(default=(), description="What it listed last, by which profiles choose.")
    single_in: int | None = Field(default=None, description="Generation without composite requests.")
    composite_failures: int = Field(default=0, ge=0)


class DesiredChanged(CloudEvent):
    """Something of the desired values of an endpoint changed: the wish, what the device has, or what is asked."""

    type: Literal["io.flownexus.desired.changed.v1"] = "io.flownexus.desired.changed.v1"
    data: EndpointDesired


def parse_desired_event(payload: bytes) -> DesiredChanged:
    """Read one message of desired values. Raises InvalidMessage with the reason."""
    try:
        return DesiredChanged.model_validate_json(payload)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise InvalidMessage(f"not a message of desired values: {where}: {first['msg']}") from error
