"""Content-Format 112: SenML CBOR. RFC 8428, 6; LwM2M Core 1.1.1, 7.4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cbor2

from flownexus_schemas.lwm2m import bounded_cbor, senml
from flownexus_schemas.lwm2m.errors import CodecError
from flownexus_schemas.lwm2m.object_model import ObjectModels
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.lwm2m.record import Record
from flownexus_schemas.lwm2m.typed_values import shown

# RFC 8428, table 6. LwM2M's own "vlo" has no number: its label is text.
_NUMBERS: Mapping[str, int] = {
    "bver": -1,
    "bn": -2,
    "bt": -3,
    "bu": -4,
    "bv": -5,
    "bs": -6,
    "n": 0,
    "u": 1,
    "v": 2,
    "vs": 3,
    "vb": 4,
    "s": 5,
    "t": 6,
    "ut": 7,
    "vd": 8,
}
_LABELS: Mapping[object, str] = {number: label for label, number in _NUMBERS.items()}


def decode(
    payload: bytes, base_path: Path, models: ObjectModels, versions: Mapping[int, str] | None, root_path: str = "/"
) -> list[Record]:
    """The values of a pack; labels as numbers or as text. Raises CodecError. Meaning: `senml.decode`."""
    return senml.decode(_loads(payload), base_path, models, versions, _opaque, root_path=root_path) if payload else []


def encode(records: Sequence[Record], base_path: Path, root_path: str = "/") -> bytes:
    """The inverse. Raises CodecError."""
    return _dumps(senml.encode(records, base_path, bytes, float, root_path))


def decode_paths(payload: bytes) -> list[Path]:
    """The paths of a composite request. Raises CodecError."""
    return senml.decode_paths(_loads(payload)) if payload else []


def encode_paths(paths: Sequence[Path], root_path: str = "/") -> bytes:
    """The inverse."""
    return _dumps(senml.encode_paths(paths, root_path))


def _dumps(pack: list[senml.Entry]) -> bytes:
    # Base fields first, then name, time and value: generated readers take the fields in this order only.
    return cbor2.dumps([{_NUMBERS.get(label, label): value for label, value in entry.items()} for entry in pack])


def _loads(payload: bytes) -> object:
    pack = bounded_cbor.loads(payload)
    if type(pack) is not list:
        return pack
    return [
        {
            _LABELS.get(label, label): value.seconds if type(value) is bounded_cbor.Timestamp else value
            for label, value in entry.items()
        }
        if type(entry) is dict
        else entry
        for entry in pack
    ]


def _opaque(value: object) -> bytes:
    if type(value) is not bytes:
        raise CodecError(f"the SenML field vd is {shown(value)}, not a byte string")
    return value
