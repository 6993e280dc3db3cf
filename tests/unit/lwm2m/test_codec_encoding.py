"""What is sent to devices, and what is not as it could not be read."""

from __future__ import annotations

import cbor2
import pytest

from flownexus_schemas.lwm2m.codecs import decode_paths, encode, encode_paths
from flownexus_schemas.lwm2m.content_format import ContentFormat
from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.errors import CodecError
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.lwm2m.record import Record

STRING, INTEGER, UNSIGNED, FLOAT, BOOLEAN, OPAQUE, TIME, OBJLNK, CORELNK = (
    Path(32768, 0, number) for number in range(len(DataType))
)


@pytest.mark.parametrize(("length", "header"), [(7, "c700"), (8, "c80008"), (255, "c800ff"), (256, "d0000100")])
def test_a_tlv_header_is_as_short_as_can_be(length: int, header: str) -> None:
    record = Record(Path(5, 0, 0), DataType.OPAQUE, bytes(length))
    assert encode([record], ContentFormat.TLV, record.path) == bytes.fromhex(header) + bytes(length)


def test_a_tlv_value_has_less_than_16_mib() -> None:
    longest = Record(Path(5, 0, 0), DataType.OPAQUE, bytes(2**24 - 1))
    assert encode([longest], ContentFormat.TLV, longest.path)[:5] == bytes.fromhex("d800ffffff")
    with pytest.raises(CodecError, match="at most"):
        encode([longest._replace(value=bytes(2**24))], ContentFormat.TLV, longest.path)


@pytest.mark.parametrize(
    "record",
    [
        Record(INTEGER, DataType.INTEGER, "1"),
        Record(INTEGER, DataType.INTEGER, True),
        Record(INTEGER, DataType.INTEGER, 2**63),
        Record(UNSIGNED, DataType.UNSIGNED, -1),
        Record(FLOAT, DataType.FLOAT, float("nan")),
        Record(FLOAT, DataType.FLOAT, True),
        Record(FLOAT, DataType.FLOAT, 10**400),
        Record(BOOLEAN, DataType.BOOLEAN, 1),
        Record(STRING, DataType.STRING, "\ud800"),
        Record(STRING, DataType.STRING, b"a"),
        Record(OPAQUE, DataType.OPAQUE, "a"),
        Record(OBJLNK, DataType.OBJLNK, "1"),
        Record(TIME, DataType.TIME, float("inf")),
        Record(Path(3, 0), DataType.INTEGER, 1),
        Record(Path(4, 0, 1), DataType.INTEGER, 1),
    ],
)
@pytest.mark.parametrize("content_format", [0, 42, 60, 110, 112, 11542])
def test_a_record_that_is_not_of_its_type_is_not_sent(record: Record, content_format: int) -> None:
    base = record.path if record.path.object_id == 32768 else Path(3)
    with pytest.raises(CodecError):
        encode([record], content_format, base)


def test_a_whole_number_is_sent_for_a_float() -> None:
    record = Record(FLOAT, DataType.FLOAT, 20)
    assert encode([record], ContentFormat.TEXT, FLOAT) == b"20.0"
    assert encode([record], ContentFormat.TLV, FLOAT) == bytes.fromhex("C40341A00000")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e-7, b"0.0000001"),
        (1e-12, b"0.000000000001"),
        (9e-13, b"9e-13"),
        (1e20, b"100000000000000000000.0"),
        (1e21, b"1e+21"),
        (-0.5, b"-0.5"),
        (1.0, b"1.0"),
    ],
)
def test_floats_have_no_exponent_in_text_where_they_are_short(value: float, text: bytes) -> None:
    assert encode([Record(FLOAT, DataType.FLOAT, value)], ContentFormat.TEXT, FLOAT) == text


def test_floats_have_no_exponent_in_senml_json_where_they_are_short() -> None:
    records = [Record(Path(32768, 0, 13, 0), DataType.FLOAT, 1e-7), Record(Path(32768, 0, 13, 1), DataType.FLOAT, 1e20)]
    assert encode(records, ContentFormat.SENML_JSON, Path(32768)) == (
        b'[{"bn":"/32768/0/","n":"13/0","v":0.0000001},{"n":"13/1","v":100000000000000000000.0}]'
    )


@pytest.mark.parametrize("base", [Path(), Path(3303), Path(3303, 65535), Path(3303, 65535, 5700)])
def test_names_in_senml_fit_the_buffers_of_zephyr(base: Path) -> None:
    payload = encode([Record(Path(3303, 65535, 5700), DataType.FLOAT, 20.5)], ContentFormat.SENML_CBOR, base)
    assert cbor2.loads(payload) == [{-2: "/3303/65535/", 0: "5700", 2: 20.5}]


