"""Whatever bytes a peer sends: records or CodecError, nothing else, for every format and every depth of path."""

from __future__ import annotations

import json
import math
import struct
from contextlib import suppress
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flownexus_schemas.lwm2m.codecs import SUPPORTED, decode, decode_paths, encode
from flownexus_schemas.lwm2m.content_format import ContentFormat
from flownexus_schemas.lwm2m.errors import CodecError
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.lwm2m.record import Record
from flownexus_schemas.lwm2m.timestamps import anchor
from vectors.payloads import MODELS, load

BASES = [Path.parse(text) for text in ("/", "/3", "/3/0", "/3/0/0", "/3/0/7", "/3/0/7/1", "/3303/0/5700", "/40000/0/1")]
VECTORS = load()
LABELS = ("bn", "bt", "bu", "bv", "bs", "bver", "n", "u", "v", "vs", "vb", "vd", "vlo", "s", "t", "ut", "x", "x_")
NAMES = (
    "",
    "/",
    "//",
    "/3/0/",
    "/3/0",
    "9",
    "/9",
    "/3/0/9",
    "/3303/0/5700",
    "/3/0/7/1/2",
    "/-1",
    "/3/0/99999",
    "é/ü",
    "/3/0/9/",
)

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**65), 2**65)
    | st.floats()
    | st.sampled_from(NAMES)
    | st.text(max_size=20)
    | st.sampled_from(["66:0", "1e999", "nan", "true", "٣", "1_000", " 5 ", "0x10", "AQID", "+", "-", "1.", ".5"])
)
entries = st.dictionaries(st.sampled_from(LABELS), scalars, max_size=6)
nested = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)


def decode_all(payload: bytes) -> None:
    for content_format in SUPPORTED:
        for base in BASES:
            try:
                records = decode(payload, content_format, base, MODELS, {3: "1.1", 3303: "x"})
            except CodecError:
                continue
            for record in records:
                assert record.path.depth in (3, 4)
                assert base.contains(record.path)
            anchor(records, 1.7e9)
            reencode(records)
    for content_format in (ContentFormat.SENML_JSON, ContentFormat.SENML_CBOR):
        with suppress(CodecError):
            decode_paths(payload, content_format)


def reencode(records: list[Record]) -> None:
    """What was decoded can be sent on, all but floats that are not finite and times that are none."""
    records = [record for record in records if not isinstance(record.value, float) or math.isfinite(record.value)]
    records = [record if -(2**62) < (record.time or 0) < 2**62 else record._replace(time=None) for record in records]
    for content_format in (ContentFormat.SENML_JSON, ContentFormat.SENML_CBOR):
        again = decode(encode(records, content_format, Path()), content_format, Path(), MODELS)
        assert [(record.path, record.value, record.time) for record in again] == [
            (record.path, record.value, record.time) for record in records
        ]


@given(st.binary(max_size=200))
def test_arbitrary_bytes(payload: bytes) -> None:
    decode_all(payload)


@given(st.sampled_from(VECTORS), st.data())
def test_mutated_vectors(vector: Any, data: st.DataObject) -> None:
    mutated = bytearray(vector.payload)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(mutated)))
        kind = data.draw(st.sampled_from(["replace", "insert", "cut", "repeat"]))
        if kind == "insert":
            mutated[at:at] = data.draw(st.binary(min_size=1, max_size=4))
        elif kind == "cut":
            del mutated[at:]
        elif kind == "repeat":
            mutated += mutated[:at]
        elif at < len(mutated):
            mutated[at] = data.draw(st.integers(0, 255))
    decode_all(bytes(mutated))


@given(st.lists(entries | scalars, max_size=5) | nested)
def test_structured_json(pack: Any) -> None:
    decode_all(json.dumps(pack).encode("utf-8", "surrogatepass"))


def numbered(pack: Any) -> Any:
    numbers = {"bver": -1, "bn": -2, "bt": -3, "bu": -4, "bv": -5, "bs": -6}
    numbers |= {"n": 0, "u": 1, "v": 2, "vs": 3, "vb": 4, "s": 5, "t": 6, "ut": 7, "vd": 8}
    if not isinstance(pack, list):
        return pack
    return [{numbers.get(k, k): v for k, v in entry.items()} if isinstance(entry, dict) else entry for entry in pack]


tagged = st.builds(
    cbor2.CBORTag,
    st.sampled_from(
        [0, 1, 2, 3, 4, 5, 24, 25, 28, 29, 30, 35, 36, 37, 99, 100, 256, 258, 260, 261, 1004, 43000, 55799]
    ),
    nested,
)


@given(
    st.lists(
        st.dictionaries(st.sampled_from(LABELS), scalars | tagged | st.binary(max_size=9), max_size=6) | scalars,
        max_size=5,
    )
    | nested
    | tagged
)
def test_structured_cbor(pack: Any) -> None:
    decode_all(cbor2.dumps(numbered(pack)))
    decode_all(cbor2.dumps(pack))


def entry(kind: int, number: int, value: bytes) -> bytes:
    return struct.pack(">BHH", kind << 6 | 0x20 | 2 << 3, number, len(value)) + value


tlv_leaves = st.builds(
    entry,
    st.sampled_from([1, 3]),
    st.sampled_from([0, 1, 7, 9, 300]),
    st.binary(max_size=9),
)
tlv_trees = st.recursive(
    tlv_leaves,
    lambda inner: st.builds(
        lambda kind, number, parts: entry(kind, number, b"".join(parts)),
        st.integers(0, 3),
        st.sampled_from([0, 1, 7]),
        st.lists(inner, max_size=3),
    ),
    max_leaves=8,
)


@given(st.lists(tlv_trees, max_size=4))
def test_structured_tlv(parts: list[bytes]) -> None:
    decode_all(b"".join(parts))


@pytest.mark.parametrize(
    "payload",
    [
        b"\x81" * 100_000,
        b"\xa1\x00" * 100_000,
        b"\xc1" * 100_000 + b"\x00",
        b"\xd8\x1c" * 100_000,
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"\x9b\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\x7b\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\xbb\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\x81\xa2\x21\x60\x02\xc2\x59\x7f\xff" + b"\xff" * 0x7FFF,
        b"\x81\xa2\x21\x60\x02\xc4\x82\x1b\x7f\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x81\xa2\x21\x60\x02\xc5\x82\x1b\x7f\xff\xff\xff\xff\xff\xff\xff\x01",
        b"9" * 100_000,
        b'[{"bn":"/3/0/9","v":' + b"9" * 100_000 + b"}]",
        b"\x08\x01\x00" * 50_000,
    ],
    ids=lambda payload: payload[:6].hex(),
)
def test_bombs(payload: bytes) -> None:
    decode_all(payload)


def test_a_long_base_name_is_not_repeated_for_each_record() -> None:
    pack = b'[{"bn":"' + b"/3" * 1000 + b'"}' + b',{"v":1}' * 100_000 + b"]"
    with pytest.raises(CodecError):
        decode(pack, ContentFormat.SENML_JSON, Path(), MODELS)
