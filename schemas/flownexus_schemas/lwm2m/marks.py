"""What was assumed where a device's payload was not as the specification has it, and could mean one thing alone."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from flownexus_schemas.lwm2m.datatype import DataType


class Mark(StrEnum):
    """One deviation. The raw payload is in the event."""

    NUMBER_AS_TEXT = "number-as-text"
    """A number, boolean or time came as text, in a format that has them."""

    TEXT_AS_NUMBER = "text-as-number"
    TEXT_AS_BYTES = "text-as-bytes"
    FLOAT_FOR_INTEGER = "float-for-integer"
    BOOLEAN_AS_NUMBER = "boolean-as-number"
    LINK_AS_NUMBER = "link-as-number"
    """An object link came as one number of 32 bits."""

    TLV_NESTING = "tlv-nesting"
    """TLV entries of another level than the path asks for."""

    CONTENT_FORMAT_ASSUMED = "content-format-assumed"
    """The payload stated no Content-Format."""

    CLOCK_NOT_SET = "clock-not-set"
    """The device gave a time that no clock has which was set; that of receipt was taken."""

    CLOCK_AHEAD = "clock-ahead"
    """The device gave a time more than a day ahead; that of receipt was taken."""


_NUMERIC = (DataType.INTEGER, DataType.UNSIGNED, DataType.FLOAT, DataType.BOOLEAN, DataType.TIME)

OF_TYPES: Mapping[tuple[DataType, DataType], tuple[Mark, ...]] = {
    **{(DataType.STRING, target): (Mark.NUMBER_AS_TEXT,) for target in _NUMERIC},
    (DataType.INTEGER, DataType.STRING): (Mark.TEXT_AS_NUMBER,),
    (DataType.OPAQUE, DataType.STRING): (Mark.TEXT_AS_BYTES,),
    (DataType.FLOAT, DataType.INTEGER): (Mark.FLOAT_FOR_INTEGER,),
    (DataType.FLOAT, DataType.UNSIGNED): (Mark.FLOAT_FOR_INTEGER,),
    (DataType.INTEGER, DataType.BOOLEAN): (Mark.BOOLEAN_AS_NUMBER,),
    (DataType.FLOAT, DataType.BOOLEAN): (Mark.BOOLEAN_AS_NUMBER,),
    (DataType.INTEGER, DataType.OBJLNK): (Mark.LINK_AS_NUMBER,),
}
"""Marks of a value of one type that was taken for another, where that is a deviation in formats that state types."""
