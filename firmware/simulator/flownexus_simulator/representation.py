"""Values in the format that a server asks for, and back. LwM2M Core 1.1.1, 7.4."""

from __future__ import annotations

import base64
import binascii

from flownexus_schemas.lwm2m.content_format import ContentFormat
from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_simulator import senml, tlv
from flownexus_simulator.values import Leaf, Leaves, Path, Scalar, Tree

DEFAULT = ContentFormat.SENML_CBOR
"""What a device sends where no Accept asks for anything."""


SENML = frozenset(
    {
        ContentFormat.SENML_CBOR,
        ContentFormat.SENML_JSON,
        ContentFormat.SENML_ETCH_CBOR,
        ContentFormat.SENML_ETCH_JSON,
    }
)


class NotRepresentable(ValueError):
    """The format is unknown or cannot hold these values: 4.06."""


class Unreadable(ValueError):
    """A payload that does not hold what its format and path say: 4.00."""


class UnsupportedFormat(ValueError):
    """A Content-Format that is not read: 4.15."""


def write(leaves: Leaves, content_format: int, base: Path, time: float | None = None) -> bytes:
    """Values at or below `base` as a payload. `time`: Unix seconds, kept only by SenML. Raises NotRepresentable."""
    match content_format:
        case ContentFormat.SENML_CBOR:
            return senml.write_cbor(leaves, time)
        case ContentFormat.SENML_JSON:
            return senml.write_json(leaves, time)
        case ContentFormat.TLV if base:
            return tlv.write(leaves, base)
        case ContentFormat.TEXT if len(base) >= 3 and leaves[0][0] == base:
            return _text(leaves[0][1]).encode()
        case ContentFormat.OPAQUE if leaves[0][0] == base and leaves[0][1].type is DataType.OPAQUE:
            value = leaves[0][1].value
            assert isinstance(value, bytes)
            return value
        case _:
            raise NotRepresentable(str(content_format))


def _text(leaf: Leaf) -> str:
    value = leaf.value
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)


def read(payload: bytes, content_format: int, base: Path, tree: Tree) -> list[tuple[Path, Scalar]]:
    """The values of a write at `base`, as the types of the resources in `tree`; unknown resources are left out.

    Raises Unreadable, UnsupportedFormat.
    """
    try:
        match content_format:
            case ContentFormat.TEXT if len(base) >= 3:
                kind = tree.type_at(base)
                return [] if kind is None else [(base, _parse_text(payload.decode(), kind))]
            case ContentFormat.OPAQUE if len(base) >= 3:
                return [(base, payload)]
            case ContentFormat.TLV:
                typed = [(path, raw, tree.type_at(path)) for path, raw in tlv.read(payload, base)]
                return [(path, tlv.parse(raw, kind)) for path, raw, kind in typed if kind is not None]
            case _ if content_format in SENML:
                entries = read_entries(payload, content_format)
                known = [(path, value, tree.type_at(path)) for path, value in entries if value is not None]
                return [(path, senml.fit(value, kind)) for path, value, kind in known if kind is not None]
            case _:
                raise UnsupportedFormat(str(content_format))
    except (UnicodeDecodeError, tlv.MalformedTlv, senml.MalformedSenml, binascii.Error) as error:
        raise Unreadable(str(error)) from error


def read_entries(payload: bytes, content_format: int) -> list[tuple[Path, Scalar | None]]:
    """Paths of a SenML pack, each with its value where it has one. Raises Unreadable, UnsupportedFormat."""
    try:
        match content_format:
            case ContentFormat.SENML_CBOR | ContentFormat.SENML_ETCH_CBOR:
                return senml.read_cbor(payload)
            case ContentFormat.SENML_JSON | ContentFormat.SENML_ETCH_JSON:
                return senml.read_json(payload)
            case _:
                raise UnsupportedFormat(str(content_format))
    except senml.MalformedSenml as error:
        raise Unreadable(str(error)) from error


def _parse_text(text: str, kind: DataType) -> Scalar:
    try:
        match kind:
            case DataType.FLOAT:
                return float(text)
            case DataType.INTEGER | DataType.UNSIGNED | DataType.TIME:
                return int(text)
            case DataType.BOOLEAN:
                return text == "1"
            case DataType.OPAQUE:
                return base64.b64decode(text, validate=True)
            case _:
                return text
    except ValueError as error:
        raise Unreadable(f"{text[:40]!r} is no {kind}") from error
