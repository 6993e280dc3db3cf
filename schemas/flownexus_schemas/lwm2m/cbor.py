"""Content-Format 60: one value as CBOR. LwM2M Core 1.1.1, 7.4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cbor2

from flownexus_schemas.lwm2m import bounded_cbor, cbor_values
from flownexus_schemas.lwm2m.object_model import ObjectModels
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.lwm2m.record import Record
from flownexus_schemas.lwm2m.single_value import only_record, resource_path
from flownexus_schemas.lwm2m.typed_values import type_of

_NAME = "CBOR"


def decode(payload: bytes, base_path: Path, models: ObjectModels, versions: Mapping[int, str] | None) -> list[Record]:
    """Of the type of the CBOR item where no model tells another. Raises CodecError."""
    if not payload:
        return []
    path = resource_path(base_path, _NAME)
    return [cbor_values.read(path, bounded_cbor.loads(payload), type_of(path, models, versions))]


def encode(records: Sequence[Record], base_path: Path) -> bytes:
    """The inverse. Raises CodecError unless there is one record, at `base_path`."""
    return cbor2.dumps(cbor_values.write(only_record(records, base_path, _NAME)))
