"""What is taken from devices although it is not quite right, and what is refused as it could mean two things."""

from __future__ import annotations

import json
import math
from typing import Any

import cbor2
import pytest

from flownexus_schemas.lwm2m.codecs import SUPPORTED, decode, decode_paths, encode, encode_paths
from flownexus_schemas.lwm2m.content_format import ContentFormat
from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.errors import CodecError, UnsupportedContentFormat
from flownexus_schemas.lwm2m.limits import MAX_RECORDS
from flownexus_schemas.lwm2m.marks import Mark
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.lwm2m.record import Record
from vectors.payloads import MODELS

STRING, INTEGER, UNSIGNED, FLOAT, BOOLEAN, OPAQUE, TIME, OBJLNK, CORELNK = (
    Path(32768, 0, number) for number in range(len(DataType))
)
ROOT = Path()
UNKNOWN = Path(40000, 0, 1)


def senml(*entries: dict[str, Any], base: Path = ROOT) -> list[Record]:
    return decode(json.dumps(entries).encode(), ContentFormat.SENML_JSON, base, MODELS)


def value_at(path: Path, **fields: Any) -> Any:
    (record,) = senml({"n": f"/{path}", **fields})
    assert record.path == path
    return record.value


@pytest.mark.parametrize(
    ("path", "fields", "value"),
    [
        (INTEGER, {"v": 20.0}, 20),
        (INTEGER, {"vs": "20"}, 20),
        (INTEGER, {"vs": " -20.0 "}, -20),
        (UNSIGNED, {"v": 1e3}, 1000),
        (FLOAT, {"v": 20}, 20.0),
        (FLOAT, {"vs": "2.5e1"}, 25.0),
        (BOOLEAN, {"v": 1}, True),
        (BOOLEAN, {"v": 0.0}, False),
        (BOOLEAN, {"vs": "True"}, True),
        (BOOLEAN, {"vb": 0}, False),
        (INTEGER, {"vs": "-9223372036854775808"}, -(2**63)),
        (UNSIGNED, {"vs": "18446744073709551615"}, 2**64 - 1),
        (TIME, {"vs": "9007199254740993"}, 2**53 + 1),
        (TIME, {"v": 1.5}, 1.5),
        (TIME, {"v": 2.0}, 2),
        (TIME, {"vs": "1700000000"}, 1700000000),
        (TIME, {"vs": "2013-03-21T20:04:00Z"}, 1363896240),
        (TIME, {"vs": "2013-03-21T21:04:00.5+01:00"}, 1363896240.5),
        (TIME, {"vs": "2013-03-21 20:04:00"}, 1363896240),
        (OBJLNK, {"vs": "3:0"}, "3:0"),
        (OBJLNK, {"vlo": "03:00"}, "3:0"),
        (STRING, {"v": 20}, "20"),
        (STRING, {"vs": "v1\0"}, "v1"),
        (STRING, {"vd": "YWJj"}, "abc"),
        (OPAQUE, {"vd": "-_8="}, b"\xfb\xff"),
        (OPAQUE, {"vd": "+/8"}, b"\xfb\xff"),
        (CORELNK, {"vs": "</3>"}, "</3>"),
        (UNKNOWN, {"v": 1}, 1),
        (UNKNOWN, {"v": 1.0}, 1.0),
        (UNKNOWN, {"v": 2**64 - 1}, 2**64 - 1),
        (UNKNOWN, {"v": True}, True),
        (UNKNOWN, {"vd": ""}, b""),
    ],
)
def test_a_value_that_can_only_mean_one_thing_is_taken(path: Path, fields: dict[str, Any], value: Any) -> None:
    decoded = value_at(path, **fields)
    assert (decoded, type(decoded)) == (value, type(value))


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        (INTEGER, {"v": 20.5}),
        (INTEGER, {"vs": "twenty"}),
        (INTEGER, {"vs": ""}),
        (INTEGER, {"vs": "1_000"}),
        (INTEGER, {"vs": "٣"}),
        (INTEGER, {"vb": True}),
        (INTEGER, {"v": 2**63}),
        (UNSIGNED, {"v": -1}),
        (UNSIGNED, {"v": 2**64}),
        (UNSIGNED, {"vs": "18446744073709551616"}),
        (INTEGER, {"vs": "9223372036854775808"}),
        (INTEGER, {"vs": "-9223372036854775809"}),
        (TIME, {"vs": "9223372036854775808"}),
        (FLOAT, {"vb": True}),
        (FLOAT, {"vs": "1,5"}),
        (BOOLEAN, {"v": 2}),
        (BOOLEAN, {"vs": "yes"}),
        (STRING, {"vb": True}),
        (STRING, {"v": 1.5}),
        (STRING, {"vd": "_w"}),
        (OPAQUE, {"vs": "YWJj"}),
        (OPAQUE, {"vd": "a"}),
        (OPAQUE, {"vd": "a b c d"}),
        (OBJLNK, {"vlo": "65536:0"}),
        (OBJLNK, {"vlo": "3"}),
        (TIME, {"vs": "yesterday"}),
        (TIME, {"vs": "2013-03-21"}),
        (TIME, {"vs": "2013-02-30T00:00:00Z"}),
        (TIME, {"vs": "0000-01-01T00:00:00Z"}),
        (UNKNOWN, {"v": "1"}),
        (UNKNOWN, {"v": None}),
        (UNKNOWN, {"vs": 1}),
        (UNKNOWN, {"vb": "true"}),
        (UNKNOWN, {"v": 1, "vs": "1"}),
        (UNKNOWN, {"v": 1, "must_": 1}),
        (UNKNOWN, {"v": 1, "bver": 11}),
        (UNKNOWN, {"v": 1, "bver": "10"}),
        (UNKNOWN, {"v": 1, "t": "now"}),
        (UNKNOWN, {"v": 1, "bt": True}),
        (UNKNOWN, {"v": True, "bv": 1}),
        (UNKNOWN, {"v": 1, "bv": "1"}),
        (UNKNOWN, {"v": 1, "bver": 0}),
        (UNKNOWN, {"v": 1, "bver": 16}),
    ],
)
def test_a_value_that_could_mean_something_else_is_refused(path: Path, fields: dict[str, Any]) -> None:
    with pytest.raises(CodecError):
        value_at(path, **fields)


