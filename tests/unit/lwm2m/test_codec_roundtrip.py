"""encode and decode are inverses, for any records that a format can carry."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from flownexus_schemas.lwm2m.codecs import decode, decode_paths, encode, encode_paths
from flownexus_schemas.lwm2m.content_format import ContentFormat
from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.path import MAX_ID, Path
from flownexus_schemas.lwm2m.record import Record
from vectors.payloads import MODELS

EVERY_TYPE = 32768
FIRST_MULTIPLE = 10

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300).filter(lambda text: not text.endswith("\0"))
ids = st.integers(0, MAX_ID)
whole = st.integers(-(2**63), 2**63 - 1)
floats = st.floats(allow_nan=False, allow_infinity=False)
values: dict[DataType, st.SearchStrategy[Any]] = {
    DataType.STRING: texts,
    DataType.INTEGER: whole,
    DataType.UNSIGNED: st.integers(0, 2**64 - 1),
    DataType.FLOAT: floats | st.floats(width=32, allow_nan=False, allow_infinity=False) | st.just(20.0),
    DataType.BOOLEAN: st.booleans(),
    DataType.OPAQUE: st.binary(max_size=300),
    DataType.TIME: whole,
    DataType.OBJLNK: st.builds("{}:{}".format, ids, ids),
    DataType.CORELNK: texts,
}
times = st.none() | st.floats(-(2.0**40), 2.0**40) | st.integers(-(2**40), 2**40).map(float)


@st.composite
def single_records(draw: st.DrawFn) -> Record:
    number = draw(st.integers(0, len(DataType) - 1))
    kind = list(DataType)[number]
    return Record(Path(EVERY_TYPE, draw(ids), number), kind, draw(values[kind]))


@st.composite
def object_records(draw: st.DrawFn, timed: bool = False) -> list[Record]:
    """Records of one object: distinct paths, those of an instance together and those of a resource together."""
    records = []
    for instance in draw(st.lists(ids, unique=True, min_size=1, max_size=3)):
        for number in draw(st.lists(st.integers(0, len(DataType) - 1), unique=True, max_size=5)):
            kind = list(DataType)[number]
            if draw(st.booleans()):
                paths = [Path(EVERY_TYPE, instance, number)]
            else:
                below = draw(st.lists(ids, unique=True, min_size=1, max_size=3))
                paths = [Path(EVERY_TYPE, instance, FIRST_MULTIPLE + number, last) for last in below]
            records += [Record(path, kind, draw(values[kind]), draw(times) if timed else None) for path in paths]
    return records


def assert_inverse(records: list[Record], content_format: int, base_path: Path) -> None:
    payload = encode(records, content_format, base_path)
    decoded = decode(payload, content_format, base_path, MODELS)
    assert decoded == records
    assert [type(record.value) for record in decoded] == [type(record.value) for record in records]
    assert encode(decoded, content_format, base_path) == payload


@given(single_records())
def test_one_value_in_every_format(record: Record) -> None:
    for content_format in (
        ContentFormat.CBOR,
        ContentFormat.TLV,
        ContentFormat.OLD_TLV,
        ContentFormat.SENML_JSON,
        ContentFormat.SENML_CBOR,
        ContentFormat.LWM2M_CBOR,
        ContentFormat.LWM2M_JSON,
    ):
        assert_inverse([record], content_format, record.path)


@given(single_records())
def test_one_value_as_text(record: Record) -> None:
    if record.type is DataType.OPAQUE and not record.value:
        return  # an empty payload: text cannot tell it from no value
    assert_inverse([record], ContentFormat.TEXT, record.path)


@given(values[DataType.OPAQUE])
def test_one_value_as_opaque(value: bytes) -> None:
    record = Record(Path(EVERY_TYPE, 0, 5), DataType.OPAQUE, value)
    assert_inverse([record], ContentFormat.OPAQUE, record.path)


@given(object_records())
def test_objects_in_tlv(records: list[Record]) -> None:
    assert_inverse(records, ContentFormat.TLV, Path(EVERY_TYPE))


@given(object_records())
def test_objects_in_lwm2m_cbor(records: list[Record]) -> None:
    assert_inverse(records, ContentFormat.LWM2M_CBOR, Path())


@given(object_records(timed=True))
def test_objects_with_times_in_lwm2m_json(records: list[Record]) -> None:
    assert_inverse(records, ContentFormat.LWM2M_JSON, Path())


@given(object_records(timed=True))
def test_objects_with_times_in_senml(records: list[Record]) -> None:
    for content_format in (ContentFormat.SENML_JSON, ContentFormat.SENML_CBOR):
        assert_inverse(records, content_format, Path())
        assert_inverse(records, content_format, Path(EVERY_TYPE))


@given(object_records(timed=True), times)
def test_one_time_for_all_in_senml(records: list[Record], time: float | None) -> None:
    records = [record._replace(time=time) for record in records]
    for content_format in (ContentFormat.SENML_JSON, ContentFormat.SENML_CBOR):
        assert_inverse(records, content_format, Path())


@given(object_records())
def test_below_each_path_of_its_own(records: list[Record]) -> None:
    for content_format in (
        ContentFormat.TLV,
        ContentFormat.SENML_JSON,
        ContentFormat.SENML_CBOR,
        ContentFormat.LWM2M_CBOR,
        ContentFormat.LWM2M_JSON,
    ):
        for base in {Path(*record.path.ids[:depth]) for record in records for depth in (2, 3, 4)}:
            below = [record for record in records if base.contains(record.path)]
            assert_inverse(below, content_format, base)


@given(st.lists(st.lists(ids, max_size=4).map(lambda numbers: Path(*numbers)), max_size=20))
def test_paths_of_composite_requests(paths: list[Path]) -> None:
    for content_format in (ContentFormat.SENML_JSON, ContentFormat.SENML_CBOR):
        assert decode_paths(encode_paths(paths, content_format), content_format) == paths
