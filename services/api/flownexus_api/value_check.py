"""Whether a value that a caller gives fits its resource, asked before the device is."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from flownexus_schemas.commands import JsonValue, PathValue
from flownexus_schemas.errors import InvalidRequest
from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.errors import CodecError, InvalidPath
from flownexus_schemas.lwm2m.object_model import ObjectModels
from flownexus_schemas.lwm2m.path import MAX_ID, Path
from flownexus_schemas.lwm2m.record import Value
from flownexus_schemas.lwm2m.typed_values import MAX_INTEGER, MAX_UNSIGNED, MIN_INTEGER, from_base64
from flownexus_schemas.lwm2m.value_range import parse_range

RESOURCE_DEPTH = 3
_LINK = re.compile(r"([0-9]{1,5}):([0-9]{1,5})")

EXPECTED: Mapping[DataType, str] = {
    DataType.STRING: "a text",
    DataType.INTEGER: "a whole number of 64 bits",
    DataType.UNSIGNED: "a whole number of 64 bits, not negative",
    DataType.FLOAT: "a number",
    DataType.BOOLEAN: "true or false",
    DataType.OPAQUE: "base64 text",
    DataType.TIME: "whole Unix seconds",
    DataType.OBJLNK: "an object link such as 3303:0",
    DataType.CORELNK: "links in CoRE link format, as text",
}


def fitting(given: PathValue, models: ObjectModels, versions: Mapping[int, str]) -> PathValue:
    """The value with its type, which is that of the object model, or as given where there is no model.

    `versions` is what the device said of its objects. Raises InvalidRequest, which names the path and the reason:
    a path above a resource, a type that is not known or not the model's, a value of another type or out of range.
    LwM2M Core 1.1.1, appendix C and D.1.
    """
    try:
        path = Path.parse(given.path)
    except InvalidPath as error:
        raise InvalidRequest(f"{given.path}: {error}.") from error
    if path.depth < RESOURCE_DEPTH:
        raise InvalidRequest(f"{path}: a value is for a resource or a resource instance.")
    model = models.resource(path, versions)
    if model is None:
        if given.type is None:
            raise InvalidRequest(f"{path}: no object model has this resource; give its type.")
        _value(path, given.value, given.type)
        return given
    if model.type is None:
        raise InvalidRequest(f"{path}: {model.name} has no value.")
    if given.type not in {None, model.type}:
        raise InvalidRequest(f"{path}: {model.name} is of type {model.type}, not {given.type}.")
    value = _value(path, given.value, model.type)
    allowed = parse_range(model.range_enumeration, model.type)
    if allowed is not None and not allowed.allows(value):
        raise InvalidRequest(f"{path}: {model.name} takes {allowed.text}, not {_shown(given.value)}.")
    return given.model_copy(update={"type": model.type})


def _value(path: Path, value: JsonValue, type_: DataType) -> Value:
    found = _read(value, type_)
    if found is None:
        raise InvalidRequest(f"{path}: the value is {EXPECTED[type_]} (type {type_}), not {_shown(value)}.")
    return found


def _read(value: JsonValue, type_: DataType) -> Value | None:
    """The value as its type has it; None where it does not fit."""
    match type_, value:
        case DataType.BOOLEAN, bool():
            return value
        case _, bool():
            return None
        case DataType.INTEGER | DataType.TIME, int():
            return value if MIN_INTEGER <= value <= MAX_INTEGER else None
        case DataType.UNSIGNED, int():
            return value if 0 <= value <= MAX_UNSIGNED else None
        case DataType.FLOAT, int():
            return float(value) if MIN_INTEGER <= value <= MAX_UNSIGNED else None
        case DataType.FLOAT, float():
            return value if math.isfinite(value) else None
        case DataType.STRING | DataType.CORELNK, str():
            return value
        case DataType.OBJLNK, str():
            link = _LINK.fullmatch(value)
            return value if link and all(int(part) <= MAX_ID for part in link.groups()) else None
        case DataType.OPAQUE, str():
            return _bytes(value)
    return None


def _bytes(text: str) -> bytes | None:
    try:
        return from_base64(text)
    except CodecError:
        return None


def _shown(value: JsonValue) -> str:
    text = repr(value) if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