@pytest.mark.parametrize(
    ("path", "fields", "marks"),
    [
        (INTEGER, {"v": 20}, ()),
        (FLOAT, {"v": 20}, ()),
        (TIME, {"v": 2.0}, ()),
        (UNKNOWN, {"vs": "1"}, ()),
        (INTEGER, {"v": 20.0}, (Mark.FLOAT_FOR_INTEGER,)),
        (INTEGER, {"vs": "20"}, (Mark.NUMBER_AS_TEXT,)),
        (FLOAT, {"vs": "2.5"}, (Mark.NUMBER_AS_TEXT,)),
        (BOOLEAN, {"vs": "True"}, (Mark.NUMBER_AS_TEXT,)),
        (TIME, {"vs": "2013-03-21T20:04:00Z"}, (Mark.NUMBER_AS_TEXT,)),
        (BOOLEAN, {"v": 1}, (Mark.BOOLEAN_AS_NUMBER,)),
        (OBJLNK, {"v": 196608}, (Mark.LINK_AS_NUMBER,)),
        (STRING, {"v": 20}, (Mark.TEXT_AS_NUMBER,)),
        (STRING, {"vd": "YWJj"}, (Mark.TEXT_AS_BYTES,)),
    ],
)
def test_what_was_assumed_is_marked(path: Path, fields: dict[str, Any], marks: tuple[Mark, ...]) -> None:
    (record,) = senml({"n": f"/{path}", **fields})
    assert record.marks == marks


def test_text_which_has_no_types_is_not_marked() -> None:
    (record,) = decode(b"21.5", ContentFormat.TEXT, FLOAT, MODELS)
    assert (record.value, record.marks) == (21.5, ())


def test_an_error_names_the_path_the_value_and_the_type() -> None:
    with pytest.raises(CodecError, match=r"3/0/9: 'high' is not a value of type integer"):
        senml({"n": "/3/0/9", "vs": "high"})


@pytest.mark.parametrize("payload", [b"nan", b"NaN", b"inf", b"-inf", b"Infinity"])
def test_a_float_that_is_not_finite_is_kept(payload: bytes) -> None:
    (record,) = decode(payload, ContentFormat.TEXT, FLOAT, MODELS)
    assert repr(record.value) == repr(float(payload))


