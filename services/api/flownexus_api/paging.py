"""Pages of a list: a limit, and a cursor that says where the next page starts."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from typing import Generic, TypeVar

import orjson
from pydantic import BaseModel, Field

from flownexus_schemas.errors import InvalidRequest

Item = TypeVar("Item")
MAX_CURSOR_LENGTH = 2000
NO_NUL = r"^[^\x00]*$"
"""Text that PostgreSQL can compare with."""


class Page(BaseModel, Generic[Item]):
    """Some items of a list, and the cursor of the next page; null on the last."""

    items: list[Item]
    next: str | None = Field(description="Send it as `cursor` to get the next page; null on the last.")


def cursor_of(order: str, *keys: str | int | datetime | None) -> str:
    """The opaque cursor after the item with these keys, good for lists in this order alone."""
    return base64.urlsafe_b64encode(orjson.dumps([order, *keys])).decode().rstrip("=")


def keys_of(cursor: str, order: str, kinds: Sequence[type]) -> list[object]:
    """The keys in a cursor, each of the kind named. Raises InvalidRequest: not ours, or of another list."""
    try:
        found = orjson.loads(base64.urlsafe_b64decode(cursor[:MAX_CURSOR_LENGTH].encode() + b"==="))
        if found[0] != order or len(found) != len(kinds) + 1:
            raise ValueError("of another list")
        return [_key(value, kind) for value, kind in zip(found[1:], kinds, strict=True)]
    except (binascii.Error, ValueError, TypeError, LookupError) as error:
        raise InvalidRequest("query.cursor: send `next` of the page before, with the same parameters.") from error


def _key(value: object, kind: type) -> object:
    if value is None:
        return None
    if kind is datetime and isinstance(value, str):
        return datetime.fromisoformat(value)
    if isinstance(value, kind) and not isinstance(value, bool) and "\0" not in str(value):
        return value
    raise TypeError(f"{value!r} is no {kind.__name__}")


def page_of(rows: Sequence[Item], limit: int) -> tuple[Sequence[Item], bool]:
    """The rows of this page, of `limit` + 1 asked for, and whether there are more."""
    return rows[:limit], len(rows) > limit
