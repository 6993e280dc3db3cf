"""The simulator's own content formats against bytes from the specification."""

from __future__ import annotations

import json

import cbor2
import pytest

from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_simulator import representation, senml, tlv
from flownexus_simulator.values import Leaf, Leaves, Path, Tree

INTEGER, FLOAT, STRING = DataType.INTEGER, DataType.FLOAT, DataType.STRING


def test_a_device_instance_in_tlv_is_that_of_the_specification() -> None:
    # LwM2M Core 1.1.1, 7.4.3.2, the first resources of /3/0.
    leaves: Leaves = [
        ((3, 0, 0), Leaf(STRING, "Open Mobile Alliance")),
        ((3, 0, 6, 0), Leaf(INTEGER, 1)),
        ((3, 0, 6, 1), Leaf(INTEGER, 5)),
        ((3, 0, 7, 0), Leaf(INTEGER, 0x0ED8)),
    ]
    expected = "C80014" + b"Open Mobile Alliance".hex() + "8606410001410105" + "840742000ED8"
    assert tlv.write(leaves, (3, 0)) == bytes.fromhex(expected)


def test_object_instances_wrap_their_resources_in_tlv() -> None:
    leaves: Leaves = [((3303, 0, 5700), Leaf(FLOAT, 21.5)), ((3303, 1, 5700), Leaf(FLOAT, 0.5))]
    instance = bytes.fromhex("E8164408") + bytes.fromhex("4035800000000000")
    assert tlv.write(leaves, (3303,))[:15] == bytes.fromhex("08000C") + instance


def test_integers_in_tlv_take_1_2_4_or_8_bytes() -> None:
    def written(value: int, kind: DataType = INTEGER) -> str:
        return tlv.write([((1, 0, 1), Leaf(kind, value))], (1, 0)).hex()

    assert [written(value) for value in (127, -1, 128, 86400)] == ["c1017f", "c101ff", "c2010080", "c40100015180"]
    assert written(2**40, DataType.TIME) == "c80108" + (2**40).to_bytes(8, "big").hex()
    assert written(200, DataType.UNSIGNED) == "c101c8"
    with pytest.raises(ValueError, match="does not fit"):
        written(2**64)


def test_what_is_written_in_tlv_is_read_with_its_paths() -> None:
    payload = bytes.fromhex("C4010000012C") + bytes.fromhex("8602") + bytes.fromhex("41000A") + bytes.fromhex("41010B")
    assert tlv.read(payload, (1, 0)) == [((1, 0, 1), b"\0\0\x01\x2c"), ((1, 0, 2, 0), b"\n"), ((1, 0, 2, 1), b"\x0b")]


@pytest.mark.parametrize("payload", ["C4", "C401", "C40100", "C801", "E101", "C80108AA"])
def test_tlv_that_is_cut_short_is_refused(payload: str) -> None:
    with pytest.raises(tlv.MalformedTlv):
        tlv.read(bytes.fromhex(payload), (1, 0))


def test_a_notification_in_senml_cbor_has_base_name_and_time_once() -> None:
    leaves: Leaves = [((3303, 0, 5700), Leaf(FLOAT, 21.5)), ((3303, 0, 5701), Leaf(STRING, "Cel"))]
    assert cbor2.loads(senml.write_cbor(leaves, 1_700_000_000.25)) == [
        {-2: "/3303/0/", -3: 1_700_000_000.25, 0: "5700", 2: 21.5},
        {0: "5701", 3: "Cel"},
    ]


def test_each_object_instance_has_its_base_name_in_senml_json() -> None:
    leaves: Leaves = [
        ((3, 0, 9), Leaf(INTEGER, 95)),
        ((1, 0, 6), Leaf(DataType.BOOLEAN, True)),
        ((1, 0, 9), Leaf(DataType.OPAQUE, b"\xff\xfe")),
        ((1, 0, 10), Leaf(DataType.OBJLNK, "3303:0")),
    ]
    assert json.loads(senml.write_json(leaves, None)) == [
        {"bn": "/3/0/", "n": "9", "v": 95},
        {"bn": "/1/0/", "n": "6", "vb": True},
        {"n": "9", "vd": "__4"},
        {"n": "10", "vlo": "3303:0"},
    ]


