"""Content-Format 110: SenML JSON. RFC 8428, 5; LwM2M Core 1.1.1, 7.4."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence

import orjson

from flownexus_schemas.lwm2m import senml
from flownexus_schemas.lwm2m.errors import CodecError
from flownexus_schemas.lwm2m.object_model import ObjectModels
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.lwm2m.record import Record
from flownexus_schemas.lwm2m.typed_values import from_base64, shown, without_exponent


def decode(
    payload: bytes, base_path: Path, models: ObjectModels, versions: Mapping[int, str] | None, root_path: str = "/"
) -> list[Record]:
    """The values of a pack. Raises CodecError. Meaning: `senml.decode`."""
    return senml.decode(loads(payload), base_path, models, versions, _opaque, root_path=root_path) if payload else []


def encode(records: Sequence[Record], base_path: Path, root_path: str = "/") -> bytes:
    """The inverse. Raises CodecError."""
    return orjson.dumps(senml.encode(records, base_path, _base64, decimal, root_path))


def decode_paths(payload: bytes) -> list[Path]:
    """The paths of a composite request. Raises CodecError."""
    return senml.decode_paths(loads(payload)) if payload else []


def encode_paths(paths: Sequence[Path], root_path: str = "/") -> bytes:
    """The inverse."""
    return orjson.dumps(senml.encode_paths(paths, root_path))


def loads(payload: bytes) -> object:
    """The JSON of a peer. Raises CodecError."""
    try:
        pack: object = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise CodecError(f"not JSON: {str(error)[:120]}") from None
    return pack


def _opaque(value: object) -> bytes:
    if type(value) is not str:
        raise CodecError(f"the SenML field vd is {shown(value)}, not a string")
    return from_base64(value)


def decimal(value: float) -> object:
    """Without an exponent where that is not too long, as in `text`."""
    return orjson.Fragment(without_exponent(value).encode())


def _base64(value: bytes) -> str:
    """RFC 8428, 5: the alphabet safe in URLs, without padding."""
    return urlsafe_b64encode(value).rstrip(b"=").decode()
