"""What was decoded without a model becomes what it had been with one."""

from __future__ import annotations

import pytest
from hypothesis import assume, given

from flownexus_schemas.lwm2m.codecs import decode, encode
from flownexus_schemas.lwm2m.content_format import ContentFormat
from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.decoding_again import decoded_again
from flownexus_schemas.lwm2m.object_model import ObjectModels
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.lwm2m.record import Record, Value
from unit.lwm2m.test_codec_roundtrip import single_records
from vectors.payloads import MODELS

NOTHING_KNOWN = ObjectModels()
PATH = Path(26241, 0, 1)
AT = 1_700_000_000.5


@pytest.mark.parametrize("content_format", [ContentFormat.TLV, ContentFormat.TEXT])
@given(record=single_records())
def test_what_was_read_without_a_model_ends_as_with_one(content_format: ContentFormat, record: Record) -> None:
    payload = encode([record], content_format, record.path)
    assume(payload)  # an empty text has no record where no model says that it is a string
    [raw] = decode(payload, content_format, record.path, NOTHING_KNOWN)
    [with_model] = decode(payload, content_format, record.path, MODELS)
    assert with_model.type is record.type
    assert decoded_again(raw, record.type) == with_model


@pytest.mark.parametrize(
    ("raw_type", "raw", "target", "value"),
    [
        (DataType.OPAQUE, b"\xff\xfe", DataType.INTEGER, -2),
        (DataType.OPAQUE, b"\xff\xfe", DataType.UNSIGNED, 65534),
        (DataType.OPAQUE, b"\x41\xac\x00\x00", DataType.FLOAT, 21.5),
        (DataType.OPAQUE, b"\x40\x35\x80\x00\x00\x00\x00\x00", DataType.FLOAT, 21.5),
        (DataType.OPAQUE, b"\x01", DataType.BOOLEAN, True),
        (DataType.OPAQUE, b"\x65\x53\xf1\x00", DataType.TIME, 1_700_000_000),
        (DataType.OPAQUE, b"\x0c\xe7\x00\x02", DataType.OBJLNK, "3303:2"),
        (DataType.OPAQUE, b"caf\xc3\xa9", DataType.STRING, "caf\N{LATIN SMALL LETTER E WITH ACUTE}"),
        (DataType.STRING, "21.5", DataType.FLOAT, 21.5),
        (DataType.STRING, "-7", DataType.INTEGER, -7),
        (DataType.STRING, "1", DataType.BOOLEAN, True),
        (DataType.STRING, "3303:2", DataType.OBJLNK, "3303:2"),
        (DataType.STRING, "AQI=", DataType.OPAQUE, b"\x01\x02"),
        (DataType.FLOAT, 21.0, DataType.INTEGER, 21),
        (DataType.INTEGER, 21, DataType.FLOAT, 21.0),
        (DataType.INTEGER, 0, DataType.BOOLEAN, False),
    ],
)
def test_a_value_takes_the_type_and_keeps_its_path_and_time(
    raw_type: DataType, raw: Value, target: DataType, value: Value
) -> None:
    again = decoded_again(Record(PATH, raw_type, raw, AT), target)
    assert again == Record(PATH, target, value, AT)
    assert type(again.value) is type(value)


@pytest.mark.parametrize(
    ("raw_type", "raw", "target"),
    [
        (DataType.OPAQUE, b"\x01\x02\x03", DataType.FLOAT),
        (DataType.OPAQUE, b"", DataType.INTEGER),
        (DataType.OPAQUE, b"\x02", DataType.BOOLEAN),
        (DataType.OPAQUE, b"\xff", DataType.STRING),
        (DataType.STRING, "warm", DataType.FLOAT),
        (DataType.STRING, "", DataType.INTEGER),
        (DataType.STRING, "not Base64!", DataType.OPAQUE),
        (DataType.FLOAT, 21.5, DataType.INTEGER),
        (DataType.INTEGER, -1, DataType.UNSIGNED),
        (DataType.BOOLEAN, True, DataType.FLOAT),
    ],
)
def test_what_does_not_fit_is_left_as_it_is(raw_type: DataType, raw: Value, target: DataType) -> None:
    assert decoded_again(Record(PATH, raw_type, raw), target) is None
