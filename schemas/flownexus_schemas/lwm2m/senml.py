"""SenML records and what they mean in LwM2M, apart from JSON and CBOR. RFC 8428; LwM2M Core 1.1.1, 7.4.

A record is a dict by the labels of JSON. `senml_json` and `senml_cbor` read and write lists of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.errors import CodecError
from flownexus_schemas.lwm2m.limits import check_count
from flownexus_schemas.lwm2m.object_model import ObjectModels
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.lwm2m.record import Record, Value
from flownexus_schemas.lwm2m.senml_names import MAX_NAME, named_path, path_of, prefix_of
from flownexus_schemas.lwm2m.typed_values import checked, record_of, shown, type_of

Entry = dict[str, Any]

_VALUES = frozenset({"v", "vs", "vb", "vd", "vlo"})
_KNOWN = _VALUES | {"bn", "bt", "bu", "bv", "bs", "bver", "n", "u", "s", "t", "ut"}
_NUMBERS: Mapping[type, DataType] = {
    int: DataType.INTEGER,
    float: DataType.FLOAT,
    bool: DataType.BOOLEAN,
}
_LABELS: Mapping[DataType, str] = {
    DataType.STRING: "vs",
    DataType.CORELNK: "vs",
    DataType.INTEGER: "v",
    DataType.UNSIGNED: "v",
    DataType.FLOAT: "v",
    DataType.TIME: "v",
    DataType.BOOLEAN: "vb",
    DataType.OBJLNK: "vlo",
}
_VERSION = 10
_SECONDARY_UNITS = 1 << 4


def decode(
    pack: object,
    base_path: Path,
    models: ObjectModels,
    versions: Mapping[int, str] | None,
    opaque: Callable[[object], bytes],
    *,
    root_path: str,
) -> list[Record]:
    """The values of a pack, in order; `opaque` reads `vd`. Raises CodecError. `root_path` as in `path_of`.

    Base fields hold from their record on. A time is the sum of base time and time, None where there is neither.
    Records without a value, which carry base fields or sums, give none.
    """
    records: list[Record] = []
    base_name, base_time, base_value = "", None, None
    for entry in _entries(pack):
        if "bn" in entry:
            base_name = _name(entry, "bn")
        if "bt" in entry:
            base_time = _number(entry, "bt")
        if "bv" in entry:
            base_value = _number(entry, "bv")
        found = _value(entry, base_value, opaque)
        if found is None:
            continue
        natural, value = found
        path = path_of(base_name, _name(entry, "n") if "n" in entry else "", base_path, root_path)
        time = base_time
        if "t" in entry:
            offset = _number(entry, "t")
            time = offset if base_time is None else base_time + offset
        target = type_of(path, models, versions)
        records.append(record_of(path, natural, value, target, None if time is None else float(time)))
    return records


def encode(
    records: Sequence[Record],
    base_path: Path,
    opaque: Callable[[bytes], object],
    real: Callable[[float], object],
    root_path: str = "/",
) -> list[Entry]:
    """The inverse; `opaque` writes `vd`, `real` a `v` that is a float. Raises CodecError for a value outside
    `base_path` or not of its type.

    The base name is that of the object instance, given anew for each: Zephyr keeps 11 characters of a base name and 9
    of a name, which a longer or shorter one would overflow.
    """
    times = {record.time for record in records}
    shared = times.pop() if len(times) == 1 else None
    pack: list[Entry] = []
    base_name, prefix = "", prefix_of(root_path)
    for record in records:
        path = record.path
        if path.resource_id is None or not base_path.contains(path):
            raise CodecError(f"a value is at /{path}, not at /{base_path}")
        entry: Entry = {}
        if (instance := f"{prefix}/{path.object_id}/{path.object_instance_id}/") != base_name:
            entry["bn"] = base_name = instance
        if shared is not None and not pack:
            entry["bt"] = compact(shared)
        last = path.resource_instance_id
        entry["n"] = str(path.resource_id) if last is None else f"{path.resource_id}/{last}"
        if shared is None and record.time is not None:
            entry["t"] = compact(record.time)
        value = checked(record)
        if isinstance(value, bytes):
            entry["vd"] = opaque(value)
        else:
            entry[_LABELS[record.type]] = real(value) if isinstance(value, float) else value
        pack.append(entry)
    return pack


def decode_paths(pack: object) -> list[Path]:
    """The paths that a composite request names, in order. Raises CodecError. LwM2M Core 1.1.1, 6.3.5."""
    paths = []
    base_name = ""
    for entry in _entries(pack):
        if "bn" in entry:
            base_name = _name(entry, "bn")
        if "n" in entry or base_name:
            paths.append(named_path(base_name, _name(entry, "n") if "n" in entry else ""))
    return paths


def encode_paths(paths: Sequence[Path], root_path: str = "/") -> list[Entry]:
    """The inverse: one record with a full name for each path."""
    prefix = prefix_of(root_path)
    return [{"n": f"{prefix}/{path}"} for path in paths]


def _entries(pack: object) -> list[Entry]:
    if type(pack) is not list:
        raise CodecError(f"a SenML pack is an array of records, not {shown(pack)}")
    check_count(len(pack))
    for entry in pack:
        if type(entry) is not dict:
            raise CodecError(f"a SenML record is a map, not {shown(entry)}")
        if not entry.keys() <= _KNOWN:
            _check_unknown(entry)
        if "bver" in entry:
            _check_version(entry["bver"])
    return pack


def _check_unknown(labels: Iterable[object]) -> None:
    """RFC 8428, 4.4: a label that ends in "_" must be understood, other unknown ones are ignored."""
    for label in labels:
        if isinstance(label, str) and label.endswith("_"):
            raise CodecError(f"the SenML field {shown(label)} must be understood, and is not")


def _check_version(version: object) -> None:
    """RFC 8428, 4.4, and RFC 9100: above 10 each bit is a feature. Secondary units change no value."""
    if type(version) is not int or not 0 < version & ~_SECONDARY_UNITS <= _VERSION:
        raise CodecError(f"SenML version (bver) {shown(version)} is not known")


def _value(
    entry: Entry, base_value: int | float | None, opaque: Callable[[object], bytes]
) -> tuple[DataType, Value] | None:
    """The one value of a record and the type natural to it; None where it has none. RFC 8428, 4.2."""
    labels = _VALUES & entry.keys()
    if not labels:
        return None
    if len(labels) > 1:
        raise CodecError(f"a SenML record has several values: {', '.join(sorted(labels))}")
    (label,) = labels
    value = entry[label]
    if label == "v":
        natural = _NUMBERS.get(type(value))
        if natural is None:
            raise CodecError(f"the SenML field v is {shown(value)}, not a number")
        if base_value is not None:
            return _sum(value, base_value)
        return natural, value
    if label == "vd":
        return DataType.OPAQUE, opaque(value)
    if label == "vb":
        if type(value) is not bool and value not in (0, 1):
            raise CodecError(f"the SenML field vb is {shown(value)}, not a boolean")
        return DataType.BOOLEAN, bool(value)
    if type(value) is not str:
        raise CodecError(f"the SenML field {label} is {shown(value)}, not a string")
    return (DataType.OBJLNK if label == "vlo" else DataType.STRING), value


def _sum(value: object, base_value: int | float) -> tuple[DataType, Value]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CodecError(f"a base value cannot be added to {shown(value)}")
    total = base_value + value
    return _NUMBERS[type(total)], total


def _name(entry: Entry, label: str) -> str:
    name = entry[label]
    if type(name) is not str or len(name) > MAX_NAME:
        raise CodecError(f"the SenML field {label} is {shown(name)}, not a name")
    return name


def _number(entry: Entry, label: str) -> int | float:
    number = entry[label]
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise CodecError(f"the SenML field {label} is {shown(number)}, not a number")
    return number


def compact(time: float) -> int | float:
    """Whole seconds as an integer, which is shorter and exact. Raises CodecError for what is no time."""
    if not math.isfinite(time) or abs(time) >= 2**63:
        raise CodecError(f"{time} is not a time")
    return int(time) if time.is_integer() else time
