"""Requests to devices: what a caller asks of a gateway on `lwm2m.gateway.<gateway id>.request`. Imperative, frozen.

LwM2M Core 1.1.1, 6.3 (device management) and 6.4 (information reporting).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, TypeAdapter

from flownexus_schemas.cloudevent import Frozen
from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.notification_attributes import AttributeName
from flownexus_schemas.lwm2m.queue_mode import LONGEST_EDRX_S

JsonValue = bool | int | float | str
# ASCII digits without leading zeros, as `Path.parse` takes them; \d would take other scripts' digits too.
PathText = Annotated[
    str, Field(pattern=r"^/?(0|[1-9][0-9]{0,4})(/(0|[1-9][0-9]{0,4})){0,3}$", examples=["3303/0/5700"])
]
Paths = Annotated[tuple[PathText, ...], Field(min_length=1)]


class PathValue(Frozen):
    """A value for a path. Its type is that of the object model; `type` is needed only where there is no model."""

    path: PathText
    value: JsonValue
    type: DataType | None = None


class Command(Frozen):
    """What every request carries. `timeout_s`: seconds to wait for the device's answer."""

    endpoint: str
    format: int | None = Field(default=None, description="Content-Format to use; chosen by the gateway if null.")
    timeout_s: float = Field(default=93.0, gt=0, le=LONGEST_EDRX_S)
    operation_id: str | None = Field(
        default=None, description="The operation that this is an attempt of: the device's answer is then kept."
    )
    operation_attempt: int | None = Field(default=None, ge=1, description="Which attempt of the operation this is.")
    send_by: AwareDatetime | None = Field(
        default=None, description="Not sent to the device any more from then on; null: however long others take before."
    )

    @property
    def goes_on_s(self) -> float:
        """Seconds that it may take, once it is sent, beside `timeout_s`."""
        return 0.0


class ReadResource(Command):
    """Read an object, object instance, resource or resource instance."""

    operation: Literal["read"] = "read"
    path: PathText


class DiscoverResources(Command):
    """List what is below a path and its attributes."""

    operation: Literal["discover"] = "discover"
    path: PathText


class WriteResource(Command):
    """Write values at or below a path; `replace` removes what is not named, otherwise it stays."""

    operation: Literal["write"] = "write"
    path: PathText
    values: tuple[PathValue, ...] = Field(min_length=1)
    replace: bool = False


class WriteAttributes(Command):
    """Set or, with null, remove the notification attributes of a path. LwM2M Core 1.1.1 and 1.2, 5.1.2."""

    operation: Literal["write-attributes"] = "write-attributes"
    path: PathText
    attributes: dict[AttributeName, float | None]


class ExecuteResource(Command):
    """Execute a resource. `arguments` as in LwM2M Core 1.1.1, 6.3.5: `0='a',1`."""

    operation: Literal["execute"] = "execute"
    path: PathText
    arguments: str | None = None


class CreateObjectInstance(Command):
    """Create an object instance; the device chooses its id where the path names only the object."""

    operation: Literal["create"] = "create"
    path: PathText
    values: tuple[PathValue, ...] = ()


class DeleteObjectInstance(Command):
    """Delete an object instance or a resource instance."""

    operation: Literal["delete"] = "delete"
    path: PathText


class ObserveResource(Command):
    """Ask to be notified of what is at or below a path."""

    operation: Literal["observe"] = "observe"
    path: PathText


class CancelObservation(Command):
    """End the observation of these paths: actively (observe=1), or passively by a Reset to the next notification."""

    operation: Literal["cancel-observation"] = "cancel-observation"
    paths: Paths
    passive: bool = False


class ReadComposite(Command):
    """Read several paths in one request."""

    operation: Literal["read-composite"] = "read-composite"
    paths: Paths


class WriteComposite(Command):
    """Write several resources in one request."""

    operation: Literal["write-composite"] = "write-composite"
    values: tuple[PathValue, ...] = Field(min_length=1)


