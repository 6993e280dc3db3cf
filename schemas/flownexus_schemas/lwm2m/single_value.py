"""What the formats that carry one value without a name have in common: text, opaque and CBOR."""

from __future__ import annotations

from collections.abc import Sequence

from flownexus_schemas.lwm2m.errors import CodecError
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.lwm2m.record import Record


def resource_path(base_path: Path, content_format: str) -> Path:
    """The path of the value: the one asked for. Raises CodecError unless that is a resource or an instance of one."""
    if base_path.resource_id is None:
        raise CodecError(f"{content_format} carries the value of one resource, not what is at /{base_path}")
    return base_path


def only_record(records: Sequence[Record], base_path: Path, content_format: str) -> Record:
    """The one record there is, if it is at `base_path`. Raises CodecError."""
    if len(records) != 1:
        raise CodecError(f"{content_format} carries one value, not {len(records)}")
    record = records[0]
    if record.path != resource_path(base_path, content_format):
        raise CodecError(f"the value is at /{record.path}, not at /{base_path}")
    return record
