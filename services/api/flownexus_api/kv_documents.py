"""Documents of one kind in a KV bucket: written whole, over a revision where the caller names it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Generic, NamedTuple, TypeVar

from fastapi import Header
from nats.errors import Error as NatsError
from nats.js.errors import APIError, KeyDeletedError, KeyNotFoundError, KeyWrongLastSequenceError, NoKeysError
from nats.js.kv import KeyValue
from pydantic import BaseModel, ValidationError

from flownexus_api.bus import Bus
from flownexus_schemas.errors import Conflict, InvalidRequest, NotFound, Unavailable
from flownexus_schemas.jetstream import WRONG_LAST_SEQUENCE

Document = TypeVar("Document", bound=BaseModel)

IfMatch = Annotated[
    str | None,
    Header(
        max_length=40,
        description='`revision` as it was read, `"0"` for what was not there: where that is another one since, nothing '
        "is changed, and it is 409.",
        examples=['"12"'],
    ),
]


class Unreadable(Conflict):
    """Somebody wrote what is no such document past this API; what was before it is in force."""


class Stored(NamedTuple, Generic[Document]):
    """A document, and the revision that it has in its bucket."""

    document: Document
    revision: int


@dataclass(frozen=True, slots=True)
class Documents(Generic[Document]):
    """Of one bucket. `what` names one in an error: `desired profile`."""

    bucket: str
    model: type[Document]
    what: str

    async def keys(self, bus: Bus) -> list[str]:
        """The keys of all, sorted. Raises Unavailable."""
        async with self._opened(bus) as bucket:
            try:
                return sorted(await bucket.keys())
            except NoKeysError:
                return []

    async def load(self, bus: Bus, key: str) -> Stored[Document] | None:
        """One of them; None where it is not there. Raises Unreadable, Unavailable."""
        async with self._opened(bus) as bucket:
            try:
                entry = await bucket.get(key)
            except (KeyNotFoundError, KeyDeletedError):
                return None
        try:
            return Stored(self.model.model_validate_json(entry.value or b""), entry.revision or 0)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "JSON"
            raise Unreadable(f"The {self.what} {key!r} cannot be read: {where}: {first['msg']}.") from error

    async def store(self, bus: Bus, key: str, document: Document, last: int | None) -> int:
        """Put it in place of what is there, or of the revision `last` alone; its revision. Raises Conflict,
        Unavailable.
        """
        value = document.model_dump_json().encode()
        async with self._opened(bus) as bucket:
            try:
                if last is None:
                    return await bucket.put(key, value)
                return await (bucket.update(key, value, last) if last else bucket.create(key, value))
            except KeyWrongLastSequenceError as error:
                raise self._changed(key) from error

    async def remove(self, bus: Bus, key: str, last: int | None) -> None:
        """Take it away, or the revision `last` alone. Raises Conflict, Unavailable."""
        async with self._opened(bus) as bucket:
            try:
                await bucket.delete(key, last=last)
            except APIError as error:
                if error.err_code != WRONG_LAST_SEQUENCE:
                    raise
                raise self._changed(key) from error

    def unknown(self, key: str) -> NotFound:
        """The error for a key that none has."""
        return NotFound(f"There is no {self.what} {key!r}.")

    def _changed(self, key: str) -> Conflict:
        return Conflict(f"The {self.what} {key!r} was changed by somebody else since; read it again.")

    @asynccontextmanager
    async def _opened(self, bus: Bus) -> AsyncIterator[KeyValue]:
        js = bus.jetstream()
        try:
            yield await js.key_value(self.bucket)
        except (KeyNotFoundError, KeyDeletedError, NoKeysError, KeyWrongLastSequenceError):
            raise
        except (NatsError, APIError, TimeoutError) as error:
            raise Unavailable(f"The message bus does not give or take the {self.what}; try again shortly.") from error


def revision_of(if_match: str | None) -> int | None:
    """The revision that an If-Match names; None where it names none. Raises InvalidRequest."""
    if if_match is None or if_match.strip() == "*":
        return None
    text = if_match.strip().strip('"')
    if not (text.isascii() and text.isdecimal()):
        raise InvalidRequest('header.if-match: it is a revision in quotes, such as "12".')
    return int(text)