class ObserveComposite(Command):
    """Ask to be notified of several paths in one observation."""

    operation: Literal["observe-composite"] = "observe-composite"
    paths: Paths
    event_type: str | None = None


ImageId = Annotated[str, Field(pattern=r"^([0-9a-f]{2}){1,32}$", description="Id of a firmware image.")]
UpdateId = Annotated[
    str, Field(pattern=r"^[0-9A-Za-z_-]{1,64}$", description="The firmware update that this is a part of.")
]
FirmwareInstance = Annotated[int, Field(ge=0, le=65534, description="Object instance of object 5.")]


class OfferFirmware(Command):
    """Write a signed link to a firmware image to the Package URI: the device pulls it. The link is the answer's
    `location`. LwM2M Core 1.1.1, E.6.
    """

    operation: Literal["offer-firmware"] = "offer-firmware"
    firmware: ImageId
    update_id: UpdateId
    scheme: Literal["coap", "coaps", "http", "https"]
    link_lifetime_s: int = Field(gt=0, le=366 * 86400, description="Seconds for which the link is good.")
    instance: FirmwareInstance = 0


class PushFirmware(Command):
    """Write a part of a firmware image to the Package, block by block: from `offset` on, for about `slice_s` seconds.

    The answer has 2.31 where there is more to send, else the device's code; `transferred` is where the next part
    begins, with `block_size` and the same `token`. LwM2M Core 1.1.1, E.6; RFC 7959, 2.5.
    """

    operation: Literal["push-firmware"] = "push-firmware"
    firmware: ImageId
    update_id: UpdateId
    offset: int = Field(default=0, ge=0, description="Bytes that the device has.")
    token: str = Field(pattern=r"^([0-9a-f]{2}){1,8}$", description="In hex, the same for all parts of a transfer.")
    block_size: Literal[16, 32, 64, 128, 256, 512, 1024] = 1024
    slice_s: float = Field(default=10.0, gt=0, le=300)
    instance: FirmwareInstance = 0

    @property
    def goes_on_s(self) -> float:
        return self.slice_s


AnyCommand = Annotated[
    ReadResource
    | DiscoverResources
    | WriteResource
    | WriteAttributes
    | ExecuteResource
    | CreateObjectInstance
    | DeleteObjectInstance
    | ObserveResource
    | CancelObservation
    | ReadComposite
    | WriteComposite
    | ObserveComposite
    | OfferFirmware
    | PushFirmware,
    Field(discriminator="operation"),
]

command_adapter: TypeAdapter[AnyCommand] = TypeAdapter(AnyCommand)


class AnsweredValue(Frozen):
    """A value in the device's answer; types as in `events.ReportedRecord`."""

    path: str
    type: DataType
    value: JsonValue
    time: AwareDatetime


class CommandAnswer(Frozen):
    """The device's answer: its CoAP code and diagnostic payload as they are, and the values it sent."""

    code: str = Field(examples=["2.05"])
    values: tuple[AnsweredValue, ...] = ()
    diagnostic: str | None = None
    location: str | None = Field(
        default=None, description="Path of a created object instance; the link that was written to a Package URI."
    )
    links: str | None = Field(default=None, description="CoRE links answered to a Discover.")
    transferred: int | None = Field(default=None, ge=0, description="Bytes of a package that the device has.")
    block_size: int | None = Field(default=None, description="Bytes of a block of a package, as the device wants it.")


class CommandFailure(Frozen):
    """In place of CommandAnswer: there is no answer of the device to give.

    `no-answer` and `answer-lost`: the device may have done it. At all others it was not asked.
    """

    error: Literal[
        "not-registered", "unreachable", "no-answer", "invalid", "unavailable", "not-sent", "answer-lost"
    ] = Field(description="unreachable: the device has no DTLS session until it speaks again.")
    reason: str


answer_adapter: TypeAdapter[CommandAnswer | CommandFailure] = TypeAdapter(CommandAnswer | CommandFailure)
