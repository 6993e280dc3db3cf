"""Reads CBOR from a peer: no tag makes anything but a number, nesting is bounded, nothing may follow. RFC 8949."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any, NoReturn

from cbor2 import CBORDecoder, CBORError

from flownexus_schemas.lwm2m.cbor_shape import MAX_DEPTH, check_shape
from flownexus_schemas.lwm2m.date_time import unix_seconds
from flownexus_schemas.lwm2m.errors import CodecError

_SMALL = 1024
"""Bytes of a payload in which nothing can be hidden that takes more than a millisecond."""

_MAX_EXPONENT = 400
_MAX_MANTISSA = 2**64
# What cbor2 would make objects of: bignums, fractions, patterns, addresses, shared values, sets, references.
_REFUSED = (2, 3, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004, 43000)


@dataclass(frozen=True, slots=True)
class Timestamp:
    """A time that the payload marked as one by tag 0 or 1, in Unix seconds."""

    seconds: int | float


def loads(payload: bytes) -> Any:
    """The one item in `payload`. Raises CodecError.

    Tag 0 (date and time as text) and tag 1 (as a number) give a Timestamp, tag 4 (decimal fraction) a float, 55799
    nothing; other tags are refused. RFC 8949, 3.4; RFC 8428, 6.
    """
    if len(payload) > _SMALL:
        check_shape(payload)
    decoder = CBORDecoder(
        BytesIO(payload), tag_hook=_refuse, semantic_decoders=_TAGS, max_depth=MAX_DEPTH, read_size=len(payload) + 1
    )
    try:
        item = decoder.decode()
    except (CBORError, ValueError, TypeError, OverflowError, RecursionError, MemoryError) as error:
        reason = str(error.__cause__ or error)[:120]
        raise CodecError(f"not CBOR that is taken: {reason}") from None
    try:
        decoder.read(1)
    except (CBORError, EOFError):
        return item
    raise CodecError("bytes follow the CBOR item")


def _refuse(_value: object, _immutable: bool) -> NoReturn:
    raise ValueError("this tag is not taken")


def _date_time(value: object, _immutable: bool) -> Timestamp:
    if not isinstance(value, str):
        raise ValueError("tag 0 is for a date and time")
    return Timestamp(unix_seconds(value.rstrip("\0")))


def _epoch(value: object, _immutable: bool) -> Timestamp:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("tag 1 is for a number")
    return Timestamp(value)


def _decimal_fraction(value: object, _immutable: bool) -> float:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError("tag 4 is for an exponent and a mantissa")
    exponent, mantissa = value
    if type(exponent) is not int or type(mantissa) is not int:
        raise ValueError("tag 4 is for an exponent and a mantissa")
    if abs(exponent) > _MAX_EXPONENT or abs(mantissa) > _MAX_MANTISSA:
        raise ValueError("a decimal fraction out of bounds")
    return float(f"{mantissa}e{exponent}")


_TAGS: Mapping[int, Callable[[Any, bool], Any]] = {
    **dict.fromkeys(_REFUSED, _refuse),
    0: _date_time,
    1: _epoch,
    4: _decimal_fraction,
}