def test_a_failed_sensor_leaves_the_readings_of_the_others() -> None:
    pack = cbor2.dumps([{0: "/3303/0/5700", 2: math.nan}, {0: "/3303/1/5700", 2: 21.5}])
    failed, other = decode(pack, ContentFormat.SENML_CBOR, Path(), MODELS)
    assert math.isnan(float(failed.value))
    assert other == Record(Path(3303, 1, 5700), DataType.FLOAT, 21.5)


@pytest.mark.parametrize("path", [INTEGER, UNSIGNED, TIME, BOOLEAN, STRING])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_only_a_float_can_be_not_finite(path: Path, value: float) -> None:
    with pytest.raises(CodecError):
        decode(cbor2.dumps(value), ContentFormat.CBOR, path, MODELS)


def test_zephyr_packs_an_object_link_into_a_number_of_32_bits() -> None:
    assert value_at(OBJLNK, v=(3 << 16) + 1) == "3:1"
    assert value_at(OBJLNK, v=-1) == "65535:65535"
    assert value_at(OBJLNK, v=2**32 - 1) == "65535:65535"
    assert value_at(OBJLNK, v=-(2**31)) == "32768:0"
    for number in (2**32, -(2**31) - 1):
        with pytest.raises(CodecError):
            value_at(OBJLNK, v=number)


def test_an_integer_without_a_model_is_unsigned_only_where_it_must_be() -> None:
    assert senml({"n": f"/{UNKNOWN}", "v": 2**63 - 1}) == [Record(UNKNOWN, DataType.INTEGER, 2**63 - 1)]
    assert senml({"n": f"/{UNKNOWN}", "v": 2**63}) == [Record(UNKNOWN, DataType.UNSIGNED, 2**63)]
    with pytest.raises(CodecError):
        decode(bytes.fromhex("3b8000000000000000"), ContentFormat.CBOR, UNKNOWN, MODELS)


@pytest.mark.parametrize("fields", [{"x": 1}, {"u": "Cel"}, {"bver": 10}, {"bver": 26}, {"ut": 5}, {"bs": 1, "s": 2}])
def test_fields_without_a_meaning_here_are_ignored(fields: dict[str, Any]) -> None:
    assert value_at(FLOAT, v=1.5, **fields) == 1.5


@pytest.mark.parametrize("name", ["/3/0", "/3", "/", "/3/0/9/1/2", "/3/0/x", "/3/0/65536", "urn:dev:1:3/0/9", "/3//9"])
def test_a_name_that_is_no_resource_is_refused(name: str) -> None:
    with pytest.raises(CodecError):
        senml({"n": name, "v": 1})


@pytest.mark.parametrize(
    ("base_name", "name"),
    [("/3/0/9", ""), ("/3/0/", "9"), ("/3/0", "/9"), ("/3/0/", "/9"), ("/3", "/0/9"), ("/", "3/0/9"), ("", "/3/0/9"),
     ("", "3/0/9"), ("/3/0/9/", ""), ("/3/0/9", "/")],
)  # fmt: skip
def test_base_name_and_name_are_cut_anywhere(base_name: str, name: str) -> None:
    for base in (Path(), Path(3), Path(3, 0), Path(3, 0, 9)):
        assert senml({"bn": base_name, "n": name, "v": 95}, base=base) == [Record(Path(3, 0, 9), DataType.INTEGER, 95)]


@pytest.mark.parametrize("base", [Path(3, 1), Path(3, 0, 10), Path(4)])
def test_a_value_outside_of_what_was_asked_for_is_refused(base: Path) -> None:
    with pytest.raises(CodecError, match="at /3/0/9, not at /"):
        senml({"n": "/3/0/9", "v": 95}, base=base)


@pytest.mark.parametrize(
    ("base", "payload"),
    [
        ("/", "C10964"),
        ("/3/0/9", "C10A64"),
        ("/3/1", "080003C10964"),
        ("/3/0", "410001"),
        ("/3/0", "8606080003410001"),
        ("/3/0/7/1", "42000ED8"),
        ("/3/0/9", "C009"),
        ("/3/0/9", "C90901"),
        ("/3/0", "C109"),
        ("/3/0", "FF"),
        ("/3303/0/5700", "E216440001"),
        ("/32768/0/7", "C307000100"),
        ("/32768/0/4", "C10402"),
        ("/3/0/0", "C100FF"),
        ("/3/0/0", "C30061"),
        ("/3/0/0", "C8"),
        ("/3/0/0", "C800"),
        ("/3/0/0", "E800"),
        ("/3/0/0", "D00001"),
    ],
)
def test_tlv_that_does_not_belong_below_the_path_is_refused(base: str, payload: str) -> None:
    with pytest.raises(CodecError):
        decode(bytes.fromhex(payload), ContentFormat.TLV, Path.parse(base), MODELS)


