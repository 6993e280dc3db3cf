"""A command from the bus as the CoAP request that carries it out. LwM2M Core 1.1.1, 6.3; Transport 1.1.1, 6.4.3."""

from __future__ import annotations

from collections.abc import Sequence

from aiocoap.numbers.codes import DELETE, FETCH, GET, POST, PUT, Code, iPATCH

from flownexus_gateway.downlink.attribute_queries import attribute_queries
from flownexus_gateway.downlink.coap_client import DeviceRequest
from flownexus_gateway.downlink.composite_formats import formats_of_read
from flownexus_gateway.downlink.content_formats import Use
from flownexus_gateway.downlink.device_requests import payload_root, uri_path
from flownexus_gateway.observations.plan import COMPOSITE_SINCE
from flownexus_gateway.registrations.live import LiveRegistration
from flownexus_schemas.commands import (
    AnyCommand,
    CreateObjectInstance,
    DeleteObjectInstance,
    DiscoverResources,
    ExecuteResource,
    PathValue,
    ReadComposite,
    ReadResource,
    WriteAttributes,
    WriteComposite,
    WriteResource,
)
from flownexus_schemas.errors import InvalidRequest
from flownexus_schemas.lwm2m import codecs
from flownexus_schemas.lwm2m.content_format import ContentFormat
from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.errors import CodecError
from flownexus_schemas.lwm2m.execute_arguments import check_arguments
from flownexus_schemas.lwm2m.notification_attributes import check_place, check_values
from flownexus_schemas.lwm2m.object_model import ObjectModels
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.lwm2m.record import Record, Value
from flownexus_schemas.lwm2m.typed_values import from_base64, type_of

RESOURCE_INSTANCES_SINCE = (1, 1)
"""Before, a resource with several values is read and written as a whole."""

_NATURAL: tuple[tuple[type, DataType], ...] = (
    (bool, DataType.BOOLEAN),
    (int, DataType.INTEGER),
    (float, DataType.FLOAT),
    (str, DataType.STRING),
)


def use_of(command: AnyCommand, live: LiveRegistration, models: ObjectModels) -> Use | None:
    """What the command's Content-Format is used for; None where it has none to choose. Raises InvalidRequest."""
    match command:
        case ReadResource():
            return Use.READ
        case WriteResource(path=path, values=(PathValue() as given,)) if _is_value(path, given):
            is_opaque = _record(given, live, models).type is DataType.OPAQUE
            return Use.WRITE_OPAQUE if is_opaque else Use.WRITE_VALUE
        case WriteResource() | CreateObjectInstance():
            return Use.WRITE_VALUES
        case ReadComposite():
            return Use.READ_COMPOSITE
        case WriteComposite():
            return Use.WRITE_COMPOSITE
    return None


def request_of(
    command: AnyCommand, live: LiveRegistration, models: ObjectModels, format_: int | None = None
) -> DeviceRequest:
    """The request in a Content-Format, which is one of `Use` and given where that is.

    Raises InvalidRequest, CodecError; not for observations, which the observer makes.
    """
    _check_depth(command, live)
    match command:
        case ReadResource(path=path):
            return DeviceRequest(GET, _uri(live, path), accept=format_)
        case DiscoverResources(path=path):
            return DeviceRequest(GET, _uri(live, path), accept=ContentFormat.LINK_FORMAT)
        case WriteResource():
            return _write(command, live, models, _given(format_))
        case WriteAttributes(path=path):
            _check_attributes(command, live, models)
            return DeviceRequest(PUT, _uri(live, path), attribute_queries(command.attributes))
        case ExecuteResource(path=path):
            if command.arguments:
                check_arguments(command.arguments)
            arguments = (command.arguments or "").encode()
            text = ContentFormat.TEXT if arguments else None
            return DeviceRequest(POST, _uri(live, path), payload=arguments, content_format=text)
        case CreateObjectInstance():
            return _create(command, live, models, _given(format_))
        case DeleteObjectInstance(path=path):
            return DeviceRequest(DELETE, _uri(live, path))
        case ReadComposite(paths=paths):
            asked = formats_of_read(_given(format_), live.registration)
            body = codecs.encode_paths([Path.parse(path) for path in paths], asked.paths, payload_root(live))
            return _composite(live, FETCH, body, asked.paths, accept=asked.values)
        case WriteComposite():
            written = _given(format_)
            body = codecs.encode(_records(command.values, live, models), written, Path(), payload_root(live))
            return _composite(live, iPATCH, body, written)
    raise InvalidRequest(f"{command.operation} is not carried out by one request")


def require_composite(live: LiveRegistration) -> None:
    """Raises InvalidRequest where the device speaks LwM2M 1.0."""
    if live.lwm2m_version < COMPOSITE_SINCE:
        raise InvalidRequest("composite operations came with LwM2M 1.1; this device speaks 1.0")


