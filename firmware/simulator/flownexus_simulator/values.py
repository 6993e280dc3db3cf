"""Values of resources and the tree that holds them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from flownexus_schemas.lwm2m.datatype import DataType

Path = tuple[int, ...]
"""One to four ids, outermost first; the empty tuple is the root."""

Scalar = str | int | float | bool | bytes


class Leaf(NamedTuple):
    """A value with its type; an object link is the text `3303:0`."""

    type: DataType
    value: Scalar


Leaves = list[tuple[Path, Leaf]]
"""Values by full path: depth 3, or 4 for an instance of a multiple-instance resource. Sorted."""


def parse_path(text: str) -> Path:
    """`/3303/0/5700` as ids. Raises ValueError."""
    bare = text.strip("/")
    path = tuple(int(part) for part in bare.split("/")) if bare else ()
    if len(path) > 4 or any(not 0 <= number <= 65535 for number in path):
        raise ValueError(f"no path: {text[:80]!r}")
    return path


@lru_cache(4096)
def path_text(path: Path) -> str:
    """`3303/0/5700`."""
    return "/".join(map(str, path))


class Tree:
    """Every value of a device, by path. Values change; which there are does not."""

    def __init__(self, leaves: Iterable[tuple[Path, Leaf]], write_only: Mapping[Path, DataType] | None = None) -> None:
        self._leaves = dict(sorted(leaves))
        self._write_only = write_only or {}
        self._below: dict[Path, tuple[Path, ...]] = {}

    def below(self, path: Path) -> Leaves:
        """The values at or below a path; empty where there is nothing."""
        exact = self._leaves.get(path)
        if exact is not None:
            return [(path, exact)]
        found = self._below.get(path)
        if found is None:
            depth = len(path)
            found = tuple(leaf for leaf in self._leaves if leaf[:depth] == path)
            if found:  # what is not there is asked for by any path that a server thinks of
                self._below[path] = found
        return [(leaf, self._leaves[leaf]) for leaf in found]

    def type_at(self, path: Path) -> DataType | None:
        """The type of the resource, or of the multiple-instance resource's instances; None where it is not there."""
        if path in self._write_only:
            return self._write_only[path]
        found = self.below(path) or self.below(path[:3])
        return found[0][1].type if found and len(path) >= 3 else None

    def value(self, path: Path) -> Scalar:
        """The value of a path that is there. Raises KeyError."""
        return self._leaves[path].value

    def put(self, path: Path, value: Scalar) -> None:
        """Change a value that is there, keeping its type. Raises KeyError."""
        self._leaves[path] = Leaf(self._leaves[path].type, value)

    def instances(self) -> list[Path]:
        """Every object instance."""
        return sorted({path[:2] for path in self._leaves})
