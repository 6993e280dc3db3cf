"""Looks over CBOR before it is decoded: not too many items, no keys made to collide. RFC 8949, 3.

Python hashes tuples of numbers without a secret, so a map of 10,000 well-chosen array keys, 140 kB, would take seconds
to build. Ids are too small to be chosen so; other keys of cbor2 collide a few dozen times at most.
"""

from __future__ import annotations

from flownexus_schemas.lwm2m.errors import CodecError
from flownexus_schemas.lwm2m.limits import MAX_RECORDS
from flownexus_schemas.lwm2m.path import MAX_ID

MAX_ITEMS = 16 * MAX_RECORDS
MAX_DEPTH = 8
"""SenML needs 4, an array of maps of values with a tag around an array; LwM2M CBOR needs 7."""

_UNSIGNED, _BYTES, _TEXT, _ARRAY, _MAP, _TAG = 0, 2, 3, 4, 5, 6
_BREAK = 0xFF
_IDS_IN_KEY = 4


def check_shape(payload: bytes) -> None:
    """Raises CodecError for too many items, too deep nesting and keys that are neither plain nor arrays of ids.

    What is not well-formed is left to the decoder.
    """
    try:
        _Walk(payload).item(0, 0)
    except IndexError:
        return


class _Walk:
    """Goes from item to item by their heads; a head beyond the end is an IndexError."""

    def __init__(self, payload: bytes) -> None:
        self._payload = payload
        self._items = 0

    def item(self, at: int, depth: int) -> int:
        """The position after the item at `at`."""
        self._items += 1
        if self._items > MAX_ITEMS:
            raise CodecError(f"CBOR of more than {MAX_ITEMS} items")
        if depth > MAX_DEPTH:
            raise CodecError(f"CBOR nested more than {MAX_DEPTH} deep")
        major, argument, at = self._head(at)
        if major == _TAG:
            return self.item(at, depth + 1)
        if major in (_BYTES, _TEXT):
            return at + argument if argument is not None else self._members(major, None, at, depth)
        return self._members(major, argument, at, depth) if major in (_ARRAY, _MAP) else at

    def _members(self, major: int, number: int | None, at: int, depth: int) -> int:
        index = 0
        while number is None or index < number:
            if number is None and self._payload[at] == _BREAK:
                return at + 1
            if major == _MAP:
                self._check_key(at)
                at = self.item(at, depth + 1)
            at = self.item(at, depth + 1)
            index += 1
        return at

    def _check_key(self, at: int) -> None:
        major, number, at = self._head(at)
        if major in (_MAP, _TAG):
            raise CodecError("a key of a CBOR map is a map or has a tag")
        if major != _ARRAY:
            return
        index = 0
        while number is None or index < number:
            if number is None and self._payload[at] == _BREAK:
                return
            kind, value, at = self._head(at)
            index += 1
            if kind != _UNSIGNED or value is None or value > MAX_ID or index > _IDS_IN_KEY:
                raise CodecError(f"a key of a CBOR map is an array of other than at most {_IDS_IN_KEY} ids")

    def _head(self, at: int) -> tuple[int, int | None, int]:
        """Major type, argument (None where it is indefinite) and the position after them."""
        first = self._payload[at]
        short = first & 0x1F
        at += 1
        if short < 24:
            return first >> 5, short, at
        if short > 27:
            return first >> 5, None, at
        size = 1 << (short - 24)
        return first >> 5, int.from_bytes(self._payload[at : at + size]), at + size
