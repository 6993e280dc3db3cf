"""What of a registration counts for desired values."""

from __future__ import annotations

from dataclasses import dataclass

from flownexus_schemas.lwm2m.errors import InvalidPath
from flownexus_schemas.lwm2m.object_model import version_key
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.registrations import StoredRegistration

COMPOSITE_SINCE = (1, 1)


@dataclass(frozen=True, slots=True)
class Device:
    """A registered device. `generation` is another one at each registration; `registered_at` in Unix seconds."""

    generation: int
    registration_id: str
    registered_at: float
    lwm2m_version: tuple[int, int]
    root: str
    links: tuple[Path, ...]
    objects: tuple[int, ...]

    def lists(self, path: Path) -> bool:
        """Whether it has the object instance, as far as it says: where it lists an object alone, it may have any."""
        if path.object_id not in self.objects:
            return False
        if path.object_instance_id is None:
            return True
        instances = {link.object_instance_id for link in self.links if link.object_id == path.object_id}
        return path.object_instance_id in instances or instances == {None}


def device_of(stored: StoredRegistration) -> Device:
    """The device of a registration as gateways keep it; links that are no paths count for nothing."""
    registration = stored.registration
    links = tuple(path for link in registration.object_links if (path := _path(link)) is not None)
    return Device(
        generation=stored.generation,
        registration_id=registration.registration_id,
        registered_at=stored.registered_at,
        lwm2m_version=version_key(registration.lwm2m_version) or (1, 0),
        root=registration.root_path,
        links=links,
        objects=tuple(sorted({path.object_id for path in links if path.object_id is not None})),
    )


def _path(link: str) -> Path | None:
    try:
        return Path.parse(link)
    except InvalidPath:
        return None
