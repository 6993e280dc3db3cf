"""What is desired of each endpoint: its own entry before the profiles that choose it, resource by resource."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import structlog
from pydantic import ValidationError

from flownexus_runtime.live_tags import LiveTags
from flownexus_schemas import subjects
from flownexus_schemas.commands import JsonValue
from flownexus_schemas.desired.wish import DesiredProfile, DesiredValues
from flownexus_schemas.errors import InvalidName
from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.profiles import meets

log = structlog.get_logger(__name__)

MAX_RESOURCES = 200
"""Desired values of one endpoint: all of them are in each message of theirs."""


class Wished(NamedTuple):
    """One desired value. `attribute` is empty where it is the value of the resource."""

    path: str
    attribute: str
    value: JsonValue | None
    type: DataType | None
    profile: str | None
    digest: str


@dataclass(frozen=True, slots=True)
class Wish:
    """All that is desired of an endpoint, by path and attribute. `left_out`: those above MAX_RESOURCES."""

    resources: tuple[Wished, ...] = ()
    digest: str = ""
    left_out: int = 0
    by_key: Mapping[tuple[str, str], Wished] = field(default_factory=dict)


NOTHING = Wish()


def merged(own: DesiredValues | None, profiles: Iterable[tuple[str, DesiredProfile]]) -> Wish:
    """One wish of an endpoint's own entry and the profiles that choose it."""
    found: dict[tuple[str, str], Wished] = {}
    ordered = sorted(profiles, key=lambda named: (-named[1].priority, named[0]))
    sources: list[tuple[str | None, DesiredValues]] = [(None, own or DesiredValues()), *ordered]
    for name, source in sources:
        for wished in _each(name, source):
            found.setdefault((wished.path, wished.attribute), wished)
    resources = tuple(found[key] for key in sorted(found))[:MAX_RESOURCES]
    if not resources:
        return NOTHING
    digest = _digest(*(f"{one.path} {one.attribute} {one.digest} {one.profile}" for one in resources))
    return Wish(resources, digest, len(found) - len(resources), {(one.path, one.attribute): one for one in resources})


class Wishes:
    """Follows the buckets. Of an entry that cannot be read, the former one stays in force.

    `version` is another number after each change of anything.
    """

    def __init__(self) -> None:
        self._own: dict[str, DesiredValues] = {}
        self._profiles: dict[str, DesiredProfile] = {}
        self._tags = LiveTags()
        self._known: dict[str, tuple[int, tuple[int, ...], Wish]] = {}
        self.version = 0

    def __iter__(self) -> Iterator[str]:
        """The endpoints that have an entry of their own."""
        return iter(self._own)

    def of(self, endpoint: str, objects: tuple[int, ...]) -> Wish:
        """What is desired of an endpoint that lists these objects."""
        known = self._known.get(endpoint)
        if known is not None and known[:2] == (self.version, objects):
            return known[2]
        tags = self._tags.of(endpoint)
        met = [one for one in self._profiles.items() if meets(one[1], endpoint, objects, tags)]
        wish = merged(self._own.get(endpoint), met)
        if wish.left_out:
            log.warning("desired_values.too_many", endpoint=endpoint, left_out=wish.left_out, most=MAX_RESOURCES)
        self._known[endpoint] = (self.version, objects, wish)
        return wish

    def apply_own(self, key: str, value: bytes | None, revision: int) -> str | None:
        """Take over an entry of DESIRED_VALUES; the endpoint that it is of."""
        try:
            endpoint = subjects.endpoint_of_key(key)
            entry = None if value is None else DesiredValues.model_validate_json(value)
        except (InvalidName, ValidationError) as error:
            log.error("desired_values.unreadable", key=key, revision=revision, error=str(error))
            return None
        if entry is None:
            self._own.pop(endpoint, None)
        else:
            self._own[endpoint] = entry
        self._known.pop(endpoint, None)
        return endpoint

    def apply_profile(self, key: str, value: bytes | None, revision: int) -> None:
        """Take over an entry of DESIRED_PROFILES."""
        try:
            profile = None if value is None else DesiredProfile.model_validate_json(value)
        except ValidationError as error:
            log.error("desired_profile.unreadable", key=key, revision=revision, error=str(error))
            return
        if profile is None:
            self._profiles.pop(key, None)
        else:
            self._profiles[key] = profile
        self.version += 1

    def apply_tags(self, key: str, value: bytes | None, revision: int) -> str | None:
        """Take over an entry of ENDPOINT_TAGS; the endpoint that it is of."""
        self._tags.apply(key, value, revision)
        try:
            endpoint = subjects.endpoint_of_key(key)
        except InvalidName:
            return None
        self._known.pop(endpoint, None)
        return endpoint


def _each(name: str | None, source: DesiredValues) -> Iterator[Wished]:
    for one in source.values:
        yield Wished(one.path, "", one.value, one.type, name, _digest(f"{one.type} {type(one.value)} {one.value!r}"))
    for entry in source.attributes:
        for attribute, number in entry.attributes.items():
            yield Wished(entry.path, attribute, number, None, name, _digest(f"{number!r}"))


def _digest(*texts: str) -> str:
    return hashlib.blake2b("\0".join(texts).encode(), digest_size=8).hexdigest()
