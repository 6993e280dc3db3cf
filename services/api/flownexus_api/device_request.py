"""A request to a device as a caller writes it, and the command that it becomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from flownexus_api.value_check import fitting
from flownexus_schemas.commands import (
    AnyCommand,
    Command,
    CreateObjectInstance,
    JsonValue,
    Paths,
    PathText,
    PathValue,
    WriteComposite,
    WriteResource,
    command_adapter,
)
from flownexus_schemas.errors import InvalidRequest
from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.notification_attributes import AttributeName
from flownexus_schemas.lwm2m.object_model import ObjectModels

Operation = Literal[
    "read",
    "discover",
    "write",
    "write-attributes",
    "execute",
    "create",
    "delete",
    "observe",
    "cancel-observation",
    "read-composite",
    "write-composite",
    "observe-composite",
]
CHANGES: frozenset[Operation] = frozenset(
    {"write", "write-attributes", "write-composite", "execute", "create", "delete"}
)
"""What changes something on the device: each goes into the audit."""

_KINDS: Mapping[str, type[Command]] = {
    kind.model_fields["operation"].default: kind for kind in get_args(get_args(AnyCommand)[0])
}
_ONE = frozenset({"value", "type"})

LONGEST_WAIT_S = 120.0


class DeviceRequest(BaseModel):
    """One request to a device. Which fields there are depends on the operation; `path` is `/object/instance/...`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    operation: Operation
    path: PathText | None = None
    paths: Paths | None = Field(default=None, description="For the composite operations and cancel-observation.")
    value: JsonValue | None = Field(default=None, description="What is written to `path`.")
    type: DataType | None = Field(default=None, description="Of `value`, where no object model states it.")
    values: tuple[PathValue, ...] | None = Field(default=None, description="What is written at or below `path`.")
    replace: bool | None = Field(default=None, description="Whether a write removes what is not named.")
    arguments: str | None = Field(default=None, description="Of execute: `0='a',1`.", examples=["0='a',1"])
    attributes: dict[AttributeName, float | None] | None = Field(
        default=None, description="Of write-attributes; null removes one."
    )
    event_type: str | None = Field(default=None, description="Of observe-composite: the type of each notification.")
    passive: bool | None = Field(default=None, description="Of cancel-observation: by Reset to the next notification.")
    format: int | None = Field(default=None, ge=0, le=65535, description="Content-Format; by default the device's.")
    timeout_s: float = Field(default=30.0, gt=0, le=LONGEST_WAIT_S, description="Seconds to wait for the device.")

    def command(self, endpoint: str, models: ObjectModels, versions: Mapping[int, str]) -> AnyCommand:
        """The command for a gateway. Raises InvalidRequest: a field that the operation lacks or does not know, a value
        that does not fit its resource.
        """
        fields = ((name, getattr(self, name)) for name in DeviceRequest.model_fields)
        given = {name: part for name, part in fields if part is not None}
        if self.value is not None:
            if self.path is None or self.values is not None:
                raise InvalidRequest("value: it goes with one path; for several give values.")
            given["values"] = (PathValue(path=self.path, value=self.value, type=self.type),)
        elif self.type is not None:
            raise InvalidRequest("type: it goes with value.")
        if self.operation == "cancel-observation" and self.path is not None and self.paths is None:
            given["paths"] = (given.pop("path"),)
        kind = _KINDS[self.operation]
        for name in given.keys() - _ONE:
            if name not in kind.model_fields:
                raise InvalidRequest(f"{name}: {self.operation} has no such field.")
        try:
            command = command_adapter.validate_python(
                {name: part for name, part in given.items() if name not in _ONE} | {"endpoint": endpoint}
            )
        except ValidationError as error:
            found = error.errors()[0]
            where = ".".join(map(str, found["loc"][1:]))
            raise InvalidRequest(f"{where}: {found['msg']} (operation {self.operation}).") from error
        if isinstance(command, WriteResource | WriteComposite | CreateObjectInstance):
            fitted = tuple(fitting(value, models, versions) for value in command.values)
            return command.model_copy(update={"values": fitted})
        return command

    def paths_named(self) -> list[str]:
        """What the audit keeps of a request: paths alone, as values may be keys and passwords."""
        paths = {self.path, *(self.paths or ()), *(value.path for value in self.values or ())} - {None}
        return sorted(filter(None, paths))
