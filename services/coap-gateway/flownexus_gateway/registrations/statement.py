"""What a device stated in Register and Update, as the registration of the events."""

from __future__ import annotations

from flownexus_gateway.transport.peer import Peer
from flownexus_schemas.events import Address, Registration
from flownexus_schemas.lwm2m.object_links import ObjectLinks
from flownexus_schemas.lwm2m.registration import DEFAULT_VERSION, RegisterRequest, UpdateRequest
from flownexus_schemas.profiles import ObservationProfile


def as_registered(
    stated: RegisterRequest, identifier: str, peer: Peer, gateway_id: str, profile: ObservationProfile
) -> Registration:
    """The registration that a Register makes. When the device listens is what its profile says."""
    return Registration(
        registration_id=identifier,
        lifetime_s=stated.lifetime_s,
        lwm2m_version=stated.lwm2m_version,
        binding=stated.binding,
        queue_mode=stated.queue_mode,
        queued_by_binding=stated.queued_by_binding,
        awake_window_s=profile.awake_window_s,
        answers_asleep_within_s=profile.answers_asleep_within_s,
        address=Address(host=peer.host, port=peer.port),
        identity=peer.identity,
        gateway=gateway_id,
        warnings=stated.warnings,
        **_objects(stated.links, stated.links_text),
    )


def after_update(
    current: Registration, stated: UpdateRequest, peer: Peer, gateway_id: str, profile: ObservationProfile
) -> Registration:
    """The whole registration after an Update; what it does not name stays, but for what the profile says now."""
    by_binding = current.queued_by_binding or current.lwm2m_version == DEFAULT_VERSION
    changes: dict[str, object] = {
        "address": Address(host=peer.host, port=peer.port),
        "identity": peer.identity,
        "gateway": gateway_id,
        "queue_mode": stated.queue_mode_after(current.queue_mode, by_binding=by_binding),
        "queued_by_binding": by_binding if stated.queue_mode is None else stated.queued_by_binding,
        "warnings": stated.warnings,
        **listening(profile),
    }
    if stated.lifetime_s is not None:
        changes["lifetime_s"] = stated.lifetime_s
    if stated.binding is not None:
        changes["binding"] = stated.binding
    if stated.links is not None:
        changes |= _objects(stated.links, stated.links_text or "")
    return current.model_copy(update=changes)


def listening(profile: ObservationProfile) -> dict[str, object]:
    """What a profile says of when a device listens, as fields of its registration."""
    return {
        "awake_window_s": profile.awake_window_s,
        "answers_asleep_within_s": profile.answers_asleep_within_s,
    }


def _objects(links: ObjectLinks, text: str) -> dict[str, object]:
    return {
        "object_links": tuple(str(path) for path in links.instances),
        "object_versions": {str(object_id): version for object_id, version in links.versions.items()},
        "content_formats": links.content_formats,
        "root_path": links.root,
        "links": text,
    }
