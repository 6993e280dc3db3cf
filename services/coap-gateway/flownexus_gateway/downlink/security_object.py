"""Object 0, Security, holds the keys of a device: a bootstrap server writes it, no other server touches it."""

from __future__ import annotations

from collections.abc import Iterable

from flownexus_schemas.commands import AnyCommand
from flownexus_schemas.errors import InvalidRequest
from flownexus_schemas.lwm2m.path import Path

SECURITY = 0


def keep_out(command: AnyCommand) -> None:
    """Raises InvalidRequest where a path is in object 0. LwM2M Core 1.1.1, E.1.

    There are clients that would answer, and their keys would stand in the stream and in the database.
    """
    if any(is_security(path) for path in _paths(command)):
        raise InvalidRequest("object 0, Security, holds the device's keys and is for a bootstrap server alone")


def is_security(path: Path | str) -> bool:
    path = path if isinstance(path, Path) else Path.parse(path)
    return path.depth > 0 and path.object_id == SECURITY


def _paths(command: AnyCommand) -> Iterable[str]:
    path = getattr(command, "path", None)
    if path is not None:
        yield path
    yield from getattr(command, "paths", ())
    for value in getattr(command, "values", ()):
        yield value.path