def test_tlv_of_the_resource_is_taken_for_its_instance() -> None:
    decoded = decode(bytes.fromhex("C2071388"), ContentFormat.TLV, Path(3, 0, 7, 1), MODELS)
    assert decoded == [Record(Path(3, 0, 7, 1), DataType.INTEGER, 5000, None, (Mark.TLV_NESTING,))]


@pytest.mark.parametrize("size", [3, 5, 6, 7])
def test_tlv_integers_of_odd_sizes_are_taken(size: int) -> None:
    payload = bytes([0xC0 | size, 9]) + (-95).to_bytes(size, signed=True)
    assert decode(payload, ContentFormat.TLV, Path(3, 0, 9), MODELS) == [Record(Path(3, 0, 9), DataType.INTEGER, -95)]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ("18640a", "bytes follow"),
        ("c249010000000000000000", "tag"),
        ("d81c00", "tag"),
        ("d8406000", "tag"),
        ("f6", "NoneType"),
        ("f7", "not a value"),
        ("80", "list"),
        ("a0", "dict"),
        ("61ff", "not CBOR"),
    ],
)
def test_cbor_that_is_no_single_value_is_refused(payload: str, reason: str) -> None:
    with pytest.raises(CodecError, match=reason):
        decode(bytes.fromhex(payload), ContentFormat.CBOR, UNKNOWN, MODELS)


@pytest.mark.parametrize("content_format", sorted(SUPPORTED))
@pytest.mark.parametrize("base", [Path(), Path(3), Path(3, 0), FLOAT, UNKNOWN])
def test_an_empty_payload_has_no_records(content_format: int, base: Path) -> None:
    assert decode(b"", content_format, base, MODELS) == []


@pytest.mark.parametrize("content_format", [0, 42, 60])
def test_formats_of_one_value_are_refused_above_a_resource(content_format: int) -> None:
    with pytest.raises(CodecError, match="one resource"):
        decode(b"1", content_format, Path(3, 0), MODELS)


@pytest.mark.parametrize("content_format", [-1, 40, 50, 65000])
def test_other_content_formats_are_named(content_format: int) -> None:
    for call in (
        lambda: decode(b"1", content_format, FLOAT, MODELS),
        lambda: encode([], content_format, FLOAT),
        lambda: encode_paths([], content_format),
        lambda: decode_paths(b"[]", content_format),
    ):
        with pytest.raises(UnsupportedContentFormat, match=str(content_format)):
            call()


def test_a_payload_above_the_limit_is_refused() -> None:
    with pytest.raises(CodecError, match="at most"):
        decode(b" " * 2**21, ContentFormat.TEXT, STRING, MODELS)
    with pytest.raises(CodecError, match="at most"):
        decode_paths(b" " * 2**21, ContentFormat.SENML_JSON)


@pytest.mark.parametrize(
    ("content_format", "base", "payload"),
    [
        (ContentFormat.SENML_JSON, Path(3, 0, 9), b"[" + b'{"v":1},' * MAX_RECORDS + b'{"v":1}]'),
        (ContentFormat.SENML_CBOR, Path(3, 0, 9), b"\x9f" + b"\xa1\x02\x01" * (MAX_RECORDS + 1) + b"\xff"),
        (ContentFormat.LWM2M_JSON, Path(3, 0, 9), b'{"e":[' + b'{"v":1},' * MAX_RECORDS + b'{"v":1}]}'),
        (ContentFormat.LWM2M_CBOR, Path(), cbor2.dumps({(3, 0, 7, number): 1 for number in range(MAX_RECORDS + 1)})),
        (ContentFormat.TLV, Path(3, 0), b"\xc1\x09\x01" * (MAX_RECORDS + 1)),
        (ContentFormat.TLV, Path(3), b"\x00\x00" * (MAX_RECORDS + 1)),
        (ContentFormat.TLV, Path(3), (b"\x08\x00\xc0" + b"\xc1\x09\x01" * 64) * 160),
    ],
)
def test_more_values_than_the_limit_are_refused(content_format: int, base: Path, payload: bytes) -> None:
    with pytest.raises(CodecError, match="more than"):
        decode(payload, content_format, base, MODELS)