def test_a_base_name_is_given_anew_for_each_object_instance() -> None:
    records = [
        Record(Path(3, 0, 14), DataType.STRING, "+02:00"),
        Record(Path(3, 0, 15), DataType.STRING, "Europe/Paris"),
        Record(Path(3303, 0, 5701), DataType.STRING, "Cel"),
    ]
    assert encode(records, ContentFormat.SENML_JSON, Path()) == (
        b'[{"bn":"/3/0/","n":"14","vs":"+02:00"},{"n":"15","vs":"Europe/Paris"},{"bn":"/3303/0/","n":"5701","vs":"Cel"}]'
    )


@pytest.mark.parametrize("content_format", [0, 42, 60, 1542, 11542, 11544])
def test_a_time_does_not_fit_a_format_without(content_format: int) -> None:
    with pytest.raises(CodecError, match="no times"):
        encode([Record(OPAQUE, DataType.OPAQUE, b"", 1.7e9)], content_format, OPAQUE)


def test_several_values_do_not_fit_a_format_of_one() -> None:
    records = [Record(INTEGER, DataType.INTEGER, 1)] * 2
    for content_format in (0, 42, 60, 11542):
        with pytest.raises(CodecError):
            encode(records, content_format, INTEGER)


def test_a_time_that_all_values_share_is_sent_once() -> None:
    records = [Record(Path(3, 0, number), DataType.INTEGER, 1, 1.7e9) for number in (9, 10)]
    assert encode(records, ContentFormat.SENML_JSON, Path(3)) == (
        b'[{"bn":"/3/0/","bt":1700000000,"n":"9","v":1},{"n":"10","v":1}]'
    )


def test_times_that_differ_are_sent_each_and_none_where_there_is_none() -> None:
    records = [Record(Path(3, 0, 9), DataType.INTEGER, 1, time) for time in (None, -5.0, 1700000000.5)]
    assert encode(records, ContentFormat.SENML_JSON, Path(3)) == (
        b'[{"bn":"/3/0/","n":"9","v":1},{"n":"9","t":-5,"v":1},{"n":"9","t":1700000000.5,"v":1}]'
    )


@pytest.mark.parametrize("content_format", [110, 112, 1543, 11542, 11543, 11544])
def test_a_value_outside_of_the_path_is_not_sent(content_format: int) -> None:
    with pytest.raises(CodecError, match="at /3/0/9, not at /3/1"):
        encode([Record(Path(3, 0, 9), DataType.INTEGER, 1)], content_format, Path(3, 1))


def test_tlv_is_not_sent_to_the_root() -> None:
    with pytest.raises(CodecError, match="several objects"):
        encode([Record(Path(3, 0, 9), DataType.INTEGER, 1)], ContentFormat.TLV, Path())


def test_tlv_of_a_resource_has_a_value_or_instances() -> None:
    records = [Record(Path(3, 0, 7), DataType.INTEGER, 1), Record(Path(3, 0, 7, 0), DataType.INTEGER, 1)]
    with pytest.raises(CodecError, match="both a value and instances"):
        encode(records, ContentFormat.TLV, Path(3, 0))


@pytest.mark.parametrize("time", [float("nan"), float("inf"), 2.0**63, -(2.0**63)])
@pytest.mark.parametrize("content_format", [110, 112, 11543])
def test_what_is_no_time_is_not_sent(content_format: int, time: float) -> None:
    with pytest.raises(CodecError, match="not a time"):
        encode([Record(INTEGER, DataType.INTEGER, 1, time)], content_format, INTEGER)


def test_composite_requests_name_their_paths_in_full() -> None:
    paths = [Path(3, 0, 9), Path(3303), Path()]
    assert encode_paths(paths, ContentFormat.SENML_JSON) == b'[{"n":"/3/0/9"},{"n":"/3303"},{"n":"/"}]'
    assert encode_paths(paths, ContentFormat.SENML_CBOR) == cbor2.dumps([{0: "/3/0/9"}, {0: "/3303"}, {0: "/"}])


def test_composite_requests_with_a_base_name_are_read() -> None:
    assert decode_paths(b'[{"bn":"/3/0/","n":"9"},{"n":"10"},{"bn":"/4"}]', ContentFormat.SENML_JSON) == [
        Path(3, 0, 9),
        Path(3, 0, 10),
        Path(4),
    ]


@pytest.mark.parametrize("payload", [b"{}", b"[1]", b"[", b'[{"n":1}]', b'[{"n":"/x"}]', b'[{"n":"/3","a_":1}]'])
def test_composite_requests_that_name_no_path_are_refused(payload: bytes) -> None:
    with pytest.raises(CodecError):
        decode_paths(payload, ContentFormat.SENML_JSON)
