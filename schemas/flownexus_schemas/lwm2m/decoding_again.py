"""Values that were decoded without a model, brought to the type that a model states once it is there."""

from __future__ import annotations

from flownexus_schemas.lwm2m import tlv_values
from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.errors import CodecError
from flownexus_schemas.lwm2m.record import Record
from flownexus_schemas.lwm2m.typed_values import from_base64, record_of


def decoded_again(record: Record, target: DataType) -> Record | None:
    """The record as it had been with a model of this type, at the same path and time; None where it does not fit.

    Bytes are read as TLV has them (LwM2M Core 1.1.1, appendix C), the only format with values of no stated type. A text
    becomes opaque as Base64, as in text and LwM2M JSON (7.4). All else is fitted as `record_of` does.
    """
    if record.type is target:
        return record
    try:
        if isinstance(record.value, bytes):
            return tlv_values.read(record.path, record.value, target)._replace(time=record.time, marks=record.marks)
        if target is DataType.OPAQUE and isinstance(record.value, str):
            return Record(record.path, target, from_base64(record.value.strip()), record.time, record.marks)
        fitted = record_of(record.path, record.type, record.value, target, record.time)
        return fitted._replace(marks=record.marks)
    except CodecError:
        return None
