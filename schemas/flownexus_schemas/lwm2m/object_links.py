"""What a device has, by its links: objects, instances, versions, content formats."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from flownexus_schemas.lwm2m.errors import InvalidPath
from flownexus_schemas.lwm2m.link_format import Link
from flownexus_schemas.lwm2m.object_model import version_key
from flownexus_schemas.lwm2m.path import Path

ROOT_TYPE = "oma.lwm2m"
"""The resource type (`rt`) of the link whose target is the root of the LwM2M objects. LwM2M Core 1.1.1, 6.2.1."""


@dataclass(frozen=True, slots=True)
class ObjectLinks:
    """The objects of a device. LwM2M Core 1.1.1, 6.2.1.

    `root` is where they live, "/" or e.g. "/lwm2m". `content_formats` are the numbers of the root link's `ct`, empty
    where it says nothing. `versions` has the objects whose version is stated. `instances` is sorted and has paths of
    object instances, and of objects where no instance is listed.
    """

    root: str = "/"
    content_formats: tuple[int, ...] = ()
    versions: Mapping[int, str] = field(default_factory=dict, hash=False)
    instances: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "versions", MappingProxyType(dict(self.versions)))

    @property
    def objects(self) -> tuple[int, ...]:
        """Object ids, ascending."""
        return tuple(dict.fromkeys(path.object_id for path in self.instances if path.object_id is not None))

    def has_object(self, object_id: int) -> bool:
        """Whether the device lists the object, with or without instances."""
        return any(path.object_id == object_id for path in self.instances)

    def instances_of(self, object_id: int) -> tuple[int, ...]:
        """Ids of the instances listed of an object, ascending."""
        return tuple(
            path.object_instance_id
            for path in self.instances
            if path.object_id == object_id and path.object_instance_id is not None
        )


def object_links(links: Iterable[Link]) -> ObjectLinks:
    """Read the links of a Register or Update. Links to anything but objects and instances below the root are ignored.

    Raises nothing. A version or content format that cannot be read counts as not stated.
    """
    links = tuple(links)
    root_link = _root_link(links)
    root = _root_path(root_link)
    versions: dict[int, str] = {}
    listed: set[Path] = set()
    for link in links:
        path = _object_path(link.target, root)
        if path is None:
            continue
        listed.add(path)
        version = link.get("ver")
        # Stated on the object; a few devices put it on the instances.
        if version is not None and version_key(version) is not None and path.object_id is not None:
            if path.depth == 1:
                versions[path.object_id] = version
            else:
                versions.setdefault(path.object_id, version)
    with_instances = {path.object_id for path in listed if path.depth == 2}
    return ObjectLinks(
        root=root,
        content_formats=_content_formats(root_link),
        versions=versions,
        instances=tuple(sorted((p for p in listed if p.depth == 2 or p.object_id not in with_instances), key=_ids)),
    )


def _root_link(links: tuple[Link, ...]) -> Link | None:
    """The link of type oma.lwm2m, else the one to "/", which Zephyr sends without a type."""
    for link in links:
        if ROOT_TYPE in (link.get("rt") or "").split() and link.target.startswith("/"):
            return link
    return next((link for link in links if link.target == "/"), None)


def _root_path(link: Link | None) -> str:
    if link is None:
        return "/"
    return link.target.rstrip("/") or "/"


def _object_path(target: str, root: str) -> Path | None:
    if root != "/":
        if not target.startswith(f"{root}/"):
            return None
        target = target[len(root) :]
    try:
        path = Path.parse(target)
    except InvalidPath:
        return None
    return path if path.depth in (1, 2) else None


def _content_formats(link: Link | None) -> tuple[int, ...]:
    stated = (link.get("ct") or "").split() if link is not None else []
    numbers = (int(text) for text in stated if text.isascii() and text.isdecimal() and len(text) <= 5)
    return tuple(dict.fromkeys(number for number in numbers if number <= 65535))


def _ids(path: Path) -> tuple[int, ...]:
    return path.ids
