"""Which endpoints a request is for: chosen by name, by what they list, by their tags."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Row, text

from flownexus_api.parts import Parts
from flownexus_schemas.endpoint_tags import MAX_TAGS, Tag
from flownexus_schemas.errors import InvalidRequest
from flownexus_schemas.lwm2m.path import Path as LwM2MPath
from flownexus_schemas.profiles import meets

MAX_ENDPOINTS = 10_000

ALL = "select name, object_links, object_versions from endpoint order by name"
_WILD = frozenset("*?[")


class Selection(BaseModel):
    """Which endpoints: those that meet all that is said. At least one part is needed; `["*"]` is all endpoints."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    endpoints: tuple[str, ...] = Field(
        default=(), max_length=MAX_ENDPOINTS, description="Names, with `*` for any text."
    )
    objects: tuple[int, ...] = Field(default=(), max_length=100, description="Each of these is listed.")
    tags: tuple[Tag, ...] = Field(default=(), max_length=MAX_TAGS, description="The endpoint has each of these.")


async def chosen(parts: Parts, selection: Selection) -> Sequence[Row[Any]]:
    """The endpoints, by name. Raises InvalidRequest: none, too many, or a name that nobody has."""
    if not (selection.endpoints or selection.objects or selection.tags):
        raise InvalidRequest('select: name endpoints, objects or tags; {"endpoints": ["*"]} is all of them.')
    tags = parts.bus.loaded_tags() if selection.tags else None
    async with parts.engine.begin() as connection:
        known = (await connection.execute(text(ALL))).all()
    names = {row.name for row in known}
    unknown = [name for name in selection.endpoints if not _WILD.intersection(name) and name not in names]
    if unknown:
        raise InvalidRequest(f"select.endpoints: {', '.join(map(repr, unknown[:10]))}: never registered.")
    choice = Choice(selection)
    found = [
        row for row in known if choice.takes(row.name, row.object_links, () if tags is None else tags.of(row.name))
    ]
    if not found:
        raise InvalidRequest("select: no endpoint meets it.")
    if len(found) > MAX_ENDPOINTS:
        raise InvalidRequest(f"select: {len(found)} endpoints meet it; at most {MAX_ENDPOINTS} go at once.")
    return found


class Choice:
    """A selection, made ready for many endpoints: names without `*` are looked up and not tried one after the other."""

    def __init__(self, selection: Selection) -> None:
        patterns = tuple(name for name in selection.endpoints if _WILD.intersection(name))
        self._names = frozenset(selection.endpoints).difference(patterns)
        self._is_by_name = bool(selection.endpoints)
        self._others = selection.model_copy(update={"endpoints": ()})
        self._by_pattern = selection.model_copy(update={"endpoints": patterns}) if patterns else None

    def takes(self, name: str, links: Sequence[str], tags: Collection[str]) -> bool:
        """Whether an endpoint with these object links and tags is selected."""
        selection = self._others if not self._is_by_name or name in self._names else self._by_pattern
        return selection is not None and meets(selection, name, objects_of(links), tags)


def objects_of(links: Sequence[str]) -> set[int]:
    return {found for link in links if (found := LwM2MPath.parse(link).object_id) is not None}
