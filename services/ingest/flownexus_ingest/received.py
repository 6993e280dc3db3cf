"""A value as it came: in the type that the content format gives it, whatever model the gateway decoded it by."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from functools import lru_cache

from flownexus_schemas.events import Report
from flownexus_schemas.lwm2m import codecs
from flownexus_schemas.lwm2m.content_format import ContentFormat
from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.errors import Lwm2mError
from flownexus_schemas.lwm2m.object_model import ObjectModels
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.lwm2m.record import Record, Value

_NATURAL = {
    ContentFormat.TEXT: DataType.STRING,
    ContentFormat.OPAQUE: DataType.OPAQUE,
    ContentFormat.TLV: DataType.OPAQUE,
    ContentFormat.OLD_TLV: DataType.OPAQUE,
}
"""The formats that state no types, and what their values are without a model. The others state them on the wire."""

_NO_MODELS = ObjectModels()


def as_received(report: Report, index: int, path: Path) -> tuple[DataType, Value]:
    """Type and value of the record at `index`, which is at `path`, from the payload where the gateway had a model.

    As the event has it where the payload without a model does not give the same paths. Raises ValueError for opaque
    that is not base64 and float text that is no number.
    """
    record = report.records[index]
    format_ = report.content_format
    if format_ in _NATURAL and record.type is not _NATURAL[ContentFormat(format_)]:
        first = path if index == 0 else Path.parse(report.records[0].path)
        found = _without_model(report.payload, format_, first, len(report.records))
        if index < len(found) and found[index].path == path:
            return found[index].type, found[index].value
    return record.type, _value(record.type, record.value)


def _value(kind: DataType, value: bool | int | float | str) -> Value:
    if kind is DataType.OPAQUE:
        if not isinstance(value, str):
            raise ValueError(f"opaque is base64 text, not {value!r}")
        return b64decode(value, validate=True)
    return float(value) if kind is DataType.FLOAT else value


@lru_cache(maxsize=4)
def _without_model(payload: str, content_format: int, first: Path, count: int) -> tuple[Record, ...]:
    """The records of a payload; what was asked for is one of the paths that lead to the first. None: it is unclear."""
    try:
        raw = b64decode(payload, validate=True)
    except Base64Error:
        return ()
    for depth in range(len(first.ids), 0, -1):
        try:
            records = codecs.decode(raw, content_format, Path(*first.ids[:depth]), _NO_MODELS)
        except Lwm2mError:
            continue
        if len(records) == count and records[0].path == first:
            return tuple(records)
    return ()
