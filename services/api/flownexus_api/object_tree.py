"""The objects of an endpoint: what it listed, what the models say of it, and the values it sent, as one tree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from pydantic import BaseModel, Field

from flownexus_api.values import WireValue
from flownexus_schemas.lwm2m.errors import InvalidPath
from flownexus_schemas.lwm2m.object_model import ObjectModel, ObjectModels
from flownexus_schemas.lwm2m.path import Path


class Latest(NamedTuple):
    """The newest value at a path of depth 3 or 4."""

    path: Path
    type: str
    value: WireValue
    time: datetime


class ObjectResource(BaseModel):
    """A resource or resource instance. `value` and `time` are null where the device never sent one.

    `type` is that of the value where there is one, else that of the model. `operations` is of R, W and E.
    """

    path: str
    id: int
    name: str | None
    type: str | None
    units: str | None
    operations: str | None = Field(description="Null where no model says.")
    multiple: bool
    mandatory: bool
    value: WireValue | None
    time: datetime | None


class ObjectInstance(BaseModel):
    """An instance of an object with all resources of its model, and those the device sent beyond it."""

    id: int
    resources: list[ObjectResource]


class DeviceObject(BaseModel):
    """An object of a device. `known`: whether there is a model; `version`: as the device said, else the model's."""

    id: int
    name: str | None
    version: str | None
    known: bool
    instances: list[ObjectInstance]


def object_tree(
    links: Iterable[str], versions: Mapping[str, str], models: ObjectModels, latest: Iterable[Latest]
) -> list[DeviceObject]:
    """The objects that the device lists or sent values of, with their instances and resources, by id."""
    instances: dict[int, set[int]] = defaultdict(set)
    for link in links:
        path = _listed(link)
        if path is not None and path.object_id is not None:
            listed = instances[path.object_id]
            if path.object_instance_id is not None:
                listed.add(path.object_instance_id)
    values: dict[Path, list[Latest]] = defaultdict(list)
    for one in latest:
        assert one.path.object_id is not None
        assert one.path.object_instance_id is not None
        instances[one.path.object_id].add(one.path.object_instance_id)
        values[Path(one.path.object_id, one.path.object_instance_id)].append(one)
    return [
        _object(object_id, ids, versions.get(str(object_id)), models, values)
        for object_id, ids in sorted(instances.items())
    ]


def _object(
    object_id: int, ids: set[int], version: str | None, models: ObjectModels, values: Mapping[Path, list[Latest]]
) -> DeviceObject:
    model = models.object(object_id, version)
    stated = {object_id: version} if version is not None else {}
    return DeviceObject(
        id=object_id,
        name=model.name if model else None,
        version=version or (model.version if model else None),
        known=model is not None,
        instances=[
            ObjectInstance(
                id=instance_id,
                resources=_resources(Path(object_id, instance_id), model, models, stated, values),
            )
            for instance_id in sorted(ids)
        ],
    )


def _resources(
    instance: Path,
    model: ObjectModel | None,
    models: ObjectModels,
    stated: Mapping[int, str],
    values: Mapping[Path, list[Latest]],
) -> list[ObjectResource]:
    sent = {one.path: one for one in values.get(instance, ())}
    with_values = {path.resource_id for path in sent}
    unsent = [instance.child(number) for number in (model.resources if model else ()) if number not in with_values]
    return [
        _resource(path, sent.get(path), models, stated) for path in sorted([*sent, *unsent], key=lambda path: path.ids)
    ]


def _resource(path: Path, latest: Latest | None, models: ObjectModels, stated: Mapping[int, str]) -> ObjectResource:
    model = models.resource(path, stated)
    assert path.resource_id is not None
    return ObjectResource(
        path=str(path),
        id=path.resource_id,
        name=model.name if model else None,
        type=latest.type if latest else model.type if model else None,
        units=(model.units or None) if model else None,
        operations=model.operations if model else None,
        multiple=model.multiple if model else path.depth == 4,
        mandatory=model.mandatory if model else False,
        value=latest.value if latest else None,
        time=latest.time if latest else None,
    )


def _listed(link: str) -> Path | None:
    """The path of a link; a row that holds no path is left out, as the rest of the tree is still good."""
    try:
        return Path.parse(link)
    except InvalidPath:
        return None
