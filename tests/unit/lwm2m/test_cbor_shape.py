"""CBOR is looked over before it is decoded."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flownexus_schemas.lwm2m.bounded_cbor import loads
from flownexus_schemas.lwm2m.cbor_shape import MAX_ITEMS, check_shape
from flownexus_schemas.lwm2m.codecs import decode
from flownexus_schemas.lwm2m.content_format import ContentFormat
from flownexus_schemas.lwm2m.errors import CodecError
from flownexus_schemas.lwm2m.object_model import ObjectModels
from flownexus_schemas.lwm2m.path import Path
from vectors.payloads import load

ids = st.integers(0, 65535)
keys = ids | st.text(max_size=3) | st.lists(ids, max_size=4).map(tuple)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.floats() | st.text(max_size=30) | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=20,
)


@given(plain, st.booleans())
@settings(deadline=None)
def test_what_devices_send_has_a_shape_that_is_taken(item: Any, indefinite: bool) -> None:
    payload = cbor2.dumps(item, indefinite_containers=indefinite)
    try:
        loads(payload)
    except CodecError as error:
        assert "depth" in str(error)  # noqa: PT017
        return
    check_shape(payload)


@pytest.mark.parametrize("vector", [vector for vector in load() if vector.content_format in (60, 112, 11544)], ids=str)
def test_vectors_have_a_shape_that_is_taken(vector: Any) -> None:
    check_shape(vector.payload)


@given(st.binary(max_size=100))
def test_any_bytes_are_looked_over(payload: bytes) -> None:
    try:
        check_shape(payload)
    except CodecError:
        return


@pytest.mark.parametrize(
    "key",
    ["82011a00010000", "811a00010000", "8120", "8160", "8180", "850102030405", "9f0102030405ff", "a0", "c101"],
)
def test_keys_that_could_be_made_to_collide_are_refused(key: str) -> None:
    with pytest.raises(CodecError, match="key of a CBOR map"):
        check_shape(b"\xa1" + bytes.fromhex(key) + b"\x01")


@pytest.mark.parametrize("content_format", [ContentFormat.CBOR, ContentFormat.SENML_CBOR, ContentFormat.LWM2M_CBOR])
def test_colliding_keys_never_reach_the_decoder(content_format: ContentFormat) -> None:
    payload = b"\xbf" + b"".join(b"\x82\x01\x1b" + n.to_bytes(8) + b"\x01" for n in range(2**60, 2**60 + 500)) + b"\xff"
    with pytest.raises(CodecError, match="key of a CBOR map"):
        decode(payload, content_format, Path(3, 0, 9), ObjectModels())


@pytest.mark.parametrize("unit", [b"\xa0", b"\x80", b"\x00", b"\x40"])
def test_more_items_than_values_could_need_are_refused(unit: bytes) -> None:
    with pytest.raises(CodecError, match="items"):
        loads(b"\x9f" + unit * MAX_ITEMS + b"\xff")


def test_a_large_tree_of_values_is_taken() -> None:
    payload = cbor2.dumps({3303: {number: {5700: 21.5} for number in range(2000)}})
    assert len(decode(payload, ContentFormat.LWM2M_CBOR, Path(3303), ObjectModels())) == 2000
