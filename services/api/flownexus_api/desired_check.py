"""Whether what a caller desires can be, asked before any device is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from flownexus_api.value_check import RESOURCE_DEPTH, fitting
from flownexus_schemas.commands import PathValue
from flownexus_schemas.desired.wish import DesiredAttributes, DesiredValues
from flownexus_schemas.errors import InvalidRequest
from flownexus_schemas.lwm2m.errors import InvalidAttributes
from flownexus_schemas.lwm2m.notification_attributes import check_place
from flownexus_schemas.lwm2m.object_model import ObjectModels
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.lwm2m.typed_values import type_of

SECURITY, FIRMWARE_UPDATE = 0, 5
NEWEST = (1, 2)
"""LwM2M version where that of the device is not known."""

Given = TypeVar("Given", bound=DesiredValues)


def checked(
    given: Given, models: ObjectModels, versions: Mapping[int, str], lwm2m_version: tuple[int, int] | None
) -> Given:
    """The same with the types of the object models. `versions` are those of objects, as the device stated them.

    Raises InvalidRequest, which names the path and the reason.
    """
    values = tuple(_value(value, models, versions) for value in given.values)
    for one in given.attributes:
        _attributes(one, models, versions, lwm2m_version or NEWEST)
    return given.model_copy(update={"values": values})


def _value(given: PathValue, models: ObjectModels, versions: Mapping[int, str]) -> PathValue:
    path = Path.parse(given.path)
    _reachable(path)
    if path.object_id == FIRMWARE_UPDATE:
        raise InvalidRequest(f"{path}: firmware is updated by an update or an operation, not by a desired value.")
    fitted = fitting(given, models, versions)
    model = models.resource(path, versions)
    if model is not None:
        if not model.writable:
            raise InvalidRequest(f"{path}: {model.name} cannot be written (its operations are {model.operations}).")
        if model.multiple and path.depth == RESOURCE_DEPTH:
            raise InvalidRequest(f"{path}: {model.name} has several values: name each as {path}/0.")
        if not model.multiple and path.depth > RESOURCE_DEPTH:
            raise InvalidRequest(f"{path}: {model.name} has one value: name it as {path.resource}.")
    return fitted


def _attributes(
    given: DesiredAttributes, models: ObjectModels, versions: Mapping[int, str], lwm2m_version: tuple[int, int]
) -> None:
    path = Path.parse(given.path)
    _reachable(path)
    try:
        check_place(given.attributes, path, type_of(path, models, versions), lwm2m_version)
    except InvalidAttributes as error:
        raise InvalidRequest(f"{path}: {error}.") from error


def _reachable(path: Path) -> None:
    if path.object_id == SECURITY:
        raise InvalidRequest(f"{path}: object 0, Security, is out of reach: it holds the keys.")
