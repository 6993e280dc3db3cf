"""Whether what a device has is what is desired. Pure."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from flownexus_schemas.commands import JsonValue
from flownexus_schemas.desired.standing import MAX_SHOWN
from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.errors import CodecError, InvalidLink
from flownexus_schemas.lwm2m.link_format import parse_links
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.lwm2m.typed_values import from_base64

CUT = "..."


def is_equal(desired: JsonValue | None, reported: JsonValue | None, type_: DataType | None) -> bool:
    """Whether the two are the same value of this type; None is what is not there.

    A float counts as equal where both are the same in 32 bits: many devices keep no more.
    """
    if desired is None or reported is None:
        return desired is reported
    if isinstance(desired, bool) or isinstance(reported, bool):
        return desired is reported
    if type_ is DataType.OPAQUE and isinstance(desired, str) and isinstance(reported, str):
        return _bytes(desired) == _bytes(reported)
    if isinstance(desired, str) or isinstance(reported, str):
        return desired == reported
    if desired == reported:
        return True
    return type_ in {DataType.FLOAT, None} and _single(desired) == _single(reported)


def shown(value: JsonValue | None) -> JsonValue | None:
    """The value as it is shown: texts cut."""
    if isinstance(value, str) and len(value) > MAX_SHOWN:
        return value[: MAX_SHOWN - len(CUT)] + CUT
    return value


def is_whole(value: JsonValue | None) -> bool:
    """Whether a value that is shown is all of it."""
    return not (isinstance(value, str) and len(value) >= MAX_SHOWN)


def attributes_at(links: str, root: str, path: Path) -> Mapping[str, JsonValue]:
    """The attributes that a Discover's answer has at `path`; empty where it has none, or not the path.

    `root` is the alternate path of the device. LwM2M Core 1.1.1, 6.3.2.
    """
    try:
        found = parse_links(links)
    except InvalidLink:
        return {}
    targets = {f"{root.rstrip('/')}/{path}", f"/{path}"}
    for link in found:
        if link.target in targets:
            return {name: _number(value) for name, value in link.attributes if value is not None}
    return {}


def _number(text: str) -> JsonValue:
    try:
        return float(text)
    except ValueError:
        return text


def _single(value: int | float) -> float:
    try:
        number: float = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        return float(value)
    return number


def _bytes(text: str) -> bytes | str:
    try:
        return from_base64(text)
    except CodecError:
        return text
