"""LwM2M CBOR and the JSON of LwM2M 1.0: what is refused."""

from __future__ import annotations

import json
from typing import Any

import cbor2
import pytest

from flownexus_schemas.lwm2m.codecs import decode, encode
from flownexus_schemas.lwm2m.content_format import ContentFormat
from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.errors import CodecError
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.lwm2m.record import Record
from vectors.payloads import MODELS


@pytest.mark.parametrize(
    "tree",
    [
        0,
        [1, 2],
        {3: 1},
        {3: {0: 1}},
        {(3, 0): 1},
        {(): 1},
        {3: {0: {9: [1]}}},
        {3: {0: {9: None}}},
        {3: {0: {7: {0: {0: 1}}}}},
        {(3, 0, 7, 1, 2): 1},
        {(3, 0): {(7, 1, 2): 1}},
        {65536: {0: {9: 1}}},
        {-1: {0: {9: 1}}},
        {"3": {0: {9: 1}}},
        {True: {0: {9: 1}}},
        {3.0: {0: {9: 1}}},
        {("dev1", 3, 0, 9): 1},
        {4: {0: {9: 1}}},
    ],
)
def test_a_tree_that_is_no_tree_of_paths_below_the_base_is_refused(tree: Any) -> None:
    with pytest.raises(CodecError):
        decode(cbor2.dumps(tree), ContentFormat.LWM2M_CBOR, Path(3), MODELS)


def test_ids_reach_65535() -> None:
    decoded = decode(cbor2.dumps({65535: {65535: {65535: b""}}}), ContentFormat.LWM2M_CBOR, Path(), MODELS)
    assert [record.path for record in decoded] == [Path(65535, 65535, 65535)]


def test_a_tree_has_one_value_at_a_path() -> None:
    single = Record(Path(3, 0, 9), DataType.INTEGER, 1)
    instance = Record(Path(3, 0, 9, 0), DataType.INTEGER, 1)
    for records in ([single, single], [single, instance], [instance, single]):
        with pytest.raises(CodecError, match="3/0/9"):
            encode(records, ContentFormat.LWM2M_CBOR, Path(3))


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"e": {}},
        {"e": [1]},
        {"e": [{"n": "9"}]},
        {"e": [{"n": "9", "v": 1, "sv": "1"}]},
        {"e": [{"n": "9", "v": "1"}]},
        {"e": [{"n": "9", "v": True}]},
        {"e": [{"n": "9", "bv": 1}]},
        {"e": [{"n": 9, "v": 1}]},
        {"e": [{"n": "9", "v": 1, "t": "1"}]},
        {"e": [{"n": "x", "v": 1}]},
        {"e": [{"v": 1}]},
        {"bn": 3, "e": []},
        {"bt": True, "e": []},
        {"bn": "/4/0/", "e": [{"n": "9", "v": 1}]},
        {"bn": "/3/0/" + "0" * 200, "e": []},
    ],
)
def test_json_of_lwm2m_1_0_that_cannot_be_read_is_refused(document: Any) -> None:
    with pytest.raises(CodecError):
        decode(json.dumps(document).encode(), ContentFormat.LWM2M_JSON, Path(3, 0), MODELS)
