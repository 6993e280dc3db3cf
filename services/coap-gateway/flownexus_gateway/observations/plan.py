"""What to ask of a device that has just registered: the profile against what it lists. No I/O but fresh tokens."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from flownexus_gateway.downlink.security_object import is_security
from flownexus_schemas.events import Registration
from flownexus_schemas.lwm2m.content_format import COMPOSITE_FORMATS
from flownexus_schemas.lwm2m.object_model import version_key
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.profiles import ObservationEntry, ObservationProfile, SingleObservation
from flownexus_schemas.registrations import Observation

TOKEN_BYTES = 8
COMPOSITE_SINCE = (1, 1)
"""Observe-Composite came with LwM2M 1.1 (Core 1.1.1, 6.4.3)."""


def planned_observations(profile: ObservationProfile, registration: Registration) -> tuple[Observation, ...]:
    """The observations to ask for, each with a token of its own, single ones first.

    A path is asked for where the device lists its object, and its instance where it lists any; never one of
    Security, which holds keys. Devices of LwM2M 1.0 are asked for each object of a composite observation by itself.
    Composite ones come last: there are clients that never answer them.
    """
    listed = tuple(Path.parse(link) for link in registration.object_links)
    singles: dict[str, ObservationEntry] = {}
    for single in profile.observe:
        for path in _present([single.path], listed):
            singles.setdefault(path, single)
    composites: list[Observation] = []
    has_composite = (version_key(registration.lwm2m_version) or (1, 0)) >= COMPOSITE_SINCE
    for composite in profile.observe_composite:
        present = _present(composite.paths, listed)
        if present and has_composite:
            observation = _observation(present, composite, composite.format in COMPOSITE_FORMATS)
            composites.append(observation.model_copy(update={"composite": True, "event_type": composite.event_type}))
        elif present:
            for path in present:
                singles.setdefault(str(Path(Path.parse(path).object_id)), composite)
    alone = (_observation((path,), entry, isinstance(entry, SingleObservation)) for path, entry in singles.items())
    return (*alone, *composites)


def _observation(paths: tuple[str, ...], entry: ObservationEntry, takes_format: bool) -> Observation:
    wanted = entry.format if takes_format else None
    return Observation(
        token=new_token(),
        paths=paths,
        content_format=wanted,
        wanted_format=wanted,
        attributes=dict(entry.attributes),
        established=False,
    )


def planned_reads(profile: ObservationProfile, registration: Registration) -> tuple[str, ...]:
    """The paths to read once."""
    return _present(profile.read_once, tuple(Path.parse(link) for link in registration.object_links))


def new_token() -> str:
    """8 random bytes, in hexadecimal: no two gateways and no two runs of one share a token."""
    return secrets.token_hex(TOKEN_BYTES)


def _present(paths: Iterable[str], listed: tuple[Path, ...]) -> tuple[str, ...]:
    return tuple(str(Path.parse(path)) for path in paths if _is_listed(Path.parse(path), listed))


def _is_listed(path: Path, listed: tuple[Path, ...]) -> bool:
    if is_security(path):
        return False
    same_object = [link for link in listed if link.object_id == path.object_id]
    if path.depth < 2 or not any(link.depth == 2 for link in same_object):
        return bool(same_object)
    return any(link.object_instance_id == path.object_instance_id for link in same_object)
