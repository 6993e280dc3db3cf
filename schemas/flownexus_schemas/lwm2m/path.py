"""Paths of objects, object instances, resources and resource instances."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from flownexus_schemas.lwm2m.errors import InvalidPath

MAX_ID = 65535

_REMEMBERED = 8192
"""Paths whose text is kept: devices of some models have the same few hundred."""


class Path(NamedTuple):
    """One to four ids, each 0 to 65535; `Path()` is the root. LwM2M Core 1.1.1, 7.2.

    Written without a leading slash, `3303/0/5700`; read with or without. Sorts by ids.
    A named tuple, as one is made for each record on the hot path; make it with `Path.of` or
    `Path.parse` wherever the ids come from outside.
    """

    object_id: int | None = None
    object_instance_id: int | None = None
    resource_id: int | None = None
    resource_instance_id: int | None = None

    @classmethod
    def of(cls, *ids: int) -> Path:
        """The path of these ids, outermost first. Raises InvalidPath."""
        if len(ids) > 4:
            raise InvalidPath(f"a path has at most 4 ids, got {len(ids)}")
        for number in ids:
            if not 0 <= number <= MAX_ID:
                raise InvalidPath(f"an id is 0 to {MAX_ID}, got {number}")
        return cls(*ids)

    @classmethod
    def parse(cls, text: str) -> Path:
        """Read `3303/0/5700` or `/3303/0/5700`; the empty text and `/` are the root. Raises InvalidPath."""
        bare = text.removeprefix("/")
        if not bare:
            return cls()
        parts = bare.split("/")
        if len(parts) > 4:
            raise InvalidPath(f"a path has at most 4 ids, got {text[:80]!r}")
        ids = []
        for part in parts:
            # isdecimal alone takes other scripts' digits; ids are ASCII without leading zeros.
            if not (part.isascii() and part.isdecimal()) or len(part) > 5 or (part[0] == "0" and part != "0"):
                raise InvalidPath(f"{part[:20]!r} in {text[:80]!r} is not an id of 0 to {MAX_ID}")
            ids.append(int(part))
        return cls.of(*ids)

    @property
    def ids(self) -> tuple[int, ...]:
        """The ids that are there, outermost first: (3303, 0, 5700)."""
        return tuple(part for part in self if part is not None)

    @property
    def depth(self) -> int:
        """0 root, 1 object, 2 object instance, 3 resource, 4 resource instance."""
        return len(self.ids)

    @property
    def resource(self) -> Path:
        """This path cut after the resource id."""
        return Path(self.object_id, self.object_instance_id, self.resource_id)

    def child(self, number: int) -> Path:
        """The path one level deeper. Raises InvalidPath below a resource instance."""
        return Path.of(*self.ids, number)

    def contains(self, other: Path) -> bool:
        """Whether `other` is this path or lies below it."""
        ids = self.ids
        return other.ids[: len(ids)] == ids

    def __str__(self) -> str:
        return _text(self)


@lru_cache(_REMEMBERED)
def _text(path: Path) -> str:
    return "/".join(map(str, path.ids))
