"""Content-Format 0: one value as text. LwM2M Core 1.1.1, 7.4."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence

from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.errors import CodecError
from flownexus_schemas.lwm2m.object_model import ObjectModels
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.lwm2m.record import Record
from flownexus_schemas.lwm2m.single_value import only_record, resource_path
from flownexus_schemas.lwm2m.typed_values import checked, from_base64, record_of, type_of, without_exponent

_NAME = "text"
_STRINGS = (DataType.STRING, DataType.CORELNK)


def decode(payload: bytes, base_path: Path, models: ObjectModels, versions: Mapping[int, str] | None) -> list[Record]:
    """A string where no model tells the type. Opaque values are Base64. Raises CodecError.

    An empty payload is the empty string where the type is a string, otherwise it has no records.
    """
    if not payload and base_path.resource_id is None:
        return []
    path = resource_path(base_path, _NAME)
    target = type_of(path, models, versions)
    if not payload and target not in _STRINGS:
        return []
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        raise CodecError("the text is not UTF-8") from None
    if target is DataType.OPAQUE:
        return [Record(path, DataType.OPAQUE, from_base64(text.strip()))]
    # Text has no types of its own, so nothing is assumed here.
    return [record_of(path, DataType.STRING, text, target, None)._replace(marks=())]


def encode(records: Sequence[Record], base_path: Path) -> bytes:
    """The inverse. Raises CodecError unless there is one record, at `base_path`."""
    record = only_record(records, base_path, _NAME)
    value = checked(record)
    if isinstance(value, bytes):
        return b64encode(value)
    if isinstance(value, bool):
        return b"1" if value else b"0"
    if isinstance(value, float):
        return without_exponent(value).encode()
    return str(value).encode()