def check_version(path: Path, live: LiveRegistration) -> None:
    """Raises InvalidRequest for a resource instance of a device that speaks LwM2M 1.0 (Core 1.1.1, 7.2)."""
    if path.depth > 3 and live.lwm2m_version < RESOURCE_INSTANCES_SINCE:
        raise InvalidRequest(
            f"/{path} is a resource instance, which has a path since LwM2M 1.1; this device speaks 1.0"
        )


def _check_depth(command: AnyCommand, live: LiveRegistration) -> None:
    """Raises InvalidRequest. LwM2M Core 1.1.1, 6.3; 1.2, 6.3.8 for the deletion of a resource instance."""
    if (path := getattr(command, "path", None)) is not None:
        check_version(Path.parse(path), live)
    match command:
        case ExecuteResource(path=path) if Path.parse(path).depth != 3:
            raise InvalidRequest("what is executed is a resource")
        case DeleteObjectInstance(path=path) if Path.parse(path).depth not in {2, 4}:
            raise InvalidRequest("what is deleted is an object instance or a resource instance")
        case DiscoverResources(path=path) if Path.parse(path).depth > 3:
            raise InvalidRequest("a resource instance has nothing below it to discover")


def _check_attributes(command: WriteAttributes, live: LiveRegistration, models: ObjectModels) -> None:
    path = Path.parse(command.path)
    check_values(command.attributes)
    check_place(command.attributes, path, type_of(path, models, live.versions), live.lwm2m_version)


def _given(format_: int | None) -> int:
    if format_ is None:
        raise InvalidRequest("this request needs a Content-Format")
    return format_


def _is_value(path: str, given: PathValue) -> bool:
    written = Path.parse(path)
    return written.depth >= 3 and Path.parse(given.path) == written


def _composite(
    live: LiveRegistration, code: Code, body: bytes, format_: int, accept: int | None = None
) -> DeviceRequest:
    require_composite(live)
    return DeviceRequest(code, uri_path(live, Path()), payload=body, content_format=format_, accept=accept)


def _write(command: WriteResource, live: LiveRegistration, models: ObjectModels, format_: int) -> DeviceRequest:
    """PUT for a resource or to replace an instance, POST to change part of one. LwM2M Core 1.1.1, 6.3.3."""
    path = Path.parse(command.path)
    records = _records(command.values, live, models)
    if any(not path.contains(record.path) for record in records):
        raise InvalidRequest(f"every value is at or below {path}")
    if path.depth < 2:
        raise InvalidRequest("a write is to an object instance or to what is below it")
    code = POST if path.depth == 2 and not command.replace else PUT
    payload = codecs.encode(records, format_, path, payload_root(live))
    return DeviceRequest(code, uri_path(live, path), payload=payload, content_format=format_)


def _create(command: CreateObjectInstance, live: LiveRegistration, models: ObjectModels, format_: int) -> DeviceRequest:
    path = Path.parse(command.path)
    if path.depth > 2:
        raise InvalidRequest("what is created is an object instance")
    records = _records(command.values, live, models)
    # Without an id, the payload has the resources alone and the device chooses the instance.
    base = Path(path.object_id)
    if path.depth == 1 and records:
        base = Path(path.object_id, records[0].path.object_instance_id)
    payload = codecs.encode(records, format_, base, payload_root(live))
    return DeviceRequest(POST, uri_path(live, Path(path.object_id)), payload=payload, content_format=format_)


def _records(values: Sequence[PathValue], live: LiveRegistration, models: ObjectModels) -> list[Record]:
    return [_record(value, live, models) for value in values]


def _record(given: PathValue, live: LiveRegistration, models: ObjectModels) -> Record:
    path = Path.parse(given.path)
    type_ = given.type or type_of(path, models, live.versions)
    if type_ is None:
        type_ = next(natural for python, natural in _NATURAL if isinstance(given.value, python))
    return Record(path, type_, value_of(given.value, type_, given.path))


def value_of(value: bool | int | float | str, type_: DataType, path: str) -> Value:
    """The value as its type has it. Raises InvalidRequest."""
    match type_, value:
        case DataType.OPAQUE, str():
            try:
                return from_base64(value)
            except CodecError as error:
                raise InvalidRequest(f"the value of {path}: {error}") from error
        case DataType.FLOAT, int() | float() if not isinstance(value, bool):
            return float(value)
        case ((DataType.INTEGER | DataType.UNSIGNED | DataType.TIME), int()) if not isinstance(value, bool):
            return value
        case DataType.BOOLEAN, bool():
            return value
        case ((DataType.STRING | DataType.CORELNK | DataType.OBJLNK), str()):
            return value
    raise InvalidRequest(f"the value of {path} is no {type_}")


def _uri(live: LiveRegistration, path: str) -> tuple[str, ...]:
    return uri_path(live, Path.parse(path))
