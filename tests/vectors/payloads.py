"""Payloads with what they mean, from specifications and from devices: data in lwm2m/*.json, each with its source.

`payload` is hexadecimal, `text` is UTF-8; `exact` tells that encoding the records gives these very bytes.
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.marks import Mark
from flownexus_schemas.lwm2m.object_model import ObjectModel, ObjectModels, ResourceModel
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.lwm2m.record import Record

FOLDER = pathlib.Path(__file__).parent / "lwm2m"


@dataclass(frozen=True)
class Payload:
    """One vector."""

    name: str
    source: str
    content_format: int
    base_path: Path
    payload: bytes
    records: list[Record]
    exact: bool

    def __str__(self) -> str:
        return self.name.replace(" ", "-")


def load(*files: str) -> list[Payload]:
    """The vectors of these files, of all without names."""
    names = files or tuple(sorted(path.name for path in FOLDER.glob("*.json") if path.name != "models.json"))
    return [_payload(item) for name in names for item in json.loads((FOLDER / name).read_text())]


def _payload(item: dict[str, Any]) -> Payload:
    return Payload(
        name=item["name"],
        source=item["source"],
        content_format=item["content_format"],
        base_path=Path.parse(item["base_path"]),
        payload=bytes.fromhex(item["payload"]) if "payload" in item else item["text"].encode(),
        records=[_record(*record) for record in item["records"]],
        exact=item.get("exact", False),
    )


def _record(path: str, kind: str, value: Any, time: float | None = None, marks: Sequence[str] = ()) -> Record:
    data_type = DataType(kind)
    read = bytes.fromhex(value) if data_type is DataType.OPAQUE else value
    return Record(Path.parse(path), data_type, read, time, tuple(map(Mark, marks)))


def _models() -> ObjectModels:
    objects = json.loads((FOLDER / "models.json").read_text())
    return ObjectModels(
        ObjectModel(
            id=item["id"],
            name=item["name"],
            version="1.0",
            lwm2m_version="1.0",
            urn="",
            multiple=True,
            mandatory=False,
            description="",
            resources={
                number: ResourceModel(number, f"r{number}", DataType(kind), multiple, False, "RW")
                for number, kind, multiple in item["resources"]
            },
        )
        for item in objects
    )


MODELS = _models()
"""The objects of the vectors: id, type and multiplicity of resources as in the OMA registry; 65, 66 and 72 as in the
specification's examples; 32768 has one resource of each type, single (0 to 8) and multiple (10 to 18)."""
