"""Names in SenML and the paths they stand for. RFC 8428, 4.5.1; LwM2M Core 1.1.1, 7.4."""

from __future__ import annotations

from functools import lru_cache

from flownexus_schemas.lwm2m.errors import CodecError, InvalidPath
from flownexus_schemas.lwm2m.path import Path

MAX_NAME = 128
"""Characters of a base name or a name; the longest path has 24, with an alternate path before it."""


@lru_cache(maxsize=8192)
def path_of(base_name: str, name: str, base_path: Path, root_path: str = "/") -> Path:
    """The path of `base_name` and `name` joined, a resource or an instance of one. Raises CodecError.

    Split in any place: `/3/0/` and `9`, `/3/0` and `/9`. Where neither gives a name, the value is at `base_path`. Names
    have the device's alternate path before them since LwM2M 1.2 (Transport 1.2.1, 6.4.1); both are taken.
    """
    text = joined(base_name, name)
    if root_path != "/":
        text = _below(root_path, text)
    path = _parse(text) if text else base_path
    if path.resource_id is None:
        raise CodecError(f"a value is named {text!r}, which is not the path of a resource")
    if not base_path.contains(path):
        raise CodecError(f"a value is at /{path}, not at /{base_path}")
    return path


def named_path(base_name: str, name: str) -> Path:
    """The path that a record of a composite request names: of any depth, `/` is the root. Raises CodecError."""
    text = joined(base_name, name)
    if not text:
        raise CodecError("a record names no path")
    return _parse(text)


def joined(base_name: str, name: str) -> str:
    """Base name and name; one slash where both have one at the joint."""
    if base_name.endswith("/") and name.startswith("/"):
        return base_name + name[1:]
    return base_name + name


def prefix_of(root_path: str) -> str:
    """What stands before a path that begins with a slash: nothing, or the alternate path without its last slash."""
    return root_path.rstrip("/")


def _below(root_path: str, text: str) -> str:
    prefix = prefix_of(root_path)
    return text.removeprefix(prefix) if text.startswith(f"{prefix}/") else text


def _parse(text: str) -> Path:
    try:
        return Path.parse(text.removesuffix("/"))
    except InvalidPath as error:
        raise CodecError(str(error)) from None
