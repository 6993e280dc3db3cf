"""Content-Formats 11543 and 1543: the JSON of LwM2M 1.0, an object of base fields and entries. LwM2M 1.0.2, 6.4.4."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.errors import CodecError
from flownexus_schemas.lwm2m.limits import check_count
from flownexus_schemas.lwm2m.object_model import ObjectModels
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.lwm2m.record import Record, Value
from flownexus_schemas.lwm2m.senml import compact
from flownexus_schemas.lwm2m.senml_json import decimal, loads
from flownexus_schemas.lwm2m.senml_names import MAX_NAME, path_of
from flownexus_schemas.lwm2m.typed_values import checked, from_base64, record_of, shown, type_of

_VALUES = frozenset({"v", "bv", "sv", "ov"})
_NATURAL: Mapping[tuple[str, type], DataType] = {
    ("v", int): DataType.INTEGER,
    ("v", float): DataType.FLOAT,
    ("bv", bool): DataType.BOOLEAN,
    ("sv", str): DataType.STRING,
    ("ov", str): DataType.OBJLNK,
}
_LABELS: Mapping[DataType, str] = {
    DataType.STRING: "sv",
    DataType.CORELNK: "sv",
    DataType.OPAQUE: "sv",
    DataType.INTEGER: "v",
    DataType.UNSIGNED: "v",
    DataType.FLOAT: "v",
    DataType.TIME: "v",
    DataType.BOOLEAN: "bv",
    DataType.OBJLNK: "ov",
}


def decode(payload: bytes, base_path: Path, models: ObjectModels, versions: Mapping[int, str] | None) -> list[Record]:
    """The values of the entries, in order. Opaque values are Base64 where a model tells that they are opaque.

    Without a base name, names are relative to `base_path`. Raises CodecError.
    """
    if not payload:
        return []
    document = loads(payload)
    entries = document.get("e") if type(document) is dict else None
    if type(document) is not dict or type(entries) is not list:
        raise CodecError("LwM2M JSON is an object with an array e")
    check_count(len(entries))
    base_name = _name(document, "bn")
    base_time = _number(document, "bt")
    records = []
    for entry in entries:
        if type(entry) is not dict:
            raise CodecError(f"an entry of LwM2M JSON is an object, not {shown(entry)}")
        name = _name(entry, "n")
        if "bn" not in document and name:
            name = f"/{base_path}/{name.removeprefix('/')}"
        path = path_of(base_name, name, base_path)
        offset = _number(entry, "t")
        time = None if base_time is None and offset is None else float((base_time or 0) + (offset or 0))
        natural, value = _value(entry)
        target = type_of(path, models, versions)
        if target is DataType.OPAQUE and isinstance(value, str):
            natural, value = DataType.OPAQUE, from_base64(value)
        records.append(record_of(path, natural, value, target, time))
    return records


def encode(records: Sequence[Record], base_path: Path) -> bytes:
    """The inverse. Raises CodecError for a value outside `base_path` or not of its type."""
    base_name = "".join(f"/{number}" for number in base_path.ids[:2]) + "/"
    entries = []
    for record in records:
        if record.path.resource_id is None or not base_path.contains(record.path):
            raise CodecError(f"a value is at /{record.path}, not at /{base_path}")
        entry: dict[str, Any] = {"n": f"/{record.path}".removeprefix(base_name)}
        if record.time is not None:
            entry["t"] = compact(record.time)
        value = checked(record)
        if isinstance(value, bytes):
            entry["sv"] = b64encode(value).decode()
        else:
            entry[_LABELS[record.type]] = decimal(value) if isinstance(value, float) else value
        entries.append(entry)
    return orjson.dumps({"bn": base_name, "e": entries})


def _value(entry: dict[str, Any]) -> tuple[DataType, Value]:
    labels = _VALUES & entry.keys()
    if len(labels) != 1:
        raise CodecError(f"an entry of LwM2M JSON has one value, not {len(labels)}")
    (label,) = labels
    value = entry[label]
    natural = _NATURAL.get((label, type(value)))
    if natural is None:
        raise CodecError(f"the field {label} of LwM2M JSON is {shown(value)}, which is not of its type")
    return natural, value


def _name(fields: dict[str, Any], label: str) -> str:
    name = fields.get(label, "")
    if type(name) is not str or len(name) > MAX_NAME:
        raise CodecError(f"the field {label} of LwM2M JSON is {shown(name)}, not a name")
    return name


def _number(fields: dict[str, Any], label: str) -> int | float | None:
    number = fields.get(label)
    if number is not None and type(number) is not int and type(number) is not float:
        raise CodecError(f"the field {label} of LwM2M JSON is {shown(number)}, not a number")
    return number
