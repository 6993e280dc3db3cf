"""What differs between the observations that a device holds and its profile. No I/O but fresh tokens."""

from __future__ import annotations

from dataclasses import dataclass

from flownexus_gateway.observations.plan import planned_observations
from flownexus_schemas.profiles import ObservationProfile
from flownexus_schemas.registrations import Observation, StoredRegistration


@dataclass(frozen=True, slots=True)
class Alignment:
    """What to do, in this order. `forget`: paths whose attributes are removed."""

    cancel: tuple[Observation, ...] = ()
    forget: tuple[str, ...] = ()
    change: tuple[Observation, ...] = ()
    begin: tuple[Observation, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """What it is about: the paths of each observation, joined by a comma."""
        return tuple(dict.fromkeys([*map(label, (*self.cancel, *self.change, *self.begin)), *self.forget]))


def alignment(profile: ObservationProfile, stored: StoredRegistration) -> Alignment:
    """What brings the observations in line with the profile.

    What somebody asked for by request goes on. An observation keeps its token where it stays; it is asked for again
    only where the entry's format is another one, or where the device has not answered yet.
    """
    current = {_key(observation): observation for observation in stored.observations}
    planned = {_key(observation): observation for observation in planned_observations(profile, stored.registration)}
    begin: list[Observation] = []
    change: list[Observation] = []
    for key, wanted in planned.items():
        known = current.get(key)
        if known is None:
            begin.append(wanted)
            continue
        merged = known.model_copy(
            update={
                "event_type": wanted.event_type,
                "attributes": wanted.attributes,
                "wanted_format": wanted.wanted_format,
            }
        )
        if not known.established or wanted.wanted_format not in {None, known.wanted_format}:
            format_ = wanted.wanted_format or known.content_format
            begin.append(merged.model_copy(update={"content_format": format_, "established": False}))
        elif merged != known or any(_written(stored, path) != wanted.attributes for path in known.paths):
            change.append(merged)
    kept = {path for observation in planned.values() for path in observation.paths}
    return Alignment(
        cancel=tuple(
            observation for key, observation in current.items() if key not in planned and not observation.by_request
        ),
        forget=tuple(path for path in stored.written_attributes if path not in kept),
        change=tuple(change),
        begin=tuple(begin),
    )


def label(observation: Observation) -> str:
    """The paths of an observation, for people."""
    return ",".join(observation.paths)


def _key(observation: Observation) -> tuple[bool, frozenset[str]]:
    return observation.composite, frozenset(observation.paths)


def _written(stored: StoredRegistration, path: str) -> dict[str, float]:
    return stored.written_attributes.get(path, {})
