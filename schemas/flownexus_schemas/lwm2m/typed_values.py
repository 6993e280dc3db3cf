"""Fits a value, as a content format carries it, to the type that the object model states."""

from __future__ import annotations

import math
import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping
from decimal import Decimal

from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.date_time import unix_seconds
from flownexus_schemas.lwm2m.errors import CodecError
from flownexus_schemas.lwm2m.marks import OF_TYPES
from flownexus_schemas.lwm2m.object_model import ObjectModels
from flownexus_schemas.lwm2m.path import MAX_ID, Path
from flownexus_schemas.lwm2m.record import Record, Value

MIN_INTEGER = -(2**63)
MAX_INTEGER = 2**63 - 1
MAX_UNSIGNED = 2**64 - 1

_INTEGER_TEXT = re.compile(r"[+-]?[0-9]{1,20}")
_FLOAT_TEXT = re.compile(r"[+-]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,4})?")
_OBJLNK_TEXT = re.compile(r"([0-9]{1,5}):([0-9]{1,5})")
_NOT_FINITE = frozenset({"nan", "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"})
_BOOLEAN_TEXT = {"1": True, "true": True, "0": False, "false": False}
_TO_STANDARD_BASE64 = str.maketrans("-_", "+/")


class _Unfit(Exception):
    """The value cannot be read as the type, or only by guessing."""


def type_of(path: Path, models: ObjectModels, versions: Mapping[int, str] | None) -> DataType | None:
    """The type of the resource that `path` is or lies below; None where no model states one."""
    model = models.resource(path, versions)
    return model.type if model is not None else None


def record_of(path: Path, natural: DataType, value: Value, target: DataType | None, time: float | None) -> Record:
    """One record of the type `target`, or of the type natural to the format where that is None. Raises CodecError.

    Taken as they are meant: whole floats for integers, integers for floats, 0 and 1 and their texts for booleans,
    numbers in texts, texts with the NUL that ends them in C; the record is marked. A float can be NaN or infinite.
    """
    if natural is DataType.INTEGER and target is None and isinstance(value, int) and value > MAX_INTEGER:
        natural = DataType.UNSIGNED
    kind = natural if target is None else target
    try:
        fitted = _FIT[kind](value)
    except _Unfit:
        raise CodecError(f"{path}: {shown(value)} is not a value of type {kind}") from None
    if natural is not kind and (marks := OF_TYPES.get((natural, kind))) is not None:
        return Record(path, kind, fitted, time, marks)
    return Record(path, kind, fitted, time)


def checked(record: Record) -> Value:
    """The value of a record that is to be encoded. Raises CodecError unless its Python type and range are right."""
    value = record.value
    try:
        fitted = _FIT[record.type](value)
    except _Unfit:
        fitted = None
    expected = (int, float) if record.type in (DataType.TIME, DataType.FLOAT) else type(fitted)
    fits = fitted is not None and isinstance(value, expected) and isinstance(value, bool) == isinstance(fitted, bool)
    if not fits or (isinstance(fitted, float) and not math.isfinite(fitted)):
        raise CodecError(f"{record.path}: {shown(value)} is not a value of type {record.type}")
    assert fitted is not None
    return fitted


def from_base64(text: str) -> bytes:
    """Either alphabet of RFC 4648, with or without padding. Raises CodecError."""
    bare = text.rstrip("=").translate(_TO_STANDARD_BASE64)
    try:
        return b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (Base64Error, ValueError):
        raise CodecError(f"{shown(text)} is not Base64") from None


def without_exponent(value: float) -> str:
    """Shortest decimal text that reads back the same; without an exponent where that is not too long, as Zephyr stops
    reading at the "e".
    """
    text = repr(value)
    if "e" not in text or not 1e-12 <= abs(value) < 1e21:
        return text
    return format(Decimal(text), "f") if abs(value) < 1 else f"{value:.1f}"


def shown(value: object) -> str:
    """A value in an error message, cut to a length that can be sent to a peer."""
    if isinstance(value, str | bytes):
        value = value[:40]
    text = repr(value) if isinstance(value, str | bytes | int | float) else f"a {type(value).__name__}"
    return text[:60]


def _string(value: Value) -> str:
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            raise _Unfit from None
    if isinstance(value, str):
        if not value.isascii():
            _utf8(value)
        return value.rstrip("\0")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise _Unfit


def _bare(text: str) -> str:
    return text.strip("\0 \t\r\n")


def _utf8(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _Unfit from None


def _whole(value: Value) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str):
        bare = _bare(value)
        if _INTEGER_TEXT.fullmatch(bare):
            return int(bare)
        if (number := _float(bare)).is_integer():
            return int(number)
    raise _Unfit


def _integer(value: Value) -> int:
    number = _whole(value)
    if not MIN_INTEGER <= number <= MAX_INTEGER:
        raise _Unfit
    return number


def _unsigned(value: Value) -> int:
    number = _whole(value)
    if not 0 <= number <= MAX_UNSIGNED:
        raise _Unfit
    return number


def _float(value: Value) -> float:
    if isinstance(value, float):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise _Unfit from None
    if isinstance(value, str):
        bare = _bare(value)
        if _FLOAT_TEXT.fullmatch(bare):
            return float(bare)
        if bare.lower() in _NOT_FINITE:
            return float(bare)
    raise _Unfit


def _boolean(value: Value) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    if isinstance(value, str) and (known := _BOOLEAN_TEXT.get(_bare(value).lower())) is not None:
        return known
    raise _Unfit


def _opaque(value: Value) -> bytes:
    if isinstance(value, bytes):
        return value
    raise _Unfit


def _time(value: Value) -> int | float:
    if isinstance(value, float) and math.isfinite(value) and not value.is_integer():
        return value
    return _integer(value) if not isinstance(value, str) else _time_text(value)


def _time_text(text: str) -> int | float:
    bare = _bare(text)
    if _INTEGER_TEXT.fullmatch(bare):
        return _integer(bare)
    try:
        return unix_seconds(bare)
    except (ValueError, OverflowError):
        return _time(_float(bare))


def _objlnk(value: Value) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and -(2**31) <= value < 2**32:
        # Zephyr's SenML CBOR: both ids in one signed number of 32 bits.
        return f"{value >> 16 & MAX_ID}:{value & MAX_ID}"
    match = _OBJLNK_TEXT.fullmatch(_bare(value)) if isinstance(value, str) else None
    if match is None:
        raise _Unfit
    object_id, instance_id = int(match[1]), int(match[2])
    if object_id > MAX_ID or instance_id > MAX_ID:
        raise _Unfit
    return f"{object_id}:{instance_id}"


_FIT: Mapping[DataType, Callable[[Value], Value]] = {
    DataType.STRING: _string,
    DataType.INTEGER: _integer,
    DataType.UNSIGNED: _unsigned,
    DataType.FLOAT: _float,
    DataType.BOOLEAN: _boolean,
    DataType.OPAQUE: _opaque,
    DataType.TIME: _time,
    DataType.OBJLNK: _objlnk,
    DataType.CORELNK: _string,
}
