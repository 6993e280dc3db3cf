"""Content-Format 11544: LwM2M CBOR, maps of ids nested as the paths are. LwM2M Core 1.2, 7.5."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import cbor2

from flownexus_schemas.lwm2m import bounded_cbor, cbor_values
from flownexus_schemas.lwm2m.errors import CodecError
from flownexus_schemas.lwm2m.limits import check_count
from flownexus_schemas.lwm2m.object_model import ObjectModels
from flownexus_schemas.lwm2m.path import MAX_ID, Path
from flownexus_schemas.lwm2m.record import Record
from flownexus_schemas.lwm2m.typed_values import shown, type_of

_MAX_DEPTH = 4


def decode(payload: bytes, base_path: Path, models: ObjectModels, versions: Mapping[int, str] | None) -> list[Record]:
    """The values of the tree. A key is one id or an array of several. Values as in `cbor`. Raises CodecError."""
    if not payload:
        return []
    tree = bounded_cbor.loads(payload)
    if type(tree) is not dict:
        raise CodecError(f"LwM2M CBOR is a map of paths, not {shown(tree)}")
    records: list[Record] = []
    for ids, item in _leaves((), tree):
        path = Path(*ids)
        if path.resource_id is None:
            raise CodecError(f"a value is at /{path}, which is not the path of a resource")
        if not base_path.contains(path):
            raise CodecError(f"a value is at /{path}, not at /{base_path}")
        check_count(len(records) + 1)
        records.append(cbor_values.read(path, item, type_of(path, models, versions)))
    return records


def encode(records: Sequence[Record], base_path: Path) -> bytes:
    """The inverse, a map for each level. Raises CodecError."""
    tree: dict[int, Any] = {}
    for record in records:
        if record.path.resource_id is None or not base_path.contains(record.path):
            raise CodecError(f"a value is at /{record.path}, not at /{base_path}")
        *parents, last = record.path.ids
        node = tree
        for number in parents:
            node = node.setdefault(number, {})
            if type(node) is not dict:
                raise CodecError(f"/{record.path.resource} has both a value and instances")
        if last in node:
            raise CodecError(f"/{record.path} has several values")
        node[last] = cbor_values.write(record)
    return cbor2.dumps(tree)


def _leaves(above: tuple[int, ...], tree: dict[object, object]) -> Iterator[tuple[tuple[int, ...], object]]:
    for key, item in tree.items():
        ids = above + _ids(key)
        if len(ids) > _MAX_DEPTH:
            raise CodecError(f"a path has at most {_MAX_DEPTH} ids, not {len(ids)}")
        if type(item) is dict:
            yield from _leaves(ids, item)
        else:
            yield ids, item


def _ids(key: object) -> tuple[int, ...]:
    ids = key if type(key) is tuple else (key,)
    for number in ids:
        if type(number) is not int or not 0 <= number <= MAX_ID:
            raise CodecError(f"{shown(key)} is not an id or an array of ids")
    return ids