def test_paths_of_a_composite_read_are_read_from_both_senml_forms() -> None:
    paths = [((3303, 0, 5700), None), ((10300,), None)]
    assert representation.read_entries(b'[{"n":"/3303/0/5700"},{"n":"/10300"}]', 110) == paths
    assert representation.read_entries(cbor2.dumps([{-2: "/3303/0/", 0: "5700"}, {-2: "", 0: "/10300"}]), 112) == paths


@pytest.mark.parametrize(
    "payload", [b"", b"{}x", b"[1]", b'[{"n":"/a"}]', b'[{"n":"/1/2/3/4/5"}]', b'[{"n":"/65536"}]']
)
def test_a_broken_senml_pack_is_refused(payload: bytes) -> None:
    for content_format in (110, 112):
        with pytest.raises(representation.Unreadable):
            representation.read_entries(payload, content_format)


TREE = Tree(
    [((1, 0, 1), Leaf(INTEGER, 300)), ((3, 0, 6, 0), Leaf(INTEGER, 1)), ((3303, 0, 5700), Leaf(FLOAT, 21.5))],
    write_only={(5, 0, 0): DataType.OPAQUE},
)


@pytest.mark.parametrize(
    ("payload", "content_format", "path"),
    [
        (b"60", 0, (1, 0, 1)),
        (bytes.fromhex("C1013C"), 11542, (1, 0, 1)),
        (bytes.fromhex("C1013C"), 11542, (1, 0)),
        (b'[{"bn":"/1/0/1","v":60}]', 110, (1, 0, 1)),
        (cbor2.dumps([{-2: "/1/0/", 0: "1", 2: 60}]), 112, (1, 0)),
        (cbor2.dumps([{-2: "/1/0/", 0: "1", 2: 60}]), 322, ()),
    ],
)
def test_a_write_of_a_lifetime_is_read_in_every_format(payload: bytes, content_format: int, path: Path) -> None:
    assert representation.read(payload, content_format, path, TREE) == [((1, 0, 1), 60)]


def test_text_holds_one_resource_and_nothing_larger() -> None:
    assert representation.write(TREE.below((3303, 0, 5700)), 0, (3303, 0, 5700)) == b"21.5"
    with pytest.raises(representation.NotRepresentable):
        representation.write(TREE.below((3303, 0)), 0, (3303, 0))
    with pytest.raises(representation.NotRepresentable):
        representation.write(TREE.below((3, 0, 6)), 0, (3, 0, 6))


def test_formats_that_a_device_does_not_know_are_refused() -> None:
    with pytest.raises(representation.UnsupportedFormat):
        representation.read(b"x", 60, (1, 0, 1), TREE)
    with pytest.raises(representation.NotRepresentable):
        representation.write(TREE.below((3303,)), 60, (3303,))


@pytest.mark.parametrize(("payload", "content_format"), [(b"x", 0), (b"\xff", 0), (b'[{"bn":"/1/0/1","vs":"a"}]', 110)])
def test_a_value_of_another_type_is_refused(payload: bytes, content_format: int) -> None:
    with pytest.raises(representation.Unreadable):
        representation.read(payload, content_format, (1, 0, 1), TREE)


def test_a_write_only_resource_is_read_as_its_type() -> None:
    assert representation.read(b"\x01\x02", 42, (5, 0, 0), TREE) == [((5, 0, 0), b"\x01\x02")]
    assert representation.read(b"AQI=", 0, (5, 0, 0), TREE) == [((5, 0, 0), b"\x01\x02")]
