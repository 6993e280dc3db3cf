"""SenML packs in CBOR and JSON, written and read label by label. RFC 8428; LwM2M Core 1.1.1, 7.4.4 and 7.4.5."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import cbor2
import orjson

from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_simulator.values import Leaves, Path, Scalar, parse_path, path_text

CBOR_LABELS: Mapping[str, int | str] = {
    "bn": -2,
    "bt": -3,
    "n": 0,
    "v": 2,
    "vs": 3,
    "vb": 4,
    "t": 6,
    "vd": 8,
    "vlo": "vlo",
}
JSON_LABELS: Mapping[str, int | str] = {name: name for name in CBOR_LABELS}
_NAMES = {label: name for name, label in CBOR_LABELS.items()}
_MEMBERS = {
    DataType.STRING: "vs",
    DataType.CORELNK: "vs",
    DataType.BOOLEAN: "vb",
    DataType.OPAQUE: "vd",
    DataType.OBJLNK: "vlo",
}

Entry = dict[int | str, Any]


class MalformedSenml(ValueError):
    """A payload that is no SenML pack of the kind it should be."""


def write_cbor(leaves: Leaves, time: float | None) -> bytes:
    """A pack in CBOR; `time` in Unix seconds holds for every value, None says nothing of time."""
    return cbor2.dumps(_pack(leaves, time, CBOR_LABELS))


def write_json(leaves: Leaves, time: float | None) -> bytes:
    """A pack in JSON; `time` as in `write_cbor`."""
    pack = _pack(leaves, time, JSON_LABELS)
    for entry in pack:
        if "vd" in entry:
            entry["vd"] = base64.urlsafe_b64encode(entry["vd"]).decode().rstrip("=")
    return orjson.dumps(pack)


def _pack(leaves: Leaves, time: float | None, labels: Mapping[str, int | str]) -> list[Entry]:
    pack: list[Entry] = []
    base: Path = ()
    name = labels["n"]
    for path, leaf in leaves:
        entry: Entry = {}
        if path[:2] != base:
            base = path[:2]
            entry[labels["bn"]] = f"/{path_text(base)}/"
        if time is not None and not pack:
            entry[labels["bt"]] = time
        entry[name] = path_text(path[2:])
        entry[labels[_MEMBERS.get(leaf.type, "v")]] = leaf.value
        pack.append(entry)
    return pack


def read_cbor(payload: bytes) -> list[tuple[Path, Scalar | None]]:
    """Paths, each with its value where it has one. Raises MalformedSenml."""
    try:
        pack = cbor2.loads(payload)
        return _unpack([{_NAMES[label]: value for label, value in entry.items()} for entry in pack])
    except (cbor2.CBORDecodeError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise MalformedSenml(repr(error)) from error


def read_json(payload: bytes) -> list[tuple[Path, Scalar | None]]:
    """Paths, each with its value where it has one. Raises MalformedSenml."""
    try:
        pack = orjson.loads(payload)
        for entry in pack:
            if "vd" in entry:
                entry["vd"] = base64.urlsafe_b64decode(entry["vd"] + "=" * (-len(entry["vd"]) % 4))
        return _unpack(pack)
    except (AttributeError, TypeError, ValueError) as error:
        raise MalformedSenml(repr(error)) from error


def _unpack(pack: list[Entry]) -> list[tuple[Path, Scalar | None]]:
    base = ""
    found: list[tuple[Path, Scalar | None]] = []
    for entry in pack:
        base = entry.get("bn", base)
        value = next((entry[member] for member in ("v", "vs", "vb", "vd", "vlo") if member in entry), None)
        found.append((parse_path(base + entry.get("n", "")), value))
    return found


def fit(value: Scalar, kind: DataType) -> Scalar:
    """A read value as the type of its resource. Raises MalformedSenml."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match kind:
        case DataType.FLOAT if is_number:
            return float(value)
        case DataType.INTEGER | DataType.UNSIGNED | DataType.TIME if is_number:
            return int(value)
        case DataType.BOOLEAN if isinstance(value, bool):
            return value
        case DataType.OPAQUE if isinstance(value, bytes):
            return value
        case DataType.STRING | DataType.CORELNK | DataType.OBJLNK if isinstance(value, str):
            return value
    raise MalformedSenml(f"{value!r} is no {kind}")
