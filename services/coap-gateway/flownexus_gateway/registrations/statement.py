"""What a device stated in Register and Update, as the registration of the events."""

from __future__ import annotations

from flownexus_gateway.transport.peer import Peer
from flownexus_schemas.events import Address, Registration
from flownexus_schemas.lwm2m.object_links import ObjectLinks
from flownexus_schemas.lwm2m.registration import RegisterRequest, UpdateRequest


def as_registered(
    stated: RegisterRequest, identifier: str, peer: Peer, gateway_id: str, awake_window_s: float
) -> Registration:
    """The registration that a Register makes."""
    return Registration(
        registration_id=identifier,
        lifetime_s=stated.lifetime_s,
        lwm2m_version=stated.lwm2m_version,
        binding=stated.binding,
        queue_mode=stated.queue_mode,
        awake_window_s=awake_window_s,
        address=Address(host=peer.host, port=peer.port),
        gateway=gateway_id,
        warnings=stated.warnings,
        **_objects(stated.links, stated.links_text),
    )


def after_update(current: Registration, stated: UpdateRequest, peer: Peer, gateway_id: str) -> Registration:
    """The whole registration after an Update; what it does not name stays."""
    changes: dict[str, object] = {
        "address": Address(host=peer.host, port=peer.port),
        "gateway": gateway_id,
        "queue_mode": stated.queue_mode_after(current.lwm2m_version, current.queue_mode),
        "warnings": stated.warnings,
    }
    if stated.lifetime_s is not None:
        changes["lifetime_s"] = stated.lifetime_s
    if stated.binding is not None:
        changes["binding"] = stated.binding
    if stated.links is not None:
        changes |= _objects(stated.links, stated.links_text or "")
    return current.model_copy(update=changes)


def _objects(links: ObjectLinks, text: str) -> dict[str, object]:
    return {
        "object_links": tuple(str(path) for path in links.instances),
        "object_versions": {str(object_id): version for object_id, version in links.versions.items()},
        "content_formats": links.content_formats,
        "root_path": links.root,
        "links": text,
    }
